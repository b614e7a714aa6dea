"""From a ranking score to a probability."""

import numpy as np
import torch

from recsys.arrays import BoolArray, FloatArray

Calibration = tuple[float, float]
IDENTITY: Calibration = (1.0, 0.0)


def fit_platt(scores: FloatArray, labels: BoolArray) -> Calibration:
    """(slope, offset) that maximise the likelihood of `labels` under sigmoid(slope * score + offset).

    Two parameters rather than isotonic steps: held-out positives are few, ties would lose the ranking,
    and the slope is kept positive so that the order of scores always stays. Labels are smoothed as in
    the paper, which keeps the fit finite when scores separate them.

    Paper: Platt 1999, "Probabilistic outputs for support vector machines", section 2.2.

    Args:
        scores: (n,) raw scores of held-out candidates. labels: (n,) whether each was chosen.
    """
    positives, total = int(labels.sum()), len(labels)
    if positives == 0 or positives == total:
        return IDENTITY
    x = torch.from_numpy(scores.astype(np.float64))
    high, low = (positives + 1) / (positives + 2), 1 / (total - positives + 2)
    y = torch.from_numpy(np.where(labels, high, low))
    centre, spread = float(x.mean()), max(float(x.std()), 1e-9)
    z = (x - centre) / spread
    log_slope = torch.zeros((), dtype=torch.float64, requires_grad=True)
    offset = torch.tensor(np.log(positives / (total - positives)), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_slope, offset], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        logits = log_slope.exp() * z + offset
        value = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach())

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    slope = float(log_slope.detach().exp()) / spread
    return slope, float(offset.detach()) - slope * centre
