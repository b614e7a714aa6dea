from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import ConfigError
from recsys.search.relevance.fusion import FusionWeights, fuse


def scored(**scores: float) -> tuple[np.ndarray, np.ndarray]:
    """Items by number, as in `i3=.5`."""
    return (
        np.array([int(name[1:]) for name in scores], np.int64),
        np.array(list(scores.values()), np.float32),
    )


def test_words_over_their_best_and_meaning_are_added():
    fused = fuse(scored(i1=8.0, i2=4.0), scored(i2=0.75, i3=0.5))
    # i1: 8/8/2, i2: 4/8/2 + .75/2, i3: .5/2
    assert fused.index.tolist() == [2, 1, 3]
    assert fused.score.tolist() == [0.625, 0.5, 0.25]
    assert fused.parts["lexical"].tolist() == [0.25, 0.5, 0.0]
    assert fused.parts["semantic"].tolist() == [0.375, 0.0, 0.25]


def test_items_of_one_half_get_their_score_of_the_other():
    fused = fuse(
        scored(i1=8.0),
        scored(i3=0.5),
        lexical_scores=lambda index: np.full(len(index), 2.0, np.float32),
        cosines=lambda index: np.full(len(index), 0.25, np.float32),
    )
    assert fused.index.tolist() == [1, 3]
    assert fused.score.tolist() == [0.5 + 0.125, 0.125 + 0.25]


def test_either_half_may_find_nothing():
    none = scored()
    assert fuse(none, none).index.tolist() == []
    assert fuse(none, scored(i4=0.5)).score.tolist() == [0.25]
    assert fuse(scored(i4=3.0), none).score.tolist() == [0.5]


def test_ranks_count_alone_in_reciprocal_rank_fusion():
    weights = FusionWeights(1.0, 1.0, method="ranks")
    fused = fuse(scored(i1=900.0, i2=1.0), scored(i2=0.9, i3=0.1), weights=weights)
    assert fused.index.tolist() == [2, 1, 3]
    assert fused.score.tolist() == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62])


def test_feedback_lifts_what_is_like_the_first():
    like = {1: 1.0, 2: 0.0, 3: 1.0}
    weights = FusionWeights(feedback=2.0, feedback_items=1)

    def similar(first):
        assert first.tolist() == [1]
        return lambda index: np.array([like[item] for item in index.tolist()], np.float32)

    fused = fuse(scored(i1=8.0, i2=4.0, i3=3.9), scored(), similar=similar, weights=weights)
    assert fused.index.tolist() == [1, 3, 2]


@pytest.mark.parametrize(
    "wrong", [{"lexical": -1.0}, {"lexical": 0.0, "semantic": 0.0}, {"feedback": -0.1}, {"feedback_items": 0}]
)
def test_weights_that_order_nothing_are_refused(wrong):
    with pytest.raises(ConfigError, match="fusion weights"):
        FusionWeights(**wrong)


pools = st.dictionaries(st.integers(1, 30), st.floats(0, 50, width=32), max_size=12)


@given(words=pools, meaning=pools, method=st.sampled_from(["weighted", "ranks"]), feedback=st.floats(0, 2))
def test_parts_add_up_and_each_item_stands_once(words, meaning, method, feedback):
    def pool(found):
        return np.array(list(found), np.int64), np.array(list(found.values()), np.float32)

    fused = fuse(
        pool(words),
        pool(meaning),
        similar=lambda first: lambda index: (index % 7).astype(np.float32),
        weights=FusionWeights(method=method, feedback=feedback),
    )
    assert sorted(fused.index.tolist()) == sorted(set(words) | set(meaning))
    assert np.sum(list(fused.parts.values()), axis=0) == pytest.approx(fused.score, abs=1e-4)
    keys = list(zip(-fused.score, fused.index, strict=True))
    assert all(left[0] <= right[0] for left, right in pairwise(keys))
