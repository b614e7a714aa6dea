"""D_m: the text vector as the retriever uses it, centred, reduced and half-whitened."""

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import FloatArray


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
        rows = text_vectors[np.abs(text_vectors).max(1, initial=0) > 0].astype(np.float64)
        if len(rows) < 2:
            return cls(text_vectors.shape[1], 1)
        mean = rows.mean(0)
        variances, directions = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))  # ascending
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
