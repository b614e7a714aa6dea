"""The graph of items that are taken near each other."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recsys.dataset.interactions import Interactions, Vocabulary
from recsys.retrieval import neighbours as module
from recsys.retrieval.neighbours import CoOccurrence, co_occurrence, neighbour_graph, top_of_rows

PLAIN = CoOccurrence(source_power=0, target_power=0)
ITEM_COUNT = 5


def actions(*rows: tuple[int, int, int]) -> Interactions:
    """user, item, instant."""
    ordered = sorted(rows, key=lambda row: (row[0], row[2]))
    user, item, at = (np.array(column, np.int64) for column in zip(*ordered, strict=True))
    users = Vocabulary(("", *(f"u{i}" for i in range(1, int(user.max()) + 1))))
    items = Vocabulary(("", *(f"i{i}" for i in range(1, ITEM_COUNT + 1))))
    return Interactions(users, items, user, item, np.full(len(user), 3), np.ones(len(user), np.float32), at)


def dense(log: Interactions, parameters: CoOccurrence) -> np.ndarray:
    """The whole graph as a matrix."""
    return neighbour_graph(*co_occurrence(log, ITEM_COUNT, parameters)).toarray()


def test_the_way_forward_counts_more_than_the_way_back_and_distance_fades() -> None:
    graph = dense(actions((1, 1, 0), (1, 2, 1), (1, 3, 2)), PLAIN)
    assert graph[1, 2] == pytest.approx(1.0)
    assert graph[1, 3] == pytest.approx(0.8)
    assert graph[2, 1] == pytest.approx(0.7)
    assert graph[3, 1] == pytest.approx(0.7 * 0.8)


def test_items_of_one_basket_are_neighbours_both_ways_alike() -> None:
    graph = dense(actions((1, 1, 0), (1, 2, 0), (1, 3, 1)), PLAIN)
    assert graph[1, 2] == graph[2, 1] == pytest.approx(1.0)
    assert graph[1, 3] == graph[2, 3] == pytest.approx(1.0)  # the next basket is one moment away


def test_beyond_the_window_and_between_users_there_is_nothing() -> None:
    log = actions((1, 1, 0), (1, 2, 1), (1, 3, 2), (2, 4, 3))
    graph = dense(log, CoOccurrence(window=1, source_power=0, target_power=0))
    assert graph[1, 2] > 0
    assert graph[1, 3] == graph[3, 4] == graph[1, 4] == 0


def test_an_item_is_no_neighbour_of_itself() -> None:
    assert not dense(actions((1, 1, 0), (1, 1, 1), (1, 1, 2)), PLAIN).any()


def test_degrees_divide_the_weight() -> None:
    log = actions((1, 1, 0), (1, 2, 1), (2, 1, 0), (2, 2, 1), (3, 3, 0), (3, 2, 1))
    # Ways to 2: 1 + 1 from item 1 and 1 from item 3; to 1: .7 + .7, raised to a degree of at least 1.
    graph = dense(log, CoOccurrence(source_power=0.5, target_power=0.5))
    assert graph[1, 2] == pytest.approx(2 / (1.4**0.5 * 3**0.5))
    assert graph[3, 2] == pytest.approx(1 / (1.0**0.5 * 3**0.5))


def test_only_the_strongest_stay_and_ties_go_to_the_lower_index() -> None:
    log = actions((1, 1, 0), (1, 4, 1), (2, 1, 0), (2, 3, 1), (3, 1, 0), (3, 5, 1), (4, 1, 0), (4, 5, 1))
    indexes, scores = co_occurrence(log, 2, PLAIN)
    assert indexes[1].tolist() == [5, 3]
    assert scores[1].tolist() == [2.0, 1.0]
    assert indexes[0].tolist() == indexes[2].tolist() == [0, 0]


def test_the_top_of_a_long_row_is_that_of_a_full_sort() -> None:
    values = np.array([[3, 1, 2, 2, 5, 0, 2, 1, 4, 2]], np.float32)
    columns, kept = top_of_rows(sparse.csr_matrix(values), 4)
    assert columns.tolist() == [[4, 8, 0, 2]]
    assert kept.tolist() == [[5, 4, 3, 2]]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(1, 8), st.randoms())
def test_the_top_of_a_row_does_not_depend_on_the_order_of_its_cells(
    values: list[int], count: int, random: Random
) -> None:
    cells = list(enumerate(values))
    expected = sorted(cells, key=lambda cell: (-cell[1], cell[0]))[:count]
    random.shuffle(cells)
    indices, data = (np.array(part) for part in zip(*cells, strict=True))
    row = sparse.csr_matrix((data.astype(np.float32), indices, [0, len(cells)]), shape=(1, len(cells)))
    columns, kept = top_of_rows(row, count)
    assert list(zip(columns[0], kept[0], strict=True))[: len(cells)] == expected


logs = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, ITEM_COUNT), st.integers(0, 8)), min_size=1, max_size=40
).map(lambda rows: actions(*rows))


def by_definition(log: Interactions, parameters: CoOccurrence) -> np.ndarray:
    """All pairs one by one."""
    size = ITEM_COUNT + 1
    graph = np.zeros((size, size))
    for user in set(log.user_index):
        mine = np.flatnonzero(log.user_index == user)
        instants = sorted(set(log.at[mine]))
        for i in mine:
            for j in mine[mine > i]:
                apart = instants.index(log.at[j]) - instants.index(log.at[i])
                a, b = log.item_index[i], log.item_index[j]
                if j - i <= parameters.reach and apart <= parameters.window and a != b:
                    worth = parameters.decay ** max(apart - 1, 0)
                    graph[a, b] += worth
                    graph[b, a] += worth * (parameters.backward if apart else 1.0)
    degrees = np.maximum(graph.sum(axis=0), 1)
    return graph * degrees[:, None] ** -parameters.source_power * degrees**-parameters.target_power


@given(logs, st.integers(1, 4), st.integers(1, 6), st.sampled_from([1, 20, 4_000_000]))
@settings(deadline=None)
def test_the_graph_is_that_of_the_definition_however_it_is_cut_into_blocks(
    log: Interactions, window: int, reach: int, pairs_at_once: int
) -> None:
    parameters = CoOccurrence(window=window, reach=reach)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PAIRS_AT_ONCE", pairs_at_once)
        found = dense(log, parameters)
    np.testing.assert_allclose(found, by_definition(log, parameters), rtol=1e-5, atol=1e-7)
