"""Where item vectors start: the leading directions of the item graph."""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recsys.dataset.interactions import FloatArray

_OVERSAMPLING = 16
_ITERATIONS = 4


def graph_start(graph: sparse.csr_matrix, width: int, seed: int = 0) -> FloatArray:
    """(N + 1, width) float32: V sqrt(lambda) of the symmetrised graph's leading eigenpairs; isolated rows 0.

    Items that lead to one another, directly or by shared neighbours, start near each other, which is
    what a softmax would otherwise need many epochs to find for items with few events.

    Args:
        graph: (N + 1, N + 1) sparse scores, see `recsys.retrieval.neighbours.neighbour_graph`.

    Paper: Halko, Martinsson and Tropp 2011, doi 10.1137/090771806, algorithm 4.4 and section 5.3.
    """
    symmetric = _normalised(graph)
    size = symmetric.shape[0]
    rank = min(width + _OVERSAMPLING, size)
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(symmetric @ rng.standard_normal((size, rank), np.float32))[0]  # (N + 1, R)
    for _ in range(_ITERATIONS):
        basis = np.linalg.qr(symmetric @ basis)[0]
    values, rotation = np.linalg.eigh(basis.T @ (symmetric @ basis))  # ascending
    kept = np.arange(rank)[::-1][:width]
    # A negative eigenvalue has no real root: opposites are no neighbours, drop them.
    vectors = (basis @ rotation[:, kept]) * np.sqrt(np.maximum(values[kept], 0))
    start = np.zeros((size, width), np.float32)
    start[:, : len(kept)] = vectors
    return start


def _normalised(graph: sparse.csr_matrix) -> sparse.csr_matrix:
    """D^-1/2 (A + A^T) D^-1/2 + I, whose eigenvalues lie in [0, 2]."""
    symmetric = (graph + graph.T).tocsr()
    degree = np.asarray(symmetric.sum(1)).ravel()
    root: npt.NDArray[np.float32] = np.where(degree > 0, np.maximum(degree, 1e-12) ** -0.5, 0)
    scaled = sparse.diags(root) @ symmetric @ sparse.diags(root)
    return (scaled + sparse.diags((degree > 0).astype(np.float32))).tocsr().astype(np.float32)
