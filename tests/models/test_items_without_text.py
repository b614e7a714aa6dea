"""Items without text: zero vectors that the network and fusion are told of, and ids that are never words."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from recsys import columns
from recsys.arrays import FloatArray
from recsys.catalog import Item
from recsys.config import RetrieverSettings
from recsys.dataset.interactions import Histories, Vocabulary
from recsys.dataset.item_table import ItemTable, item_table, item_words
from recsys.models.bundle_update import ItemChange, update_bundle
from recsys.models.fusion import Fusion, initial_fusion
from recsys.models.retriever.build import build_retriever
from recsys.models.retriever.retriever import Retriever
from recsys.models.signals import SIGNALS, TEXT_MISSING, UserSignals
from tests.tiny_bundle import tiny_bundle


@pytest.fixture
def some_texts(text_vectors: FloatArray) -> FloatArray:
    """Of 40 items the last ten have no text."""
    vectors = text_vectors.copy()
    vectors[31:] = 0
    return vectors


def without_attributes(catalog: ItemTable) -> ItemTable:
    return replace(catalog, attributes=("{}",) * 41, price_micros=np.full(41, -1))


def built(settings: RetrieverSettings, catalog: ItemTable, vectors: FloatArray) -> Retriever:
    return build_retriever(settings, catalog, vectors, None, clock=True).eval()


def test_the_network_is_told_of_a_missing_text_only_where_others_have_one(
    settings: RetrieverSettings, catalog: ItemTable, text_vectors: FloatArray, some_texts: FloatArray
) -> None:
    flagged = [
        built(settings, catalog, vectors).item_tower.text_missing is not None
        for vectors in (text_vectors, some_texts, np.zeros_like(text_vectors))
    ]
    assert flagged == [False, True, False]


def test_the_flag_draws_no_random_numbers(
    settings: RetrieverSettings, catalog: ItemTable, text_vectors: FloatArray, some_texts: FloatArray
) -> None:
    plain, flagged = (built(settings, catalog, vectors) for vectors in (text_vectors, some_texts))
    name = "user_tower.blocks.0.query_key_value.weight"
    assert torch.equal(plain.state_dict()[name], flagged.state_dict()[name])


def test_an_item_without_text_stands_apart_from_one_with_an_average_text(
    settings: RetrieverSettings, catalog: ItemTable, some_texts: FloatArray
) -> None:
    retriever = built(settings, catalog, some_texts)
    tower, before = retriever.item_tower, retriever.item_vectors()
    assert tower.text_missing is not None
    with torch.no_grad():
        tower.text_missing += 1
    after = retriever.item_vectors()
    assert np.array_equal(after[:31], before[:31])
    assert not np.isclose(after[31:], before[31:]).all(axis=1).any()


def test_a_later_item_without_text_gets_the_flag_too(
    settings: RetrieverSettings, catalog: ItemTable, some_texts: FloatArray
) -> None:
    retriever = built(settings, without_attributes(catalog), some_texts)
    assert retriever.item_tower.text_missing is not None
    with torch.no_grad():
        retriever.item_tower.text_missing += 1
    texts, rows = np.stack([some_texts[1], some_texts[40]]), [{}, {}]
    for found in (
        retriever.new_item_vectors(texts, rows),
        retriever.content_vectors(np.array([41, 42]), texts, rows),
    ):
        assert found[1] == pytest.approx(np.full(16, 0.25))  # sixteen ones, brought to unit length
        assert not np.allclose(found[0], found[1])


def test_nothing_at_all_is_a_zero_vector_and_not_a_number(
    settings: RetrieverSettings, catalog: ItemTable, text_vectors: FloatArray
) -> None:
    retriever = built(settings, without_attributes(catalog), np.zeros_like(text_vectors))
    found = retriever.content_vectors(np.array([41]), np.zeros((1, 24), np.float32), [{}])
    assert found.tolist() == [[0.0] * 16]
    assert not retriever.text_cosines(np.zeros((1, 24), np.float32)).any()


def test_a_retriever_of_an_earlier_version_is_rebuilt(
    settings: RetrieverSettings, catalog: ItemTable, text_vectors: FloatArray
) -> None:
    retriever = built(settings, catalog, text_vectors)
    description = retriever.describe()
    del description["shape"]["text_missing"]  # type: ignore[union-attr, arg-type]
    again = Retriever.rebuild(description, retriever.state_dict())
    assert np.array_equal(again.item_vectors(), retriever.item_vectors())


def test_fusion_is_told_where_it_was_made_to_read_it() -> None:
    rows = np.random.default_rng(0).random((6, len(SIGNALS))).astype(np.float32)
    other = rows.copy()
    rows[:, SIGNALS.index(TEXT_MISSING)], other[:, SIGNALS.index(TEXT_MISSING)] = 0, 1
    for reads in (False, True):
        fusion = initial_fusion(4, text_missing=reads)
        fusion.fit_statistics(torch.from_numpy(np.concatenate([rows, other])))
        torch.nn.init.normal_(fusion.layers[-1].weight)  # type: ignore[arg-type]
        assert np.array_equal(fusion.score_by_prior(rows), fusion.score_by_prior(other))
        assert np.array_equal(fusion.score(rows), fusion.score(other)) is not reads
        with torch.inference_mode():
            learnt = fusion(torch.from_numpy(rows)).numpy()
        np.testing.assert_allclose(fusion.score(rows), learnt, rtol=1e-5, atol=1e-5)
        again = Fusion.rebuild(fusion.describe(), fusion.state_dict())
        assert np.array_equal(again.score(other), fusion.score(other))


def test_a_fusion_of_an_earlier_version_is_rebuilt() -> None:
    rows = np.random.default_rng(0).random((6, len(SIGNALS))).astype(np.float32)
    fusion = initial_fusion(4)
    description = fusion.describe()
    shape = dict(vars(fusion.shape))
    del shape["text_missing"]
    again = Fusion.rebuild(description | {"shape": shape}, fusion.state_dict())
    assert list(description["signals"]) == list(SIGNALS[:-1])  # type: ignore[arg-type]
    assert np.array_equal(again.score(rows), fusion.score(rows))


def test_without_the_signals_of_texts_the_flag_is_left_out_too() -> None:
    fusion = initial_fusion(4, without=("text",), text_missing=True)
    assert fusion.active[SIGNALS.index(TEXT_MISSING)] == 0


def flags(bundle, flat: list[int]) -> list[float]:  # type: ignore[no-untyped-def]
    past = Histories(np.array([[1, 2]]), np.array([[4, 4]]), np.array([[5, 9]]), np.array([20]))
    vectors = np.zeros((1, bundle.item_vectors.shape[1]), np.float32)
    users = UserSignals.from_histories(bundle.signal_tables, past, vectors, unit=1.0, clock=True)
    found: list[float] = users.signals_at(np.array(flat))[:, SIGNALS.index(TEXT_MISSING)].tolist()
    return found


def test_candidates_say_whether_they_have_a_text_and_an_update_keeps_it_right() -> None:
    bundle = tiny_bundle()
    bundle = bundle.with_arrays(
        text_vectors=np.where(np.arange(5)[:, None] == 4, 0, bundle.text_vectors),
        text_missing=np.array([True, False, False, False, True]),
    )
    assert flags(bundle, [1, 4]) == [0, 1]
    text = np.array([1, 0, 0, 0, 0, 0], np.float32)
    longer = update_bundle(
        bundle,
        [
            ItemChange(Item("wine", "Wine", "Red wine"), text),  # gets its text now
            ItemChange(Item("milk", "Milk", "Milk"), text),
            ItemChange(Item("4711", "4711", None)),
        ],
    )
    assert flags(longer, [1, 4, 5, 6]) == [0, 0, 0, 1]
    assert not longer.signal_tables.text.index[6].any()
    assert 6 not in longer.signal_tables.text.index


def test_a_bundle_of_an_earlier_version_has_no_flags() -> None:
    arrays = tiny_bundle().arrays()
    del arrays["text_missing"]
    assert flags(tiny_bundle().with_arrays(**arrays), [1, 2, 3, 4]) == [0, 0, 0, 0]


def rows_of_catalog(*items: tuple[str, str, str | None]) -> ItemTable:
    rows = pd.DataFrame(items, columns=[columns.ITEM_ID, columns.TITLE, columns.TEXT])
    rows[columns.CATEGORY], rows[columns.BRAND], rows[columns.ATTRIBUTES] = "", "", "{}"
    rows[columns.PRICE_MICROS], rows[columns.AVAILABLE] = 0, True
    return item_table(rows, Vocabulary(("", *rows[columns.ITEM_ID])))


def test_an_id_is_shown_but_is_no_word_of_its_item() -> None:
    items = rows_of_catalog(
        ("sku 1", "sku 1", ""),  # nothing but an id
        ("sku 2", "Oat milk", "Oat milk"),
        ("sku 3", "sku 3", "A drink of oats"),  # a text and no title
        ("whole milk", "whole milk", "whole milk"),  # the shop's own title repeats the id
    )
    assert items.titles == ("", "sku 1", "Oat milk", "sku 3", "whole milk")
    assert item_words(items) == ["", "", "Oat milk", "", "whole milk"]
    assert item_words(replace(items, titled=None))[1] == "sku 1"


def test_titles_of_a_bundle_stay_titles_when_items_without_one_come() -> None:
    longer = update_bundle(tiny_bundle(), [ItemChange(Item("4711", "4711", None))])
    assert longer.items.words_of_titles == ("", "Bread", "Butter", "Cheese", "Wine", "")
    again = update_bundle(longer, [ItemChange(Item("4711", "Rye", "Rye")), ItemChange(Item("8", "8", None))])
    assert again.items.words_of_titles == ("", "Bread", "Butter", "Cheese", "Wine", "Rye", "")
