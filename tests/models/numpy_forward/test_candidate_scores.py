"""Fusion's and the ranker's scores in numpy against their torch forward."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from recsys.columns import RANKING_FEATURES, USER_RANKING_FEATURES
from recsys.models.fusion import Fusion, initial_fusion
from recsys.models.ranker import Ranker, RankerShape
from recsys.models.signals import SIGNALS

BORDER = len(USER_RANKING_FEATURES)


def moved(network: nn.Module, seed: int) -> None:
    """Moves every weight from where it began."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.2 * torch.randn_like(weight))


def features(count: int, missing: float, seed: int) -> np.ndarray:
    """(K, F) rows of one user and `count` items, a share of the numbers missing."""
    rng = np.random.default_rng(seed)
    rows = (rng.lognormal(2, 3, (count, len(RANKING_FEATURES))) - 5).astype(np.float32)
    rows[:, :BORDER] = rows[:1, :BORDER]
    gone = rng.random(rows.shape) < missing
    gone[:, :BORDER] = gone[:1, :BORDER]
    rows[gone] = np.nan
    return rows


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.sampled_from([0.0, 0.1, 1.0]), st.sampled_from([4, 17, 64]), st.integers(0, 50))
def test_the_ranker_scores_a_users_candidates_as_torch_does(
    count: int, missing: float, hidden: int, seed: int
) -> None:
    ranker = Ranker(RankerShape(hidden=hidden)).eval()
    ranker.fit_statistics(features(100, 0.1, seed + 1))
    moved(ranker, seed)
    rows = features(count, missing, seed)
    ours = ranker.score_of_user(rows[0, :BORDER], rows[:, BORDER:])
    np.testing.assert_allclose(ours, ranker.score(rows), rtol=1e-5, atol=1e-5)
    assert ours.shape == (count,)
    assert ours.dtype == np.float32


@pytest.mark.parametrize("without", [(), ("text", "network")])
@settings(deadline=None, max_examples=40)
@given(count=st.integers(1, 40), seed=st.integers(0, 50))
def test_fusion_scores_as_torch_does(without: tuple[str, ...], count: int, seed: int) -> None:
    fusion = initial_fusion(16, without=without, text_missing=bool(seed % 2))
    rows = np.random.default_rng(seed).lognormal(0, 2, (count, len(SIGNALS))).astype(np.float32)
    fusion.fit_statistics(torch.from_numpy(rows))
    moved(fusion, seed)
    with torch.inference_mode():
        wanted = fusion(torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(fusion.score(rows), wanted, rtol=1e-5, atol=1e-5)
    columns = np.ascontiguousarray(rows.T).T  # as signals come, signal by signal
    np.testing.assert_allclose(fusion.score(columns), wanted, rtol=1e-5, atol=1e-5)


def test_a_rebuilt_network_scores_by_its_own_weights() -> None:
    fusion = initial_fusion(8)
    rows = np.random.default_rng(0).lognormal(size=(5, len(SIGNALS))).astype(np.float32)
    before = fusion.score(rows)
    moved(fusion, 1)
    again = Fusion.rebuild(fusion.describe(), fusion.state_dict())
    assert not np.allclose(before, fusion.score(rows))
    np.testing.assert_array_equal(again.score(rows), fusion.score(rows))
