import numpy as np
from scipy import sparse

from recsys.models.retriever.graph_init import graph_directions


def two_groups() -> sparse.csr_matrix:
    graph = np.zeros((9, 9), np.float32)
    graph[1:4, 1:4] = 1  # items 1-3 go together
    graph[4:8, 4:8] = 1  # items 4-7 go together; 8 is alone, 0 is padding
    np.fill_diagonal(graph, 0)
    return sparse.csr_matrix(graph)


def test_items_of_one_group_point_the_same_way_and_groups_apart():
    start = graph_directions(two_groups(), 2)
    unit = start[1:8] / np.linalg.norm(start[1:8], axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.testing.assert_allclose(cosine[:3, :3], 1, atol=1e-4)
    np.testing.assert_allclose(cosine[3:, 3:], 1, atol=1e-4)
    np.testing.assert_allclose(cosine[:3, 3:], 0, atol=1e-4)


def test_an_item_without_neighbours_has_no_start():
    start = graph_directions(two_groups(), 4)
    assert np.flatnonzero(np.abs(start).max(1) < 1e-5).tolist() == [0, 8]


def test_products_are_the_positive_part_of_the_normalised_graph():
    graph = sparse.random(60, 60, 0.1, random_state=0, dtype=np.float32).tocsr()
    start = graph_directions(graph, 60)
    symmetric = (graph + graph.T).toarray()
    root = np.maximum(symmetric.sum(1), 1e-12) ** -0.5
    values, vectors = np.linalg.eigh(root[:, None] * symmetric * root)
    np.testing.assert_allclose(start @ start.T, (vectors * np.maximum(values, 0)) @ vectors.T, atol=1e-3)


def test_the_same_seed_gives_the_same_start():
    np.testing.assert_array_equal(
        graph_directions(two_groups(), 3, seed=5), graph_directions(two_groups(), 3, seed=5)
    )
