"""A bundle that learns of new and changed items: nothing that was there moves, and nothing is written to."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys.catalog import Item, stable_key
from recsys.dataset.interactions import histories_from_features
from recsys.models.bundle import Bundle
from recsys.models.bundle_update import ItemChange, update_bundle
from recsys.models.neighbours import Neighbours
from recsys.models.retriever import cold_start
from recsys.models.retriever.cold_start import knn_residuals, shrink_residuals
from recsys.retrieval.near_items import NearItems
from recsys.versions.spare_capacity import PAGED_FROM, SpareCapacity
from tests.models.new_texts import with_new_texts
from tests.tiny_bundle import tiny_bundle

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def changed(item_id: str, text: list[float] | None = None, **values: Any) -> ItemChange:
    facts: dict[str, Any] = {
        "title": item_id.title(),
        "text": item_id,
        "category": "dairy",
        "at": NOW,
    } | values
    vector = None if text is None else (np.array(text) / np.linalg.norm(text)).astype(np.float32)
    return ItemChange(Item(item_id, **facts), vector)


def unchanged(bundle: Bundle, item_id: str) -> ItemChange:
    """What the bundle knows of an item, as the feed would say it."""
    items = bundle.items
    place = items.vocabulary.index(item_id)
    attributes = {
        name: tuple(value) if isinstance(value, list) else float(value)
        for name, value in json.loads(items.attributes[place]).items()
    }
    price = int(items.price_micros[place])
    return ItemChange(
        Item(
            item_id,
            items.titles[place],
            "",
            items.categories[place],
            items.brands[place],
            price,
            bool(items.available[place]),
            attributes,
        )
    )


def copies(bundle: Bundle) -> dict[str, np.ndarray]:
    return {name: array.copy() for name, array in bundle.arrays().items()}


@pytest.fixture
def bundle() -> Bundle:
    return tiny_bundle()


MILK = changed("milk", [1, 2, 0, 0, 0, 1], brand="alp", price_micros=1_000_000, attributes={"size": 500.0})


def test_a_new_item_comes_behind_all_others_with_its_facts(bundle: Bundle) -> None:
    longer = update_bundle(bundle, [MILK])
    items = longer.items
    assert items.vocabulary.ids == ("", "bread", "butter", "cheese", "wine", "milk")
    assert (items.titles[5], items.categories[5], items.brands[5]) == ("Milk", "dairy", "alp")
    assert (items.price_micros[5], items.available[5]) == (1_000_000, True)
    assert json.loads(items.attributes[5]) == {"size": 500}
    assert len(items) == 6


def test_rows_of_known_items_stay_bit_for_bit(bundle: Bundle) -> None:
    longer = update_bundle(bundle, [MILK])
    for name, array in longer.arrays().items():
        assert len(array) == 6, name
        if not name.startswith("text_neighbours") and name != "text_scores":  # the new one may be among them
            assert np.array_equal(array[:5], bundle.arrays()[name]), name
    for name in ("popularity", "neighbours", "neighbour_scores", "word_neighbours", "item_events"):
        assert not longer.arrays()[name][5].any(), f"{name} of a new item"


def test_a_new_item_has_the_vector_of_its_content(bundle: Bundle) -> None:
    longer = update_bundle(bundle, [MILK])
    row = {"size": 500, "category": "dairy", "brand": "alp", "price_micros": 1_000_000.0}
    expected = bundle.retriever.new_item_vectors(MILK.text_vector[None], [row])[0]
    assert longer.item_vectors[5] == pytest.approx(expected, abs=1e-6), "an untrained model has no residuals"
    assert np.linalg.norm(longer.item_vectors[5]) == pytest.approx(1)
    assert longer.text_vectors[5] == pytest.approx(MILK.text_vector)


def test_a_new_item_gets_what_buyers_of_similar_items_taught() -> None:
    content = torch.tensor([[1.0, 0.0], [0.0, -3.0]])
    known = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5**0.5, 0.5**0.5], [-1.0, 0.0]])
    residual = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [9.0, 9.0]])
    # Cosines with the first: 0, 1, sqrt(1/2), -1; to the fourth: 0, 1, 1/4, 0. Nothing is like the second.
    expected = torch.tensor([[4 * 0.8, 4 * 0.2], [0.0, 0.0]])
    torch.testing.assert_close(knn_residuals(content, known, residual), expected)


def test_what_was_learned_of_an_item_counts_as_far_as_it_had_events() -> None:
    content = torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    residual = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 8.0], [0.0, 8.0], [7.0, 7.0]])
    # The first item is familiar: a new one and one with 5 events take after it. The last one is like none.
    shrunk = shrink_residuals(content, residual, torch.tensor([0.0, 100.0, 0.0, 5.0, 3.0]))
    expected = torch.tensor([[0.0, 0.0], [3.0, 0.0], [3.0, 0.0], [1.5, 4.0], [7 * 3 / 8, 7 * 3 / 8]])
    torch.testing.assert_close(shrunk, expected)
    unknown = torch.tensor([0.0, 2.0, 0.0, 5.0, 1.0])
    assert shrink_residuals(content, residual, unknown) is residual, "no familiar item to take after"


def test_of_many_familiar_items_a_guess_looks_at_those_with_the_most_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The third item is as both others; by the second alone, which has more events, its guess is [0, 4]."""
    content = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    residual = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [9.0, 9.0]])
    events = torch.tensor([0.0, 6.0, 50.0, 0.0])
    assert shrink_residuals(content, residual, events)[3].tolist() == [2.0, 2.0]
    monkeypatch.setattr(cold_start, "MOST_FAMILIAR", 1)
    found = shrink_residuals(content, residual, events)
    assert found.tolist() == [[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [0.0, 4.0]]


def test_a_new_item_stands_beside_its_twin_of_the_bundle(bundle: Bundle) -> None:
    """Same text, same attributes: what the twin's buyers taught counts for the new one."""
    with torch.no_grad():
        bundle.retriever.item_tower.residual[1:] = 2 * torch.eye(8)[:4]
    bundle = bundle.with_arrays(item_vectors=bundle.retriever.item_vectors())
    cheese = unchanged(bundle, "cheese")
    twin = ItemChange(replace(cheese.item, item_id="twin"), bundle.text_vectors[3].copy())
    longer = update_bundle(bundle, [twin])
    assert np.argmax(longer.item_vectors[1:5] @ longer.item_vectors[5]) == 2
    row = {"category": "dairy", "brand": "alp", "price_micros": 4_000_000.0}
    without = bundle.retriever.new_item_vectors(twin.text_vector[None], [row])[0]
    assert longer.item_vectors[5] @ longer.item_vectors[3] > without @ longer.item_vectors[3] + 0.1


def test_a_known_item_with_a_new_text_moves_and_keeps_its_residual(bundle: Bundle) -> None:
    residual = bundle.retriever.item_tower.residual
    with torch.no_grad():
        residual[2] = 3.0
    bundle = bundle.with_arrays(item_vectors=bundle.retriever.item_vectors())
    told = replace(unchanged(bundle, "butter"), text_vector=MILK.text_vector)
    moved = update_bundle(bundle, [told])
    assert moved.text_vectors[2] == pytest.approx(MILK.text_vector)
    assert not np.array_equal(moved.item_vectors[2], bundle.item_vectors[2])
    flat = np.full(8, 3.0) / np.linalg.norm(np.full(8, 3.0))
    assert moved.item_vectors[2] @ flat > 0.9, "what its buyers taught still rules"


def test_being_sold_out_moves_no_vector(bundle: Bundle) -> None:
    known = unchanged(bundle, "bread")
    sold_out = update_bundle(bundle, [replace(known, item=replace(known.item, available=False))])
    assert not sold_out.items.available[1]
    assert sold_out.item_vectors is bundle.item_vectors
    assert sold_out.text_vectors is bundle.text_vectors


def test_the_same_vector_whether_a_change_is_applied_to_the_content_or_trained(bundle: Bundle) -> None:
    """Given its own content again, an item of the bundle gets the vector that training left."""
    told = replace(unchanged(bundle, "cheese"), text_vector=-bundle.text_vectors[3])
    back = replace(unchanged(bundle, "cheese"), text_vector=bundle.text_vectors[3].copy())
    assert update_bundle(update_bundle(bundle, [told]), [back]).item_vectors[3] == pytest.approx(
        bundle.item_vectors[3], abs=1e-5
    )


def test_a_text_vector_of_another_encoder_says_nothing(bundle: Bundle) -> None:
    longer = update_bundle(bundle, [changed("milk", [1.0, 1.0])])
    assert not longer.text_vectors[5].any()
    assert np.isfinite(longer.item_vectors).all()


def test_a_history_of_new_items_counts(bundle: Bundle) -> None:
    longer = update_bundle(bundle, [MILK])
    at = np.array([1_700_000_000], np.int64)
    history = histories_from_features(
        [np.array([stable_key("milk")])], [np.array([4])], [at], at + 60, longer.items.vocabulary, 8
    )
    assert history.items[0, -1] == 5
    vector = longer.retriever.user_vectors(history, longer.item_vectors)[0]
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_an_item_with_a_new_text_is_the_neighbour_of_items_of_similar_text() -> None:
    neighbours = np.array([[0, 0], [2, 3], [1, 3], [2, 1]])
    scores = np.array([[0, 0], [0.9, 0.2], [0.9, 0.5], [0.5, 0.2]], np.float32)
    new = np.array([[0.0, 0.4, 0.1, 0.8]], np.float32)
    found = with_new_texts(Neighbours(neighbours, scores), 5, np.array([4]), new)
    rows = zip(found.index.tolist(), found.score.tolist(), strict=True)
    assert [dict(zip(*row, strict=True)) for row in rows][1:] == [
        {2: pytest.approx(0.9), 4: pytest.approx(0.4)},  # stronger than its weakest, which is gone
        {1: pytest.approx(0.9), 3: pytest.approx(0.5)},  # not strong enough
        {2: pytest.approx(0.5), 4: pytest.approx(0.8)},
        {3: pytest.approx(0.8), 1: pytest.approx(0.4)},
    ]
    other = np.array([[0.0, 0.0, -0.5, 0.0, 0.7]], np.float32)[:, :4]
    found = with_new_texts(found, 5, np.array([4]), other)
    assert 4 not in found.index[1:4], "its text is like none of theirs any more"
    assert not found.index[4].any()


IDS = ("bread", "butter", "cheese", "wine", "milk", "tea", "jam", "oats")


@pytest.mark.parametrize("paged_from", [0, PAGED_FROM])
@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(IDS), min_size=1, max_size=4, unique=True), max_size=6),
    st.integers(0, 999),
)
def test_step_by_step_in_one_spare_capacity_is_the_same_as_anew_and_nothing_old_is_written_to(
    paged_from: int, steps: list[list[str]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    bundle, spare = tiny_bundle(), SpareCapacity(paged_from)
    known = [(bundle, copies(bundle))]
    for step in steps:
        changes = [
            changed(name, rng.normal(size=6).tolist(), price_micros=int(rng.integers(1, 9)) * 1_000_000)
            for name in step
        ]
        before = known[-1][0]
        other = update_bundle(before, changes)
        bundle = update_bundle(before, changes, spare)
        fork = update_bundle(before, changes[:1], spare)  # neither of two updates sees the other
        for name, array in bundle.arrays().items():
            assert np.array_equal(array, other.arrays()[name]), name
        known += [(fork, copies(fork)), (bundle, copies(bundle))]
    for old, values in known:
        for name, array in values.items():
            assert np.array_equal(old.arrays()[name], array), f"{name} of an older bundle was written to"


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(IDS), min_size=1, max_size=3, unique=True), max_size=5),
    st.integers(0, 999),
)
@example([["bread"], ["bread", "butter", "cheese"], ["bread", "butter", "cheese"]], 0)
def test_near_items_give_what_all_items_give_where_all_are_near(steps: list[list[str]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = bundle = tiny_bundle()
    near = NearItems(bundle.retriever.known_items)
    for step in steps:
        changes = [changed(name, rng.normal(size=6).tolist()) for name in step]
        whole, bundle = update_bundle(whole, changes), update_bundle(bundle, changes, None, near)
    np.testing.assert_allclose(bundle.item_vectors, whole.item_vectors, atol=1e-6)
    ours, wanted = bundle.signal_tables.text, whole.signal_tables.text
    for row in range(len(bundle.items)):
        pairs = [
            dict(zip(each.index[row].tolist(), each.score[row].tolist(), strict=True))
            for each in (ours, wanted)
        ]
        assert pairs[0] == pytest.approx(pairs[1], abs=1e-6)
        there = ours.index[row][ours.index[row] > 0].tolist()
        assert len(there) == len(set(there)), "no neighbour twice"


def test_no_change_is_the_bundle_itself(bundle: Bundle) -> None:
    assert update_bundle(bundle, []) is bundle
