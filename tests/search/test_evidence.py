import numpy as np
import pytest

from recsys.retrieval.text_index import TextIndex
from recsys.search.relevance.evidence import gather_evidence

VECTORS = np.array([[0, 0], [1, 0], [0.8, 0.6], [0, 1], [0, 0]], np.float32)  # item 4 has no text
INDEX = TextIndex(VECTORS)
WORDS = {1: 2.0, 4: 4.0}
LEXICAL = (np.array([4, 1]), np.array([4.0, 2.0], np.float32))
EAST = np.array([1, 0], np.float32)


def lexical_scores(items: np.ndarray) -> np.ndarray:
    return np.array([WORDS.get(item, 0.0) for item in items.tolist()], np.float32)


def test_items_of_both_lists_have_both_scores():
    evidence = gather_evidence(EAST, INDEX, LEXICAL, lexical_scores)
    # 1: 2/4/2 + 1/2; 4: 1/2; 2: .8/2; 3: 0
    assert evidence.fused.index.tolist() == [1, 4, 2, 3]
    assert evidence.fused.score == pytest.approx([0.75, 0.5, 0.4, 0], abs=0.01)
    found = evidence.scores_of(np.array([3, 4, 1]))
    assert found.lexical.tolist() == [0, 4, 2]
    assert found.cosine == pytest.approx([0, 0, 1], abs=0.01)
    assert (found.best_lexical, found.best_cosine) == (4, pytest.approx(1, abs=0.01))
    assert found.best_feedback >= found.feedback.max()


def test_feedback_is_the_mean_cosine_with_the_first_items():
    evidence = gather_evidence(EAST, INDEX, LEXICAL, lexical_scores)
    # All items are among the first ten; three of them have a text.
    expected = [float(np.mean([VECTORS[item] @ VECTORS[other] for other in (1, 2, 3)])) for item in (1, 3)]
    assert evidence.scores_of(np.array([1, 3])).feedback == pytest.approx(expected, abs=0.02)


def test_without_a_vector_words_decide_and_meaning_is_unknown():
    evidence = gather_evidence(np.zeros(2, np.float32), INDEX, LEXICAL, lexical_scores)
    assert evidence.fused.index.tolist() == [4, 1]
    found = evidence.scores_of(np.array([1]))
    assert found.lexical.tolist() == [2]
    assert np.isnan(found.cosine).all()
    assert np.isnan([found.best_cosine, *found.background, *found.cosine_at]).all()


def test_no_words_leave_what_is_near():
    none = np.zeros(0, np.int64), np.zeros(0, np.float32)
    evidence = gather_evidence(EAST, INDEX, none, lambda items: np.zeros(len(items), np.float32))
    assert evidence.fused.index.tolist() == [1, 2, 3]
    assert evidence.scores_of(np.array([1])).best_lexical == 0
