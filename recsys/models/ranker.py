"""The second stage: reorders candidates by what the features say, and gives each a probability."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import FloatArray
from recsys.columns import (
    CATEGORY_AFFINITY,
    ITEM_CLICK_RATE,
    ITEM_CONVERSION,
    RANKING_FEATURES,
    RETRIEVAL_SCORE,
)
from recsys.documents import JsonObject
from recsys.errors import ArtifactMismatchError
from recsys.models.numpy_forward.layers import ViewsOf
from recsys.models.numpy_forward.ranker_scores import RankerForward

# Shares and scores are left as they are; counts, money and seconds span decades and go through a logarithm.
_LINEAR = frozenset({ITEM_CLICK_RATE, ITEM_CONVERSION, CATEGORY_AFFINITY, RETRIEVAL_SCORE})
_CLIP = 8.0  # deviations; an outlier should not decide alone
_ROWS_AT_ONCE = 12_800
CALIBRATED_KINDS = 3  # the first kinds of request in `recsys.models.orders.REQUEST_KINDS`


@dataclass(frozen=True)
class RankerShape:
    """Columns that the ranker reads, in order, its hidden width, and what it is trusted with.

    Attributes:
        orders: whether its order was found better than fusion's for some kind of request; else it only says
            how probable each item is.
    """

    features: tuple[str, ...] = RANKING_FEATURES
    hidden: int = 64
    orders: bool = True


class Ranker(nn.Module):
    """score = MLP(standardised features, missing flags) + w * standardised retrieval score.

    The last layer starts at zero and w at one, so that before any training the ranker keeps the
    retriever's order; it learns what the features add. The statistics, and for each kind of request the
    calibration p = sigmoid(slope * score + offset), are stored with the weights.
    """

    mean: Tensor
    deviation: Tensor
    logarithm: Tensor
    calibration: Tensor

    def __init__(self, shape: RankerShape) -> None:
        super().__init__()
        self.shape = shape
        count = len(shape.features)
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("deviation", torch.ones(count))
        self.register_buffer("calibration", torch.tensor([[1.0, 0.0]] * CALIBRATED_KINDS))  # slope, offset
        logarithm = torch.tensor([name not in _LINEAR for name in shape.features])
        self.register_buffer("logarithm", logarithm, persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(2 * count, shape.hidden),
            nn.SiLU(),
            nn.Linear(shape.hidden, shape.hidden),
            nn.SiLU(),
            nn.Linear(shape.hidden, 1),
        )
        self.retrieval_weight = nn.Parameter(torch.ones(()))
        self._forward: ViewsOf[RankerForward] = ViewsOf()
        self._retrieval = shape.features.index(RETRIEVAL_SCORE)
        last = self.layers[-1]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def fit_statistics(self, features: FloatArray) -> None:
        """Sets mean and deviation of each column from rows (n, F), NaN left out; constants count as zero."""
        rows = self._scaled(torch.from_numpy(features)).double()
        known = ~rows.isnan()
        count = known.sum(0).clamp(min=1)
        mean = rows.nan_to_num().sum(0) / count
        variance = torch.where(known, (rows - mean) ** 2, 0.0).sum(0) / count
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(variance > 1e-12, variance.sqrt(), torch.inf))

    def forward(self, features: Tensor) -> Tensor:
        """(..., F) features with NaN = missing -> (...,) raw scores."""
        scaled = ((self._scaled(features) - self.mean) / self.deviation).clamp(-_CLIP, _CLIP)
        missing = features.isnan()
        values = scaled.masked_fill(missing, 0.0)
        scores = self.layers(torch.cat([values, missing.to(values.dtype)], -1)).squeeze(-1)
        out: Tensor = scores + self.retrieval_weight * values[..., self._retrieval]
        return out

    def score(self, features: FloatArray) -> FloatArray:
        """(K,) raw scores of candidates (K, F); columns in the order of `shape.features`, NaN = missing."""
        rows = torch.from_numpy(np.ascontiguousarray(features, np.float32)).to(self.mean.device)
        out: FloatArray = self.forward_in_parts(rows).cpu().numpy()
        return out

    def forward_in_parts(self, features: Tensor) -> Tensor:
        """As `forward`, without gradients; in parts whose values stay in the cache, three times as fast."""
        rows = features.reshape(-1, features.shape[-1])
        starts = range(0, max(len(rows), 1), _ROWS_AT_ONCE)
        with torch.inference_mode():
            parts = [self(rows[start : start + _ROWS_AT_ONCE]) for start in starts]
        return torch.cat(parts).reshape(features.shape[:-1])

    def score_of_user(self, user: FloatArray, items: FloatArray) -> FloatArray:
        """(K,) as `score` of the features of one user (U,) followed by those of each candidate (K, F - U).

        On a processor it is the same sum in numpy, with the user's part made once.
        """
        if self.mean.device.type != "cpu":
            return self.score(np.concatenate([np.broadcast_to(user, (len(items), len(user))), items], axis=1))
        return self._forward.get(self.retrieval_weight, self._views).scores(user, items)

    def _views(self) -> RankerForward:
        return RankerForward.of(
            self.layers,
            self.mean,
            self.deviation,
            self.logarithm,
            _CLIP,
            self._retrieval,
            self.retrieval_weight,
        )

    def probability(self, features: FloatArray, kind: int = 0) -> FloatArray:
        """(K,) calibrated probability that each candidate is chosen; same order as `score`."""
        return self.calibrated(self.score(features), kind)

    def calibrated(self, scores: FloatArray, kind: int = 0) -> FloatArray:
        """Probabilities of raw scores of any shape.

        Args:
            kind: place of the request's kind in `recsys.models.orders.REQUEST_KINDS`.
        """
        slope, offset = self.calibration[kind].tolist()
        logits = np.clip(slope * scores + offset, -80, 80)
        probabilities: FloatArray = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return probabilities

    def describe(self) -> JsonObject:
        """What `rebuild` needs besides the tensors, as JSON."""
        shape = self.shape
        return {"features": list(shape.features), "hidden": shape.hidden, "orders": shape.orders}

    @classmethod
    def rebuild(cls, description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "Ranker":
        """The ranker that `describe` and `state_dict` were taken from.

        Raises:
            ArtifactMismatchError: the columns are not today's, or the tensors do not fit.
        """
        features = tuple(description.get("features", ()))
        if features != RANKING_FEATURES:
            odd = sorted(set(features) ^ set(RANKING_FEATURES))
            raise ArtifactMismatchError(
                f"The ranker was trained with other features ({', '.join(odd) or 'another order'}). "
                "Train the bundle again."
            )
        try:
            ranker = cls(RankerShape(features, int(description["hidden"]), description.get("orders", True)))
            known = dict(tensors)
            if known["calibration"].ndim == 1:  # earlier versions had one for all kinds of request
                known["calibration"] = known["calibration"].repeat(CALIBRATED_KINDS, 1)
            ranker.load_state_dict(known)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ArtifactMismatchError(
                f"The ranker's tensors do not fit its description: {error}. Train the bundle again."
            ) from error
        return ranker.eval()

    def _scaled(self, features: Tensor) -> Tensor:
        return torch.where(self.logarithm, features.sign() * features.abs().log1p(), features)
