"""Judgments from clicks against synthetic clicks whose truth is known: examination p^-0.7."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from recsys.arrays import DoubleArray
from recsys.errors import DataError
from recsys.evaluation.search.click_judgments import (
    ClickedPairs,
    clicks_over_expected,
    estimate_from_clicks,
    judgments_from_clicks,
)
from recsys.evaluation.search.position_model import fit_position_model, random_examination
from recsys.evaluation.search.shown_items import ShownItems

QUERIES, ITEMS, PLACES = 30, 15, 10
EXAMINATION = np.arange(1, PLACES + 1) ** -0.7


@dataclass(frozen=True)
class World:
    """What is true, and a log of it."""

    attraction: DoubleArray  # (QUERIES, ITEMS)
    shown: ShownItems

    def truth(self, found: ClickedPairs) -> DoubleArray:
        return self.attraction[found.query, found.item]


def world(searches: int, *, noise: float, chance: float = 0.0, seed: int = 0) -> World:
    """Searches that show PLACES of ITEMS items, ordered by a score that is not the attraction but near it.

    Args:
        noise: of the score, anew in each search. chance: share of searches whose order is drawn instead.
    """
    rng = np.random.default_rng(seed)
    attraction = rng.beta(1.2, 4, (QUERIES, ITEMS))
    score = attraction + rng.normal(0, 0.25, attraction.shape)  # the same wrong order again and again
    query = rng.integers(0, QUERIES, searches)
    drawn = rng.random(searches) < chance
    values = score[query] + rng.normal(0, noise, (searches, ITEMS))
    values[drawn] = rng.random((int(drawn.sum()), ITEMS))
    order = np.argsort(-values, axis=1)[:, :PLACES]
    rate = EXAMINATION * attraction[query[:, None], order]
    clicked = rng.random(rate.shape) < rate
    propensity = np.where(drawn, 1 / ITEMS, np.nan)
    return World(
        attraction,
        ShownItems(
            np.repeat(query, PLACES),
            order.ravel(),
            np.tile(np.arange(1, PLACES + 1), searches),
            clicked.ravel(),
            np.repeat(propensity, PLACES) if chance else None,
        ),
    )


def spearman(found: ClickedPairs, truth: DoubleArray, values: DoubleArray, least: int = 50) -> float:
    kept = found.shown >= least
    return float(stats.spearmanr(values[kept], truth[kept]).statistic)


def test_attraction_is_recovered_and_beats_the_raw_click_rate_and_coec() -> None:
    made = world(40_000, noise=0.15)
    found = estimate_from_clicks(made.shown)
    truth = made.truth(found)
    raw, coec, model = (
        spearman(found, truth, found.grades(kind)) for kind in ("click_rate", "coec", "attraction")
    )
    assert model > 0.97
    assert model > coec + 0.01
    assert coec > raw
    kept = found.shown >= 1000
    assert np.abs(found.attraction - truth)[kept].max() < 0.1


def test_examination_of_positions_is_recovered_from_clicks_alone() -> None:
    model = fit_position_model(world(40_000, noise=0.15).shown.cells)
    assert model.examination[0] == 1
    # .616, .463, ... .200 in truth
    assert model.examination == pytest.approx(EXAMINATION, rel=0.12)


def test_examination_is_read_off_what_chance_placed() -> None:
    made = world(40_000, noise=0.02, chance=0.3)
    assert random_examination(made.shown) == pytest.approx(EXAMINATION, rel=0.12)
    found = estimate_from_clicks(made.shown)
    assert found.examination_from == "chance"
    assert found.model.examination == pytest.approx(EXAMINATION, rel=0.12)
    assert spearman(found, made.truth(found), found.attraction) > 0.95


def test_with_few_clicks_position_still_matters_more_than_noise() -> None:
    made = world(4_000, noise=0.15)
    found = estimate_from_clicks(made.shown)
    truth = made.truth(found)
    raw, model = (spearman(found, truth, found.grades(kind)) for kind in ("click_rate", "attraction"))
    assert model > raw + 0.02
    assert model > 0.85


def test_the_interval_of_an_attraction_holds_the_truth_about_as_often_as_it_says() -> None:
    made = world(40_000, noise=0.15)
    found = estimate_from_clicks(made.shown)
    known = fit_position_model(made.shown.cells, EXAMINATION)
    truth, kept = made.truth(found), found.shown >= 50
    held = ((known.low <= truth) & (truth <= known.high))[kept].mean()
    assert 0.90 <= held <= 0.99


def test_clicks_over_expected_of_an_item_like_any_other_is_one() -> None:
    # Two pairs at both positions: 2 of 10 clicked at 1, 1 of 10 at 2, each.
    shown = ShownItems(
        np.zeros(40, np.int64),
        np.repeat([0, 1], 20),
        np.tile(np.repeat([1, 2], 10), 2),
        np.tile([True, True, *[False] * 8, True, *[False] * 9], 2),
    )
    assert clicks_over_expected(shown.cells).tolist() == pytest.approx([1, 1])


def test_twice_the_clicks_at_the_same_positions_is_a_coec_of_four_thirds() -> None:
    clicked = [True] * 4 + [False] * 6 + [True] * 2 + [False] * 8
    shown = ShownItems(
        np.zeros(20, np.int64), np.repeat([0, 1], 10), np.ones(20, np.int64), np.array(clicked)
    )
    # rate at 1: 6 / 20; expected 3 each; 4/3 and 2/3
    assert clicks_over_expected(shown.cells, prior=0).tolist() == pytest.approx([4 / 3, 2 / 3])


def test_a_pair_that_was_hardly_shown_stays_near_the_mean() -> None:
    made = world(4_000, noise=0.15)
    once = ShownItems(
        np.append(made.shown.query, QUERIES),
        np.append(made.shown.item, 0),
        np.append(made.shown.position, 1),
        np.append(made.shown.clicked, True),
    )
    found = estimate_from_clicks(once)
    lone = np.flatnonzero(found.query == QUERIES)[0]
    assert found.click_rate[lone] == 1
    assert found.attraction[lone] < 0.5
    assert found.model.high[lone] - found.model.low[lone] > 0.2


def test_only_pairs_shown_often_enough_become_judgments() -> None:
    shown = ShownItems(
        np.repeat([0, 1], [60, 10]),
        np.zeros(70, np.int64),
        np.ones(70, np.int64),
        np.arange(70) % 6 == 0,
    )
    found = judgments_from_clicks(estimate_from_clicks(shown), ["a", "b"], ["one", "two"], ["i"])
    assert (found.queries, found.pair_item) == (("one",), ("i",))
    assert "1 of 2 pairs were shown at least 50 times" in found.notes[0]
    with pytest.raises(DataError, match=r"none was shown 100 times \(the most: 60\)"):
        judgments_from_clicks(estimate_from_clicks(shown), ["a", "b"], ["one", "two"], ["i"], least_shown=100)


def test_a_log_without_clicks_or_without_impressions_is_refused() -> None:
    nothing = np.zeros(0, np.int64)
    with pytest.raises(DataError, match="no search showed anything"):
        estimate_from_clicks(ShownItems(nothing, nothing, nothing, nothing.astype(bool)))
    one = np.ones(3, np.int64)
    with pytest.raises(DataError, match="no item that was shown was clicked"):
        estimate_from_clicks(ShownItems(one, one, one, np.zeros(3, bool)))


def test_a_position_from_zero_is_refused() -> None:
    with pytest.raises(DataError, match="a position is 0"):
        ShownItems(np.zeros(1, int), np.zeros(1, int), np.zeros(1, int), np.zeros(1, bool))


def test_an_examination_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="2 positions does not fit: 10 positions"):
        fit_position_model(world(50, noise=0.1).shown.cells, np.array([1.0, 0.5]))
