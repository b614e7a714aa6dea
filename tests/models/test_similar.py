"""What is similar to an item: by two cosines, or by what is taken with it, its words and its text."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.models.neighbours import Neighbours
from recsys.models.orders import COSINES, NEIGHBOURS_AND_TEXT
from recsys.models.similar import similar_scores
from tests.fake_world import shop_bundle
from tests.tiny_bundle import tiny_bundle

MILK, CHEESE, BREAD, BAGEL, TOAST = 4, 5, 7, 8, 9


def test_by_cosines_the_shelf_is_similar_and_by_neighbours_what_goes_with_it() -> None:
    bundle, all_but_bread = shop_bundle(), np.array([1, 2, 3, 4, 5, 6, 8, 9])
    by_cosines = similar_scores(bundle, BREAD, all_but_bread, COSINES)
    assert set(all_but_bread[np.argsort(-by_cosines)[:2]].tolist()) == {BAGEL, TOAST}
    by_neighbours = similar_scores(bundle, BREAD, all_but_bread, NEIGHBOURS_AND_TEXT)
    best = all_but_bread[np.argsort(-by_neighbours)]
    assert best[:2].tolist() == [MILK, CHEESE]
    assert set(best[2:4].tolist()) == {BAGEL, TOAST}, "among what no table names the cosines decide"


def test_the_two_scores_by_hand() -> None:
    # bread (1) -> butter (2): together .8 of a unit of .8, words .5, no text; -> wine (4): text .5.
    bundle = tiny_bundle()
    tables = replace(
        bundle.signal_tables,
        co_occurrence=Neighbours(
            np.array([[0], [2], [0], [0], [0]]), np.array([[0], [0.8], [0], [0], [0]], np.float32)
        ),
    )
    bundle = replace(bundle, signal_tables=tables)
    assert tables.unit == pytest.approx(0.8)
    others = np.array([2, 3, 4])
    cosines = (
        bundle.item_vectors[others] @ bundle.item_vectors[1]
        + bundle.text_vectors[others] @ bundle.text_vectors[1]
    ) / 2
    np.testing.assert_allclose(similar_scores(bundle, 1, others, COSINES), cosines, rtol=1e-6)
    expected = [0.8 / 0.8 + 0.5 * 0.5, 0.0, 0.25 * 0.5] + 1e-3 * cosines
    np.testing.assert_allclose(
        similar_scores(bundle, 1, others, NEIGHBOURS_AND_TEXT), expected, rtol=1e-5, atol=1e-7
    )
