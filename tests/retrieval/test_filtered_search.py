"""Recall under a filter, with the scan forced: the nearest among few, many, any and similar rows."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.retrieval import dense_index
from recsys.retrieval.dense_index import DenseIndex

ROWS, WIDTH = 10_000, 16
SHARES = (0.5, 0.1, 0.01, 0.001)
BRANDS = 10


@cache
def shop() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N + 1, D) unit rows, row 0 zero, with the category and the brand of each.

    Categories 0 to 3 hold SHARES of the rows, forty others the rest. A category's rows lie around a centre,
    a large one's around several near each other; brands lie anywhere.
    """
    rng = np.random.default_rng(0)
    shares = np.array([*SHARES, *([(1 - sum(SHARES)) / 40] * 40)])
    category = rng.choice(len(shares), ROWS + 1, p=shares)
    part = rng.integers(0, np.ceil(shares * 40).astype(int)[category])
    centres = rng.normal(size=(len(shares), 1, WIDTH)) + 0.7 * rng.normal(size=(len(shares), 20, WIDTH))
    vectors = centres[category, part] + 0.35 * rng.normal(size=(ROWS + 1, WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    return vectors.astype(np.float32), category, rng.integers(0, BRANDS, ROWS + 1)


@cache
def index() -> DenseIndex:
    return DenseIndex(shop()[0], exact_up_to=0)


def mask(kind: str, share: float) -> np.ndarray:
    """(N + 1,) a filter that about `share` of the rows pass."""
    _, category, brand = shop()
    if kind == "random":
        chosen = np.random.default_rng(1).random(ROWS + 1) < share
    elif kind == "category":
        chosen = category == SHARES.index(share)
    else:  # a brand has a tenth of each category: the next wider category
        chosen = (category == SHARES.index(share) - 1) & (
            brand < BRANDS * share / SHARES[SHARES.index(share) - 1]
        )
    chosen[0] = False
    return chosen


def queries() -> np.ndarray:
    """(24, D) users with one to three interests, of categories of any size."""
    vectors, category, _ = shop()
    rng = np.random.default_rng(2)
    rows = [rng.choice(np.flatnonzero(category == wanted)[1:], 3) for wanted in range(24)]
    return np.stack([vectors[rows[place][: place % 3 + 1]].sum(0) for place in range(24)])


def nearest(vectors: np.ndarray, query: np.ndarray, count: int, allowed: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(allowed)
    return rows[np.argsort(-(vectors[rows] @ query), kind="stable")[:count]]


@pytest.fixture(params=["as it chooses", "by the scan"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cheapest way; or the scan, however few rows are allowed."""
    if request.param == "by the scan":
        monkeypatch.setattr(dense_index, "_GATHER", 1_000_000)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("count", [10, 100, 500])
@pytest.mark.parametrize(
    ("kind", "share"),
    [
        (kind, share)
        for kind in ("random", "category", "brand")
        for share in SHARES
        if (kind, share) != ("brand", 0.5)
    ],
)
def test_nearly_all_of_the_nearest_allowed_rows_are_found(kind: str, share: float, count: int) -> None:
    vectors, allowed = shop()[0], mask(kind, share)
    recalls = []
    for query in queries():
        found, _ = index().search(query, count, allowed)
        assert len(found) == min(count, np.count_nonzero(allowed))
        recalls.append(np.isin(nearest(vectors, query, count, allowed), found).mean())
    assert np.mean(recalls) >= 0.97


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("share", SHARES)
def test_changed_and_new_rows_count_as_allowed_ones(share: float) -> None:
    vectors = shop()[0]
    rng = np.random.default_rng(3)
    longer = np.concatenate(
        [vectors, vectors[1:301] + 0.05 * rng.normal(size=(300, WIDTH)).astype(np.float32)]
    )
    moved = rng.choice(np.arange(1, ROWS), 200, replace=False)
    longer[moved] = vectors[rng.permutation(moved)]
    later = index().with_rows(longer, moved)
    allowed = rng.random(len(longer)) < share
    allowed[ROWS + 1 :], allowed[0] = True, False
    recalls = []
    for query in queries():
        found, scores = later.search(query, 100, allowed)
        assert len(found) == min(100, np.count_nonzero(allowed))
        np.testing.assert_allclose(scores, longer[found] @ query, atol=1e-5)
        recalls.append(np.isin(nearest(longer, query, 100, allowed), found).mean())
    assert np.mean(recalls) >= 0.97


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), st.integers(0, 700), st.booleans(), st.integers(0, 10_000))
def test_what_is_found_is_allowed_distinct_sorted_and_as_many_as_there_are(
    share: float, count: int, scanned: bool, seed: int
) -> None:
    vectors = shop()[0]
    rng = np.random.default_rng(seed)
    allowed = rng.random(ROWS + 1) < share
    allowed[0] = True  # padding is never found, whatever a mask says
    query = rng.normal(size=WIDTH).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        if scanned:
            patch.setattr(dense_index, "_GATHER", 1_000_000)
        found, scores = index().search(query, count, allowed)
    assert len(set(found.tolist())) == len(found) == min(count, np.count_nonzero(allowed[1:]))
    assert allowed[found].all()
    assert (found > 0).all()
    assert (np.diff(scores) <= 0).all()
    np.testing.assert_allclose(scores, vectors[found] @ query, atol=1e-5)


def test_the_index_that_these_tests_ask_scans() -> None:
    assert not index().exact


def test_many_answers_are_all_there() -> None:
    query = queries()[0]
    for count in (501, 3000, ROWS, ROWS + 5):
        found, _ = index().search(query, count)
        assert len(found) == min(count, ROWS)
