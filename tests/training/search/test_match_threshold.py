import re

import numpy as np
import pytest

from recsys.errors import DataError
from recsys.retrieval.text_index import TextIndex
from recsys.search.match_threshold import MatchThreshold
from recsys.training.search.match_threshold import (
    LONGEST,
    JudgedPair,
    fit_judged_threshold,
    fit_match_threshold,
)

WORDS = [f"{first}{second}" for first in "bcdfgklm" for second in "aeiou"]
WIDTH = 64
WORD_VECTORS = dict(zip(WORDS, np.random.default_rng(0).normal(size=(len(WORDS), WIDTH)), strict=True))


def spans(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in re.finditer(r"\w+", text)]


def encode(text: str, common: float = 0.0) -> np.ndarray:
    """The sum of the words' vectors, and as much of one direction that all texts share."""
    vector = np.sum([WORD_VECTORS[word] for word in text.split()], axis=0)
    vector = vector / np.linalg.norm(vector)
    vector[0] += common
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def shop(common: float = 0.0, count: int = 3000) -> tuple[list[str], TextIndex]:
    rng = np.random.default_rng(1)
    titles = [" ".join(rng.choice(WORDS, 5, replace=False)) for _ in range(count)]
    return ["", *titles], TextIndex(
        np.vstack([np.zeros(WIDTH, np.float32)] + [encode(title, common) for title in titles])
    )


def test_limits_let_the_asked_share_of_random_items_match():
    titles, index = shop()
    threshold = fit_match_threshold(titles, index, encode, spans, false_match_rate=0.02, encoder="sum")
    assert (threshold.encoder, threshold.source) == ("sum", "pieces of titles")
    assert threshold.limits == fit_match_threshold(titles, index, encode, spans, false_match_rate=0.02).limits
    assert len(threshold.limits) == LONGEST
    for reached in threshold.reached:
        assert reached.false_matches == pytest.approx(0.02, abs=0.01)
    kept = {reached.words: reached.kept for reached in threshold.reached}
    assert kept[4] > 0.95  # four of a title's five words
    assert kept[4] >= kept[2] >= kept[1] - 0.05


def test_where_all_texts_are_near_each_other_the_background_is_taken_off():
    """`common` moves every cosine, but differently for each query: pieces of few words vary more."""
    titles, index = shop(common=3.0)

    def uneven(text: str) -> np.ndarray:
        return encode(text, 1.0 + 4.0 * (len(text) % 2))

    threshold = fit_match_threshold(titles, index, uneven, spans, false_match_rate=0.01)
    assert threshold.form != "cosine"


def test_clicked_queries_are_positives_too():
    titles, index = shop()
    threshold = fit_match_threshold(titles, index, encode, spans, clicked=[(titles[5], 5)] * 50)
    assert threshold.source == "pieces of titles and clicked queries"


def test_a_shop_without_titles_is_told_so():
    with pytest.raises(DataError, match="0 titles with words"):
        fit_match_threshold(["", "", ""], TextIndex(np.zeros((3, WIDTH), np.float32)), encode, spans)


def test_a_shop_of_two_items_has_limits():
    titles, index = shop(count=2)
    threshold = fit_match_threshold(titles, index, encode, spans)
    assert all(np.isfinite(threshold.limits))


def test_judged_pairs_move_the_limits_to_where_they_part():
    titles, index = shop()
    first = MatchThreshold("cosine", (0.9, 0.9))
    judged = []
    for item in range(1, 400):
        piece = " ".join(titles[item].split()[:2])
        other = next(
            place for place in range(item + 1, 3001) if not set(piece.split()) & set(titles[place].split())
        )
        judged += [JudgedPair(piece, item, True), JudgedPair(piece, other, False)]
    chosen, held_out = judged[:600], judged[600:]
    threshold = fit_judged_threshold(first, chosen, held_out, index, encode, spans)
    (reached,) = threshold.reached
    assert (reached.words, threshold.source) == (2, "judged pairs")
    assert reached.queries == len({pair.query for pair in held_out})
    assert reached.kept > 0.9
    assert reached.false_matches < 0.05
    assert threshold.of(2, (0, 1)) < 0.9


def test_judged_pairs_of_one_kind_are_refused():
    titles, index = shop(count=5)
    with pytest.raises(DataError, match="of 1 judged pairs 1 are relevant"):
        fit_judged_threshold(
            MatchThreshold("cosine", (0.5,)), [JudgedPair(titles[1], 1, True)], [], index, encode, spans
        )
