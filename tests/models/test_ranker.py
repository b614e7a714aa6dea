import json
import time

import numpy as np
import pytest
import torch

from recsys.columns import PRICE_MICROS, RANKING_FEATURES, RETRIEVAL_SCORE
from recsys.errors import ArtifactMismatchError
from recsys.models.ranker import CALIBRATED_KINDS, Ranker, RankerShape


def features(rows: int, seed: int = 0) -> np.ndarray:
    table = np.random.default_rng(seed).standard_normal((rows, len(RANKING_FEATURES))).astype(np.float32)
    table[:, RANKING_FEATURES.index(PRICE_MICROS)] = 10 ** (6 + table[:, 0])
    return table


def trained_looking(seed: int = 0) -> Ranker:
    torch.manual_seed(seed)
    ranker = Ranker(RankerShape(hidden=16)).eval()
    ranker.fit_statistics(features(500))
    torch.nn.init.normal_(ranker.layers[-1].weight)
    ranker.calibration.copy_(torch.tensor([[0.5, -3.0], [2.0, 1.0], [1.0, -1.0]]))  # of each kind of request
    return ranker


def test_an_untrained_ranker_keeps_the_retrievers_order():
    ranker, table = Ranker(RankerShape()).eval(), features(50)
    ranker.fit_statistics(table)
    retrieval = table[:, RANKING_FEATURES.index(RETRIEVAL_SCORE)]
    np.testing.assert_array_equal(np.argsort(ranker.score(table)), np.argsort(retrieval))


def test_missing_and_absurd_values_give_finite_scores():
    table = features(4)
    table[0] = np.nan
    table[1] = 1e38
    table[2] = -1e38
    assert np.isfinite(trained_looking().score(table)).all()


def test_missing_is_not_the_mean():
    ranker, table = trained_looking(), features(2)
    table[1] = table[0]
    table[:, 5] = ranker.mean[5]
    table[1, 5] = np.nan
    first, second = ranker.score(table)
    assert abs(first - second) > 1e-4


def test_a_column_that_never_varied_is_ignored():
    table = features(100)
    table[:, 7] = 3.0
    ranker = trained_looking()
    ranker.fit_statistics(table)
    other = table.copy()
    other[:, 7] = 900.0
    np.testing.assert_array_equal(ranker.score(table), ranker.score(other))


def test_probability_is_the_calibrated_score_in_the_same_order():
    ranker, table = trained_looking(), features(30)
    scores, probabilities = ranker.score(table), ranker.probability(table)
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-(0.5 * scores - 3))), rtol=1e-5)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    np.testing.assert_allclose(ranker.probability(table, 1), 1 / (1 + np.exp(-(2 * scores + 1))), rtol=1e-4)


def test_a_ranker_of_an_earlier_version_has_its_one_calibration_for_every_kind():
    ranker, table = trained_looking(), features(30)
    tensors = ranker.state_dict() | {"calibration": torch.tensor([0.5, -3.0])}
    old = Ranker.rebuild(ranker.describe(), tensors)
    for kind in range(CALIBRATED_KINDS):
        np.testing.assert_array_equal(old.probability(table, kind), ranker.probability(table, 0))
    description = ranker.describe()
    del description["orders"]  # the first ones did not say it, and ordered
    assert Ranker.rebuild(description, tensors).shape.orders


def test_rebuilt_from_json_and_tensors_it_scores_the_same():
    ranker, table = trained_looking(), features(30)
    again = Ranker.rebuild(json.loads(json.dumps(ranker.describe())), ranker.state_dict())
    np.testing.assert_array_equal(again.score(table), ranker.score(table))
    np.testing.assert_array_equal(again.probability(table), ranker.probability(table))


def test_other_features_are_refused_by_name():
    description = trained_looking().describe()
    description["features"][0] = "shoe_size"
    with pytest.raises(ArtifactMismatchError, match="shoe_size"):
        Ranker.rebuild(description, trained_looking().state_dict())


def test_tensors_of_another_width_are_refused():
    with pytest.raises(ArtifactMismatchError, match="do not fit"):
        Ranker.rebuild({"features": list(RANKING_FEATURES), "hidden": 8}, trained_looking().state_dict())


@pytest.mark.slow
def test_five_hundred_candidates_cost_a_few_milliseconds():
    ranker, table = trained_looking(), features(500)
    ranker.score(table)
    started = time.process_time()
    for _ in range(20):
        ranker.score(table)
    assert (time.process_time() - started) / 20 < 0.01  # about 1 ms alone on one core
