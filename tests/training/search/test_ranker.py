from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from recsys.errors import DataError
from recsys.search.relevance.features import FEATURES
from recsys.training.search.ranker import (
    PORTABLE,
    RankingPairs,
    SearchRankerSettings,
    train_search_ranker,
)

QUICK = SearchRankerSettings(members=1, hidden=(32,), epochs=20)
LEXICAL, COSINE = FEATURES.index("lexical_of_best"), FEATURES.index("cosine_standard")


def pairs(count: int = 3000, seed: int = 0) -> RankingPairs:
    """Relevance is the larger of two features, with noise; three say nothing, the rest is not known."""
    rng = np.random.default_rng(seed)
    features = np.full((count, len(FEATURES)), np.nan, np.float32)
    told = [
        LEXICAL,
        COSINE,
        FEATURES.index("cosine"),
        FEATURES.index("age_days"),
        FEATURES.index("query_terms"),
    ]
    features[:, told] = rng.normal(size=(count, len(told)))
    targets = np.maximum(features[:, LEXICAL], features[:, COSINE]) + 0.1 * rng.normal(size=count)
    return RankingPairs(features, targets.astype(np.float32))


def test_the_order_of_the_targets_is_learned_where_no_sum_would_do():
    ranker, test = train_search_ranker(pairs(), QUICK, "made up"), pairs(1000, 1)
    total = test.features[:, LEXICAL] + test.features[:, COSINE]
    learned = spearmanr(ranker.score(test.features), test.targets)[0]
    assert learned > spearmanr(total, test.targets)[0]
    assert learned > 0.9
    assert ranker.source == "made up"


def test_scores_are_on_the_scale_of_the_targets():
    known = pairs()
    shifted = replace(known, targets=10 + 2 * known.targets)
    scores = train_search_ranker(shifted, QUICK).score(shifted.features)
    assert scores.mean() == pytest.approx(shifted.targets.mean(), abs=0.2)
    assert scores.std() == pytest.approx(shifted.targets.std(), rel=0.2)


def test_pairs_without_weight_teach_nothing():
    known, other = pairs(), pairs(3000, 5)
    both = RankingPairs(
        np.concatenate([known.features, other.features]),
        np.concatenate([known.targets, -5 * other.targets]),
        np.repeat(np.array([1, 0], np.float32), 3000),
    )
    test = pairs(500, 2)
    assert spearmanr(train_search_ranker(both, QUICK).score(test.features), test.targets)[0] > 0.8


def test_training_twice_gives_the_same_ranker():
    first, second = (train_search_ranker(pairs(400), QUICK).score(pairs(50, 3).features) for _ in range(2))
    assert first.tolist() == second.tolist()


def test_a_portable_ranker_reads_nothing_that_is_bound_to_a_shop():
    ranker = train_search_ranker(pairs(400), replace(QUICK, epochs=1, portable=True))
    before = pairs(20, 4).features
    after = before.copy()
    for place, name in enumerate(FEATURES):
        if name not in PORTABLE:
            after[:, place] += 7
    assert ranker.score(before).tolist() == ranker.score(after).tolist()
    assert "cosine" not in PORTABLE
    assert "cosine_standard" in PORTABLE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": np.ones(60, np.float32)}, "1 different targets"),
        ({"targets": np.full(60, np.nan, np.float32)}, "no number"),
        ({"weights": np.full(60, -1, np.float32)}, "below 0"),
        ({"weights": np.zeros(60, np.float32)}, "0 pairs"),
    ],
)
def test_pairs_that_teach_no_order_are_refused(change, message):
    known = pairs(60)
    with pytest.raises(DataError, match=message):
        train_search_ranker(replace(known, **change), QUICK)
