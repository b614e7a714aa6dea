"""What a bundle serves, as a row: its own order, filled up with items that match any word."""

import numpy as np

from recsys.dataset.interactions import Vocabulary
from recsys.jobs.search.evaluation.served_row import ServedRow
from tests.search.small_shop import NOT_DIVERSE, NOW, FakeVectors, Row, make_searcher

SHOP = (
    Row("red door", vector=(1, 0, 0, 0)),
    Row("red wooden door", vector=(1, 0.1, 0, 0)),
    Row("blue door", vector=(0, 1, 0, 0)),
    Row("gate", vector=(0.9, 0.2, 0, 0)),
    Row("fence", vector=(0, 0, 1, 0)),
)
SEARCHER = make_searcher(SHOP, vectors=FakeVectors({"red door": (1, 0, 0, 0)}), settings=NOT_DIVERSE)


def row(items: Vocabulary) -> ServedRow:
    return ServedRow("served", SEARCHER, items, NOW)


OWN = SEARCHER.recommender.bundle.items.vocabulary


def test_what_matches_comes_first_and_any_word_fills_up() -> None:
    found = row(OWN).rank(["red door", "nonsense"], 5).items.tolist()
    assert set(found[0][:3]) == {1, 2, 4}  # both words, or near in meaning
    assert found[0][3:] == [3, 0]  # one of the words; a fence has none
    assert found[1] == [0] * 5


def test_pairs_score_as_they_rank_and_what_does_not_match_is_below() -> None:
    served = row(OWN)
    scores = served.score(["red door"], np.zeros(5, np.int64), np.arange(1, 6))
    ranked = served.rank(["red door"], 3).items[0]
    assert np.argsort(-scores, kind="stable")[:3].tolist() == (ranked - 1).tolist()
    assert scores[2] == scores[4] < scores[[0, 1, 3]].min()


def test_items_of_the_evaluation_are_known_by_their_ids() -> None:
    fewer = Vocabulary(("", "i4", "i1"))
    assert row(fewer).rank(["red door"], 5).items.tolist() == [[2, 1, 0, 0, 0]]
