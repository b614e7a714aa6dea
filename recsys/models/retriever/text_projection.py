"""D_m: the text vector as the retriever uses it, centred, reduced and half-whitened."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import DoubleArray, FloatArray

_ROWS_AT_ONCE = 100_000  # as doubles, some 300 MB


class TextProjection(nn.Module):
    """Maps text vectors (n, E) to unit rows (n, T): normalise((x - mean) V diag(lambda^-1/4)).

    V holds the leading T principal directions of the catalog's text vectors and lambda their variances.
    Centring removes what all titles of a shop share; half-whitening (an exponent of -1/4 on variances
    rather than -1/2) keeps a few frequent topics from ruling the cosine without blowing up the noise.
    It is fitted once and frozen, and kept with the model so that a new item's text can be projected.
    """

    mean: Tensor
    directions: Tensor

    def __init__(self, text_dimensions: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(text_dimensions))  # (E,)
        self.register_buffer("directions", torch.zeros(text_dimensions, width))  # (E, T), scaled

    @classmethod
    def fit(cls, text_vectors: FloatArray, width: int) -> "TextProjection":
        """The projection of a catalog's text vectors (n, E); all-zero rows (no text) do not count.

        T is `width`, or less where the vectors span fewer directions; 1 where there is no text at all.
        """
        count, mean = _mean_of(text_vectors)
        if count < 2:
            return cls(text_vectors.shape[1], 1)
        covariance = sum((part - mean).T @ (part - mean) for part in _with_text(text_vectors)) / count
        variances, directions = np.linalg.eigh(covariance)  # ascending
        variances, directions = variances[::-1], directions[:, ::-1]
        kept = max(1, min(width, int((variances > variances[0] * 1e-6).sum())))
        projection = cls(text_vectors.shape[1], kept)
        # The sign of an eigenvector is arbitrary: fix it, so that two machines agree.
        signs = np.sign(directions[np.abs(directions).argmax(0), np.arange(directions.shape[1])])
        scaled = (directions * signs)[:, :kept] * np.maximum(variances[:kept], 1e-12) ** -0.25
        projection.mean.copy_(torch.from_numpy(mean))
        projection.directions.copy_(torch.from_numpy(scaled))
        return projection

    def forward(self, text_vectors: Tensor) -> Tensor:
        """(n, T) unit rows; a zero row (no text) stays zero."""
        projected = nn.functional.normalize((text_vectors - self.mean) @ self.directions, dim=-1)
        return projected * (text_vectors != 0).any(-1, keepdim=True)


def _with_text(text_vectors: FloatArray) -> Iterator[DoubleArray]:
    """The rows of (n, E) that are not zero, as doubles and in parts."""
    for start in range(0, len(text_vectors), _ROWS_AT_ONCE):
        part = text_vectors[start : start + _ROWS_AT_ONCE]
        yield part[part.any(axis=1)].astype(np.float64)


def _mean_of(text_vectors: FloatArray) -> tuple[int, DoubleArray]:
    """How many rows have a text, and their mean (E,)."""
    count, total = 0, np.zeros(text_vectors.shape[1])
    for part in _with_text(text_vectors):
        count, total = count + len(part), total + part.sum(axis=0)
    return count, total / max(count, 1)
