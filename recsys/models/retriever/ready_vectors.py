"""Ready vectors of items as the item tower takes them: each kind reduced and half-whitened like the text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from recsys import columns
from recsys.arrays import FloatArray
from recsys.models.retriever.attributes import Attributes
from recsys.models.retriever.text_projection import TextProjection

if TYPE_CHECKING:
    from recsys.dataset.item_vectors import VectorLayout


class ReadyProjection(nn.Module):
    """Maps ready vectors (n, V) to (n, R): every vector of the layout by a `TextProjection` of its own.

    A vector that is missing, all zeros, stays zero. Each has its own columns of the tower's W_x.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]]) -> None:
        """Args:
        sizes: of each vector in the layout's order: its width and that of its projection.
        """
        super().__init__()
        self.sizes = tuple(sizes)
        self.parts = nn.ModuleList(TextProjection(width, kept) for width, kept in sizes)

    @classmethod
    def fit(cls, vectors: FloatArray, layout: "VectorLayout", width: int) -> "ReadyProjection":
        """The projection of a catalog's ready vectors (N + 1, V); each keeps `width` directions at most."""
        starts = np.cumsum([0, *(size for _, size in layout)]).tolist()
        parts = [
            TextProjection.fit(vectors[1:, start : start + size], width)
            for start, (_, size) in zip(starts, layout, strict=False)
        ]
        projection = cls(
            [(size, part.directions.shape[1]) for (_, size), part in zip(layout, parts, strict=True)]
        )
        projection.parts = nn.ModuleList(parts)
        return projection

    def forward(self, vectors: Tensor) -> Tensor:
        """(n, R), R the sum of the projections' widths."""
        parts = torch.split(vectors, [width for width, _ in self.sizes], dim=-1)
        projected = [part(block) for part, block in zip(self.parts, parts, strict=True)]
        return torch.cat(projected, dim=-1)


def ready_rows(rows: Sequence[Attributes], layout: "VectorLayout") -> FloatArray | None:
    """(n, V) the ready vectors that attribute rows carry along, zeros where a row has none."""
    if not layout:
        return None
    nothing = np.zeros(sum(width for _, width in layout), np.float32)
    return np.stack([nothing, *(row.get(columns.VECTORS, nothing) for row in rows)])[1:]
