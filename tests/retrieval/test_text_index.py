import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.retrieval.text_index import TextIndex

WIDTH = 16


def unit_rows(count: int, seed: int, width: int = WIDTH) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def with_padding(rows: np.ndarray) -> np.ndarray:
    return np.vstack([np.zeros((1, rows.shape[1]), np.float32), rows])


def test_cosines_are_those_of_the_vectors_but_for_rounding_to_integers():
    vectors = with_padding(unit_rows(500, 0, 64))
    query = unit_rows(1, 9, 64)[0]
    found = TextIndex(vectors).cosines(query, np.arange(501))
    assert np.abs(found - vectors @ query)[1:].max() < 0.01
    assert found[0] == 0


def test_above_gives_all_at_or_above_and_no_other():
    vectors = with_padding(unit_rows(300, 1))
    index, query = TextIndex(vectors), unit_rows(1, 2)[0]
    all_cosines = index.cosines(query, np.arange(301))
    threshold = float(np.sort(all_cosines)[-20])  # that of the 20th item, which is in
    rows, cosines = index.above(query, threshold)
    assert rows.tolist() == [row for row in range(1, 301) if all_cosines[row] >= np.float32(threshold)]
    assert cosines.tolist() == all_cosines[rows].tolist()
    assert len(rows) == 20


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 120),
    width=st.sampled_from([3, 16, 40]),
    threshold=st.floats(-1, 1),
    share=st.floats(0, 1),
    changes=st.integers(0, 20),
    added=st.integers(0, 5),
    seed=st.integers(0, 10_000),
)
def test_answers_agree_to_the_last_bit(count, width, threshold, share, changes, added, seed):
    rng = np.random.default_rng(seed)
    vectors = with_padding(unit_rows(count, seed, width))
    vectors[1:][rng.random(count) < 0.1] = 0  # without a text
    index = TextIndex(vectors)
    after = np.vstack([vectors, unit_rows(added, seed + 1, width)])
    changed = rng.choice(np.arange(1, count + 1), min(changes, count), replace=False)
    after[changed] = unit_rows(len(changed), seed + 2, width)
    after[changed[::3]] = 0
    index = index.with_rows(after, changed.astype(np.int64))
    allowed = rng.random(len(after)) < share
    query = unit_rows(1, seed + 3, width)[0]
    every = index.cosines(query, np.arange(len(after)))
    good = after.any(1) & allowed
    expected = np.flatnonzero(good & (every >= np.float32(threshold)))
    rows, cosines = index.above(query, threshold, allowed)
    assert rows.tolist() == expected.tolist()
    assert cosines.tolist() == every[rows].tolist()
    best = sorted(np.flatnonzero(good).tolist(), key=lambda row: (-every[row], row))[:7]
    assert index.top(query, 7, allowed)[0].tolist() == best


def test_unfiltered_answers_equal_those_with_all_rows_allowed():
    vectors = with_padding(unit_rows(50, 4))
    index, query = TextIndex(vectors), unit_rows(1, 5)[0]
    assert index.above(query, 0.1)[0].tolist() == index.above(query, 0.1, np.ones(51, bool))[0].tolist()
    assert index.top(query, 9)[0].tolist() == index.top(query, 9, np.ones(51, bool))[0].tolist()


def test_rows_without_text_never_match():
    vectors = with_padding(unit_rows(3, 6))
    vectors[2] = 0
    index = TextIndex(vectors)
    assert index.above(vectors[1], -1.5)[0].tolist() == [1, 3]
    assert sorted(index.top(vectors[1], 10)[0].tolist()) == [1, 3]
    assert index.cosines(vectors[1], np.array([0, 2])).tolist() == [0, 0]


@pytest.mark.parametrize("rows", [0, 2])
def test_a_catalog_without_texts_answers_nothing(rows):
    index = TextIndex(np.zeros((rows + 1, WIDTH), np.float32))
    query = unit_rows(1, 0)[0]
    assert index.above(query, -1.5)[0].tolist() == []
    assert index.top(query, 5)[0].tolist() == []
    assert index.background(query) == (0.0, 1.0)


def test_an_index_stays_as_it_is_when_rows_are_added():
    vectors = with_padding(unit_rows(20, 7))
    index = TextIndex(vectors)
    before = index.top(vectors[3], 5)
    later = index.with_rows(np.vstack([vectors, vectors[3:4]]), np.array([21]))
    assert [part.tolist() for part in index.top(vectors[3], 5)] == [part.tolist() for part in before]
    assert later.top(vectors[3], 2)[0].tolist() == [3, 21]
    assert (len(index), len(later), later.delta) == (21, 22, 1)


def random_masks(size: int, share: float) -> np.ndarray:
    return np.random.default_rng(3).random(size) < share


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("kind", ["random", "clusters"])
def test_recall_under_filters_is_that_of_exact_vectors(share, kind):
    """Rows around 200 centres, filtered by chance or by centre; recall@100 of float32 products."""
    faiss.omp_set_num_threads(1)
    rng = np.random.default_rng(11)
    centre = rng.integers(0, 200, 20_000)
    rows = unit_rows(200, 12, 64)[centre] + 0.06 * rng.normal(size=(20_000, 64)).astype(np.float32)
    vectors = with_padding((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))
    index = TextIndex(vectors)
    chosen = rng.random(20_000) < share if kind == "random" else centre < max(1, 200 * share)
    if share == 0.001:
        chosen &= np.cumsum(chosen) <= 20
    allowed = np.append(False, chosen)
    recalls = []
    for query in vectors[rng.integers(1, 20_001, 20)]:
        true = np.where(allowed, vectors @ query, -9)
        depth = min(100, int(allowed.sum()))
        nearest = np.argpartition(-true, depth - 1)[:depth]
        recalls.append(len(np.intersect1d(index.top(query, 100, allowed)[0], nearest)) / depth)
    assert np.mean(recalls) >= 0.97
