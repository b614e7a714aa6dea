"""Going on from a bundle: what it knew stays, what is new stands where its content says."""

from dataclasses import replace
from datetime import UTC, timedelta

import numpy as np
import pytest

from recsys.config import IncrementalSettings, RetrieverSettings
from recsys.dataset.batches import training_windows
from recsys.dataset.interactions import Histories, Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.errors import ArtifactMismatchError, DataError
from recsys.instants import DAY, from_micros, to_micros
from recsys.models.retriever.attributes import attribute_rows
from recsys.training.retriever.warm_start import (
    choose_windows,
    incremental_settings,
    trained_until,
    warm_start,
)
from tests.tiny_bundle import NOW, tiny_bundle
from tests.training.test_pipeline import two_tastes

ORDER = ("bread", "apple", "butter", "cheese", "wine")  # apple is new


def with_apple(items: ItemTable) -> ItemTable:
    def spread(values: tuple, new: object) -> tuple:
        return (*values[:2], new, *values[2:])

    return ItemTable(
        vocabulary=Vocabulary(("", *ORDER)),
        titles=spread(items.titles, "Apple"),
        categories=spread(items.categories, "fruit"),
        brands=spread(items.brands, "alp"),
        price_micros=np.array(spread(tuple(items.price_micros), 1_000_000)),
        available=np.array(spread(tuple(items.available), True)),
        attributes=spread(items.attributes, '{"size": 3}'),
    )


def test_known_items_keep_their_vectors_and_a_new_one_has_that_of_its_content() -> None:
    parent = tiny_bundle()
    with_residuals(parent)
    items = with_apple(parent.items)
    text = np.insert(parent.text_vectors, 2, parent.text_vectors[3], axis=0)  # apple reads like cheese
    retriever = warm_start(parent, items, text)
    vectors, before = retriever.item_vectors(), parent.retriever.item_vectors()
    np.testing.assert_allclose(vectors[[1, 3, 4, 5]], before[[1, 2, 3, 4]], atol=1e-6)
    apple = parent.retriever.new_item_vectors(text[2:3], [attribute_rows(items)[2]])
    np.testing.assert_allclose(vectors[2:3], apple, atol=1e-6)
    assert not vectors[0].any()


def test_a_user_is_seen_as_before_though_the_items_moved() -> None:
    parent = tiny_bundle()
    with_residuals(parent)
    text = np.insert(parent.text_vectors, 2, parent.text_vectors[3], axis=0)
    retriever = warm_start(parent, with_apple(parent.items), text)
    kinds, at = np.full((1, 4), 4), np.arange(1, 5)[None] * 86_400
    request_at = np.array([10 * 86_400])
    old = Histories(np.array([[1, 2, 3, 4]]), kinds, at, request_at)
    new = Histories(np.array([[1, 3, 4, 5]]), kinds, at, request_at)
    np.testing.assert_allclose(
        retriever.eval().user_vectors(new), parent.retriever.eval().user_vectors(old), atol=1e-6
    )


def with_residuals(bundle: object) -> None:
    residual = bundle.retriever.item_tower.residual  # type: ignore[attr-defined]
    residual.data.copy_(residual.data.clone().normal_())


def test_text_vectors_of_another_encoder_are_rejected() -> None:
    parent = tiny_bundle()
    with pytest.raises(ArtifactMismatchError, match="of 6 numbers, the shop has 9"):
        warm_start(parent, parent.items, np.zeros((5, 9), np.float32))


def test_all_new_windows_and_a_sample_of_the_others_are_trained_on() -> None:
    train = two_tastes().interactions
    windows = training_windows(train, 10)
    since = 110 * DAY
    found = choose_windows(windows, train, since, 1.0, np.random.default_rng(0))
    new = train.at[found.stop - 1] > since
    assert new.sum() == (train.at[windows.stop - 1] > since).sum() > 0
    assert (~new).sum() == new.sum()  # one older window for each
    assert len(choose_windows(windows, train, since, 0.0, np.random.default_rng(0))) == new.sum()
    everything = choose_windows(windows, train, since, 1e9, np.random.default_rng(0))
    assert len(everything) == len(windows)


def test_nothing_new_is_rejected_with_both_instants() -> None:
    train = two_tastes().interactions
    windows = training_windows(train, 10)
    with pytest.raises(DataError, match=r"nothing new.*learned until 1970-09-28.*ends at 1970-04-30"):
        choose_windows(windows, train, 270 * DAY, 1.0, np.random.default_rng(0))


def test_an_old_manifest_counts_from_the_end_of_its_data() -> None:
    manifest = tiny_bundle().manifest
    assert trained_until(manifest) == to_micros(NOW)
    earlier = manifest.model_copy(update={"trained_until": NOW - timedelta(days=30)})
    assert trained_until(earlier) == to_micros(NOW - timedelta(days=30))
    assert NOW.tzinfo is UTC
    assert from_micros(trained_until(manifest)) == NOW


def test_training_goes_on_for_few_epochs_at_a_lower_rate_with_the_parents_histories() -> None:
    parent = replace(tiny_bundle())
    settings = RetrieverSettings(learning_rate=0.004, epochs=10, history_length=50)
    found = incremental_settings(settings, IncrementalSettings(epochs=2, learning_rate_share=0.25), parent)
    assert (found.epochs, found.learning_rate, found.history_length) == (2, 0.001, 4)
