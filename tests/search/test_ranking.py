import numpy as np
import pytest

from recsys.errors import ArtifactMismatchError
from recsys.search.relevance.features import FEATURES
from recsys.search.relevance.ranker import LEVEL, PARTS, Scaling, SearchRanker

COUNT = len(FEATURES)


def some_features(count: int = 40, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, COUNT)).astype(np.float32)
    rows[:, FEATURES.index("personal")] = np.nan  # known of nobody
    rows[::3, FEATURES.index("age_days")] = np.nan
    return rows


def random_ranker(seed: int = 0) -> SearchRanker:
    rng = np.random.default_rng(seed)
    scaling = Scaling.of(some_features())
    members = tuple(
        (
            (rng.normal(size=(8, scaling.width)).astype(np.float32), rng.normal(size=8).astype(np.float32)),
            (rng.normal(size=(1, 8)).astype(np.float32), np.zeros(1, np.float32)),
        )
        for _ in range(2)
    )
    return SearchRanker(scaling, members, 2.0, 0.5, "a test")


def test_inputs_are_deviations_with_flags_of_what_is_missing():
    rows = np.array([[1.0, 5.0, np.nan], [3.0, np.nan, np.nan]], np.float32)
    scaling = Scaling.of(rows, ("a", "b", "c"))
    # a: mean 2, deviation 1; b never differs, c is never known: neither is read.
    assert scaling.inputs(rows).tolist() == [[-1.0], [1.0]]
    rows = np.array([[1.0, 0.0], [3.0, np.nan], [2.0, 4.0]], np.float32)
    scaling = Scaling.of(rows, ("a", "b"))
    assert scaling.inputs(rows)[:, 1:].tolist() == [[-1, 0], [0, 1], [1, 0]]
    assert scaling.width == 3


def test_only_some_columns_may_be_read():
    rows = np.array([[1.0, 0.0], [3.0, 4.0]], np.float32)
    assert Scaling.of(rows, ("a", "b"), read=("b",)).inputs(rows).tolist() == [[-1], [1]]


def test_parts_add_up_to_the_score():
    ranker, rows = random_ranker(), some_features(30, 1)
    parts = ranker.parts(rows)
    assert set(parts) == {LEVEL, *PARTS}
    assert np.sum(list(parts.values()), axis=0) == pytest.approx(ranker.score(rows), abs=1e-4)
    assert len(set(parts[LEVEL].tolist())) == 1
    assert parts["personal"].tolist() == [0] * 30  # it was not read


def test_every_feature_is_in_one_part():
    names = [name for group in PARTS.values() for name in group]
    assert sorted(names) == sorted(FEATURES)


def test_a_ranker_is_rebuilt_from_its_arrays():
    ranker, rows = random_ranker(), some_features(9, 2)
    again = SearchRanker.rebuild(ranker.describe(), ranker.arrays())
    assert again.score(rows).tolist() == ranker.score(rows).tolist()
    assert again.source == "a test"


def test_what_does_not_fit_is_refused():
    ranker = random_ranker()
    with pytest.raises(ArtifactMismatchError, match="other features"):
        SearchRanker.rebuild({**ranker.describe(), "features": ["smell"]}, ranker.arrays())
    arrays = dict(ranker.arrays())
    arrays["1.0.weights"] = arrays["1.0.weights"][:, 1:]
    with pytest.raises(ArtifactMismatchError, match="do not fit"):
        SearchRanker.rebuild(ranker.describe(), arrays)
    del arrays["mean"]
    with pytest.raises(ArtifactMismatchError, match="do not fit"):
        SearchRanker.rebuild(ranker.describe(), arrays)


def test_no_items_have_no_scores():
    assert random_ranker().score(np.zeros((0, COUNT), np.float32)).tolist() == []
