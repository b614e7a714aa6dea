"""The fused score: what each signal adds, where the gates lead, and what a user without a past gets."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.dataset.interactions import Histories
from recsys.errors import ArtifactMismatchError
from recsys.models.fusion import Fusion, initial_fusion
from recsys.models.own_signals import moments_back
from recsys.models.signals import (
    ITEM_COSINE,
    ITEM_EVENTS,
    NETWORK,
    OWN_COUNT,
    OWN_LONG,
    OWN_RECENT,
    SIGNALS,
    TEXT,
    TEXT_MISSING,
    TOGETHER,
    WORDS,
    UserSignals,
)
from tests.tiny_bundle import tiny_bundle

amount = st.floats(0, 50, width=32)


def signals(**values: float) -> np.ndarray:
    row = np.zeros((1, len(SIGNALS)), np.float32)
    for name, value in values.items():
        row[0, SIGNALS.index(name)] = value
    return row


@given(
    st.sampled_from([TOGETHER, TEXT, WORDS, OWN_LONG, NETWORK]),
    st.fixed_dictionaries({name: amount for name in (TOGETHER, TEXT, WORDS, OWN_LONG, ITEM_EVENTS)}),
    st.floats(0.125, 10, width=32),
)
def test_more_of_any_signal_is_never_worth_less(name: str, row: dict[str, Any], more: float) -> None:
    fusion = initial_fusion(4, repeats=True)
    before = fusion.score_by_prior(signals(**row))
    after = fusion.score_by_prior(signals(**(row | {name: row.get(name, 0.0) + more})))
    assert after >= before


@given(amount)
def test_what_is_never_bought_again_gains_nothing_by_having_been_bought(own: float) -> None:
    fusion = initial_fusion(4, repeats=False)
    assert fusion.score_by_prior(signals(own_long=own)) == fusion.score_by_prior(signals())


def test_the_gate_fades_with_an_items_events() -> None:
    fusion = initial_fusion(4)
    shape = fusion.shape

    def gate(events: float) -> float:
        popularity = shape.popularity * np.log1p(events)
        return float(fusion.score_by_prior(signals(item_events=events))[0]) + popularity - np.log(shape.floor)

    assert gate(0) == pytest.approx(shape.cold)
    assert gate(5) == pytest.approx(shape.cold / 2, abs=1e-5)
    assert gate(1e6) == pytest.approx(0, abs=1e-4)


def test_the_text_of_a_cold_item_counts_more() -> None:
    fusion = initial_fusion(4)

    def gain(events: float) -> float:
        with_text = fusion.score_by_prior(signals(item_events=events, text=1.0))
        return float((with_text - fusion.score_by_prior(signals(item_events=events)))[0])

    assert gain(0) > gain(5) > gain(1000)


def test_before_training_the_score_is_the_prior() -> None:
    fusion = initial_fusion(4)
    rows = np.random.default_rng(0).random((20, len(SIGNALS))).astype(np.float32)
    np.testing.assert_array_equal(fusion.score(rows), fusion.score_by_prior(rows))


@given(st.integers(0, 2**32 - 1), st.sampled_from([(), ("text", "own")]))
def test_numpy_that_answers_and_torch_that_learns_say_the_same(seed: int, without: tuple[str, ...]) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.exponential(3, (30, len(SIGNALS))).astype(np.float32)
    rows[:, SIGNALS.index(NETWORK)] = rng.uniform(-1, 1, 30)
    rows[rng.random(rows.shape) < 0.3] = 0
    fusion = initial_fusion(4, repeats=True, without=without)
    fusion.fit_statistics(torch.from_numpy(rows))
    torch.nn.init.normal_(fusion.layers[-1].weight)  # type: ignore[arg-type]
    with torch.inference_mode():
        prior, scores = fusion.prior_score(torch.from_numpy(rows)), fusion(torch.from_numpy(rows))
    np.testing.assert_allclose(fusion.score_by_prior(rows), prior.numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(fusion.score(rows), scores.numpy(), rtol=1e-5, atol=1e-5)
    of_requests = fusion.score(rows.reshape(5, 6, len(SIGNALS)))
    np.testing.assert_allclose(of_requests, scores.numpy().reshape(5, 6), rtol=1e-5, atol=1e-5)


def test_a_fusion_is_rebuilt_as_it_was() -> None:
    rows = np.random.default_rng(0).random((20, len(SIGNALS))).astype(np.float32)
    fusion = initial_fusion(4, repeats=True)
    fusion.fit_statistics(torch.from_numpy(rows))
    torch.nn.init.normal_(fusion.layers[-1].weight)  # type: ignore[arg-type]
    again = Fusion.rebuild(fusion.describe(), fusion.state_dict())
    np.testing.assert_array_equal(again.score(rows), fusion.score(rows))
    with pytest.raises(ArtifactMismatchError, match="other signals"):
        Fusion.rebuild(fusion.describe() | {"signals": ["stars"]}, fusion.state_dict())


def test_a_fusion_of_an_earlier_version_does_not_read_signals_that_came_later() -> None:
    """Its description names the signals of then; its tensors have as many columns."""
    shape = replace(initial_fusion(4, repeats=True).shape, own_counts=False, item_cosine=False)
    old = Fusion(shape).eval()
    rows = np.random.default_rng(0).random((20, len(SIGNALS))).astype(np.float32)
    old.fit_statistics(torch.from_numpy(rows))
    torch.nn.init.normal_(old.layers[-1].weight)  # type: ignore[arg-type]
    description = old.describe()
    assert description["signals"] == [
        name for name in SIGNALS if name not in (OWN_COUNT, OWN_RECENT, ITEM_COSINE, TEXT_MISSING)
    ]
    of_then = dict(description["shape"])  # type: ignore[call-overload]
    del of_then["own_counts"], of_then["item_cosine"]
    again = Fusion.rebuild(description | {"shape": of_then}, old.state_dict())
    np.testing.assert_array_equal(again.score(rows), old.score(rows))
    more = rows.copy()
    more[:, [SIGNALS.index(name) for name in (OWN_COUNT, OWN_RECENT, ITEM_COSINE)]] += 5
    np.testing.assert_array_equal(again.score(more), again.score(rows))
    np.testing.assert_array_equal(again.score_by_prior(more), again.score_by_prior(rows))


def test_own_counts_and_item_cosines_are_read_where_a_fusion_is_new() -> None:
    fusion = initial_fusion(4, repeats=True)
    rows = np.random.default_rng(0).random((20, len(SIGNALS))).astype(np.float32)
    fusion.fit_statistics(torch.from_numpy(rows))
    torch.nn.init.normal_(fusion.layers[-1].weight)  # type: ignore[arg-type]
    for name in (OWN_COUNT, OWN_RECENT, ITEM_COSINE):
        more = rows.copy()
        more[:, SIGNALS.index(name)] += 5
        assert (fusion.score(more) != fusion.score(rows)).all()


def histories(*users: tuple[list[int], list[int]], request_at: int = 1000) -> Histories:
    """Each user's items and instants."""
    length = max(len(items) for items, _ in users)
    rows = np.zeros((3, len(users), length), np.int64)  # items, kinds, instants
    for row, (items, at_seconds) in enumerate(users):
        rows[0, row, length - len(items) :] = items
        rows[2, row, length - len(items) :] = at_seconds
    return Histories(*rows, np.full(len(users), request_at))


def user_signals(items: list[int], at_seconds: list[int], request_at: int = 1000) -> UserSignals:
    one = histories((items, at_seconds), request_at=request_at)
    return signals_of(one, np.zeros((1, 8), np.float32), 1.0)


def signals_of(past: Histories, vectors: np.ndarray, unit: float) -> UserSignals:
    tables = tiny_bundle().signal_tables
    return UserSignals.from_histories(tables, past, vectors, unit=unit, clock=True)


def column(rows: np.ndarray, name: str) -> list[float]:
    values: list[float] = rows[:, SIGNALS.index(name)].tolist()
    return values


def test_neighbours_of_older_actions_count_less() -> None:
    # bread's words are butter's (.5), butter's are bread's (.5); bread lies one moment further back.
    rows = user_signals([0, 1, 2], [0, 10, 20]).signals_at(np.array([1, 2, 3]))
    np.testing.assert_allclose(column(rows, WORDS), [0.5, 0.5 * 0.8, 0.0], rtol=1e-6)
    np.testing.assert_allclose(column(rows, "words_now"), [0.5, 0.5 * 0.3, 0.0], rtol=1e-6)


def test_an_item_taken_twice_counts_twice_among_decayed_neighbours_and_once_among_cosines() -> None:
    # Bread (1) lies two moments and one moment back; its words are butter's (.5), its cosines .5 and .25.
    rows = user_signals([1, 1, 3], [0, 10, 20]).signals_at(np.array([2, 4]))
    np.testing.assert_allclose(column(rows, WORDS), [0.5 * (0.8**2 + 0.8), 0.0], rtol=1e-6)
    np.testing.assert_allclose(column(rows, ITEM_COSINE), [0.5, 0.25 + 0.75], rtol=1e-6)


def test_a_basket_is_one_moment() -> None:
    assert moments_back(np.array([5, 5, 5, 9])).tolist() == [1, 1, 1, 0]
    rows = user_signals([1, 2, 3], [5, 5, 9]).signals_at(np.array([1, 2, 3]))
    np.testing.assert_allclose(column(rows, OWN_LONG), [0.97, 0.97, 1.0], rtol=1e-6)


def test_an_item_is_due_when_its_usual_time_has_passed() -> None:
    # Bread at 100, 200, 300: every 100 seconds. At 400 it is due just now, at 500 it is late.
    for request_at, due in ((400, 0.0), (500, np.log(2))):
        rows = user_signals([1, 1, 1], [100, 200, 300], request_at).signals_at(np.array([1, 2]))
        np.testing.assert_allclose(column(rows, "own_due"), [due, 0], atol=1e-6)


def test_an_empty_history_has_no_signals() -> None:
    users = user_signals([0], [0])
    assert not len(users.strongest(4, np.ones(5, bool)))
    assert not users.signals_at(np.arange(5))[:, : SIGNALS.index(NETWORK)].any()


actions = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 50)), max_size=12)


@settings(deadline=None)
@given(st.lists(actions, min_size=1, max_size=4), st.integers(1, 4))
def test_many_users_at_once_are_each_as_if_alone(users: list[list[tuple[int, int]]], count: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(len(users), 8)).astype(np.float32)
    past = [([item for item, _ in one], sorted(at for _, at in one)) for one in users]
    together = signals_of(histories(*past), vectors, 2.0)
    strongest = together.strongest(count, np.ones(5 * len(users), bool))
    found = np.split(strongest, np.searchsorted(strongest, [5, 10, 15, 20]))
    for row, one in enumerate(past):
        alone = signals_of(histories(one), vectors[row : row + 1], 2.0)
        assert (found[row] - 5 * row).tolist() == alone.strongest(count, np.ones(5, bool)).tolist()
        assert together.latest_items(row, 3).tolist() == one[0][-3:]
        signals = together.signals_at(np.arange(5) + 5 * row)
        np.testing.assert_allclose(signals, alone.signals_at(np.arange(5)), rtol=1e-6, atol=1e-6)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=30), st.integers(1, 4), st.sets(st.integers(1, 4)))
def test_the_strongest_are_those_of_what_is_allowed_with_a_neighbour_signal(
    items: list[int], count: int, forbidden: set[int]
) -> None:
    users = user_signals(items, list(range(len(items))))
    everything = set(users.strongest(4, np.ones(5, bool)).tolist())
    allowed = ~np.isin(np.arange(5), list(forbidden))
    some = users.strongest(count, allowed).tolist()
    assert set(some) <= everything - forbidden
    assert len(some) == min(count, len(everything - forbidden))
