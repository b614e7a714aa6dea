"""Encoders compared on a shop of pairs: who took an item takes its partner next."""

import numpy as np
import pytest

from recsys import columns
from recsys.config import EvaluationSettings
from recsys.dataset.interactions import Interactions, Vocabulary
from recsys.dataset.split import leave_one_out
from recsys.evaluation.encoders import WORDS, compare_encoders

USERS, ITEMS = 60, 20
SETTINGS = EvaluationSettings(cutoffs=(1, 5), bootstrap_samples=50)
TITLES = ["", *(f"thing{n}" for n in range(ITEMS))]  # no two share a word


@pytest.fixture(scope="module")
def log() -> Interactions:
    """Each user takes two things and then, last, the partner of the latter: 2k + 1 goes with 2k + 2."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(USERS):
        first, second = rng.choice(ITEMS // 2, 2, replace=False).tolist()
        rows += [2 * first + 1, 2 * second + 1, 2 * second + 2]
    count = len(rows)
    return Interactions(
        Vocabulary.of(f"u{n:02}" for n in range(USERS)),
        Vocabulary.of(f"i{n:02}" for n in range(ITEMS)),
        np.repeat(np.arange(1, USERS + 1), 3),
        np.array(rows),
        np.full(count, columns.KIND_CODES[columns.PURCHASE]),
        np.ones(count, np.float32),
        np.arange(count, dtype=np.int64) * 1_000_000,
    )


def knowing() -> np.ndarray:
    """Vectors of an encoder that gives partners one direction."""
    vectors = np.zeros((ITEMS + 1, ITEMS // 2), np.float32)
    vectors[np.arange(1, ITEMS + 1), np.arange(ITEMS) // 2] = 1
    return vectors


def ignorant() -> np.ndarray:
    vectors = np.random.default_rng(1).normal(size=(ITEMS + 1, 8)).astype(np.float32)
    vectors[0] = 0
    return vectors


def test_an_encoder_that_knows_partners_finds_what_comes_next_and_one_that_does_not_finds_chance(log) -> None:
    split = leave_one_out(log)
    vectors = {"ignorant": ignorant(), "knowing": knowing()}
    found = compare_encoders(split, log, TITLES, vectors, SETTINGS, seen="remove", cases=1000)
    for evaluation in (found.alone, found.added):
        assert evaluation.models == ("ignorant", "knowing", WORDS)
        assert evaluation.reference == "ignorant"
        best = evaluation.row("knowing", "hr@1")
        assert best is not None
        assert best.value == 1.0
        assert best.difference_low is not None
        assert best.difference_low > 0.5
    words = found.alone.row(WORDS, "hr@1")
    assert words is not None
    assert words.value < 0.3, "no two titles share a word"


def test_at_most_so_many_cases_are_evaluated_the_same_for_all(log) -> None:
    split = leave_one_out(log)
    vectors = {"one": knowing(), "two": knowing()}
    found = compare_encoders(split, log, TITLES, vectors, SETTINGS, seen="remove", cases=10)
    assert len(found.alone.cases) == len(found.added.cases) == 10
    row = found.alone.row("two", "ndcg@1")
    assert row is not None
    assert (row.difference, row.difference_low, row.difference_high) == (0, 0, 0)
