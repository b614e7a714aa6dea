"""Where item vectors start: the leading directions of the item graph."""

import numpy as np
import torch
from scipy import sparse

from recsys.arrays import FloatArray
from recsys.models.retriever.item_tower import ItemTower

_OVERSAMPLING = 16
_ITERATIONS = 4


def graph_directions(graph: sparse.csr_matrix, width: int, seed: int = 0) -> FloatArray:
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
    basis = _orthonormal(symmetric @ rng.standard_normal((size, rank), np.float32))  # (N + 1, R)
    for _ in range(_ITERATIONS):
        basis = _orthonormal(symmetric @ basis)
    values, rotation = np.linalg.eigh(basis.T @ (symmetric @ basis))  # ascending
    kept = np.arange(rank)[::-1][:width]
    # A negative eigenvalue has no real root: opposites are no neighbours, drop them.
    vectors = (basis @ rotation[:, kept]) * np.sqrt(np.maximum(values[kept], 0))
    start = np.zeros((size, width), np.float32)
    start[:, : len(kept)] = vectors
    return start


def initialise_from_graph(tower: ItemTower, start: FloatArray, ready: int, ridge: float = 1.0) -> None:
    """Sets W to the ridge regression of the graph's directions on text and ready vectors; e_m to the rest.

    So the sum is the graph's direction for an item that has one, and for any other the best guess that
    its content allows.

    Args:
        ready: R, how many of the tower's last numbers are ready vectors.
    """
    norms = np.linalg.norm(start, axis=1)
    known = norms > 0
    directions = start[known] / norms[known, None]  # (K, D)
    width = tower.text.shape[1]
    # Ready vectors stand behind the numeric attributes.
    inputs = torch.cat([tower.text, tower.numbers[:, tower.numbers.shape[1] - ready :]], dim=1)
    content = inputs.numpy()[known]  # (K, T + R)
    gram = content.T @ content + ridge * np.eye(content.shape[1], dtype=np.float32)
    weight = np.linalg.solve(gram, content.T @ directions).astype(np.float32)  # (T + R, D)
    with torch.no_grad():
        tower.text_in.weight.copy_(torch.from_numpy(weight[:width].T))
        if ready and tower.number_in is not None:
            tower.number_in.weight[:, -ready:] = torch.from_numpy(weight[width:].T)
        tower.residual[torch.from_numpy(known)] = torch.from_numpy(directions - content @ weight)


def _orthonormal(block: FloatArray) -> FloatArray:
    """An orthonormal basis of the columns of a tall block, zero columns where they depend on each other.

    By the small Gram matrix in doubles: several times faster than a QR, and exact enough for a start.
    """
    wide = block.astype(np.float64)
    values, rotation = np.linalg.eigh(wide.T @ wide)
    root = np.where(values > values[-1] * 1e-12, np.maximum(values, 1e-300) ** -0.5, 0)
    basis: FloatArray = (wide @ (rotation * root)).astype(np.float32)
    return basis


def _normalised(graph: sparse.csr_matrix) -> sparse.csr_matrix:
    """D^-1/2 (A + A^T) D^-1/2, whose eigenvalues lie in [-1, 1]."""
    symmetric = (graph + graph.T).tocsr()
    degree = np.asarray(symmetric.sum(1)).ravel()
    root: FloatArray = np.where(degree > 0, np.maximum(degree, 1e-12) ** -0.5, 0)
    return (sparse.diags(root) @ symmetric @ sparse.diags(root)).tocsr().astype(np.float32)
