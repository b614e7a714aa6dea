import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.dataset.batches import (
    MICROS,
    Batch,
    TrainingData,
    batch_of,
    batch_rows,
    histories_of,
    targets_of,
    training_data,
    training_windows,
)
from recsys.dataset.interactions import Interactions, Vocabulary


def log(rows: list[tuple[int, int, int]], users: int = 9, items: int = 60) -> Interactions:
    """Actions from (user, second, item), sorted; kind and weight are made up from the item."""
    rows = sorted(rows, key=lambda row: row[:2])
    user, second, item = (np.array([row[place] for row in rows], np.int64) for place in range(3))
    return Interactions(
        Vocabulary(("", *(f"u{n}" for n in range(users)))),
        Vocabulary(("", *(f"i{n:03}" for n in range(items)))),
        user,
        item,
        item % 5 + 3,
        (1 + item % 3).astype(np.float32),
        second * MICROS,
    )


def learn(labels: Interactions, length: int, actions: Interactions | None = None) -> TrainingData:
    seen = labels if actions is None else actions
    windows = training_windows(labels, length, actions)
    histories = histories_of(seen, windows.user_index, windows.at, length)
    return training_data(histories, labels, windows)


def batches_of(data: TrainingData, batch_size: int, seed: int) -> list[Batch]:
    return [batch_of(data, rows) for rows in batch_rows(data, batch_size, np.random.default_rng(seed))]


def pairs(data: TrainingData) -> list[tuple[list[int], int, int]]:
    """(items known, instant predicted, target) of each pair."""
    out = []
    for row in range(len(data)):
        for state in range(data.state_offsets[row], data.state_offsets[row + 1]):
            known = data.histories.items[row, : data.state_position[state] + 1]
            for pair in range(data.pair_offsets[state], data.pair_offsets[state + 1]):
                out.append(
                    (known[known > 0].tolist(), int(data.state_at_seconds[state]), int(data.target[pair]))
                )
    return out


def test_an_ordered_log_has_the_next_item_as_target_at_every_place():
    data = learn(log([(1, 10, 5), (1, 11, 6), (1, 12, 7)]), length=4)
    assert pairs(data) == [([5], 11, 6), ([5, 6], 12, 7)]


def test_a_basket_is_predicted_whole_from_what_came_strictly_before():
    data = learn(log([(1, 10, 5), (1, 10, 6), (1, 20, 7), (1, 20, 8), (1, 30, 9)]), length=6)
    assert pairs(data) == [([5, 6], 20, 7), ([5, 6], 20, 8), ([5, 6, 7, 8], 30, 9)]


def test_actions_that_are_no_labels_are_context_only():
    actions = log([(1, 10, 5), (1, 15, 40), (1, 20, 6)])
    labels = actions.take(actions.item_index != 40)
    assert pairs(learn(labels, 4, actions)) == [([5, 40], 20, 6)]


def test_actions_of_one_second_do_not_see_each_other():
    whole = log([(1, 10, 5), (1, 20, 6), (1, 20, 7)])
    at = whole.at.copy()
    at[2] += 300_000  # a third of a second later: later, but not by a second
    split = Interactions(
        whole.users, whole.items, whole.user_index, whole.item_index, whole.kind, whole.weight, at
    )
    assert pairs(learn(split, 4)) == [([5], 20, 6), ([5], 20, 7)]


def test_long_logs_are_cut_into_windows_with_context():
    data = learn(log([(1, second, 1 + second) for second in range(10)]), length=4)
    learned = pairs(data)
    assert [target for _, _, target in learned] == list(range(2, 11))
    assert all(known == list(range(max(1, target - len(known)), target)) for known, _, target in learned)
    assert min(len(known) for known, _, target in learned if target > 3) >= 2  # length - stride


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 50)), max_size=60),
    st.integers(1, 9),
)
def test_every_label_but_a_users_first_moment_is_a_target_once(rows, length):
    labels = log(rows)
    first = {user: min(second for u, second, _ in rows if u == user) for user, _, _ in rows}
    expected = sorted((second, item) for user, second, item in rows if second > first[user])
    assert sorted((second, target) for _, second, target in pairs(learn(labels, length))) == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 12)), max_size=60), st.integers(1, 9))
def test_no_state_knows_its_targets_moment_or_anything_later(rows, length):
    # The item is the second, so that knowing the future shows.
    for known, second, _ in pairs(learn(log([(user, second, second) for user, second in rows]), length)):
        assert max(known) < second


def test_weights_come_with_their_targets():
    data = learn(log([(1, 10, 5), (1, 20, 6), (1, 30, 7)]), length=4)
    assert data.weight.tolist() == [1.0 + 6 % 3, 1.0 + 7 % 3]


def test_a_history_that_lost_its_items_gives_no_state():
    labels = log([(1, 10, 5), (1, 20, 6)])
    windows = training_windows(labels, 4)
    histories = histories_of(labels, windows.user_index, windows.at, 4)
    histories.items[:] = histories.kinds[:] = histories.at_seconds[:] = 0
    assert pairs(training_data(histories, labels, windows)) == []


def test_an_empty_log_gives_an_empty_epoch():
    data = learn(log([]), 4)
    assert len(data) == 0
    assert batches_of(data, 8, 0) == []
    assert not data.frequency.any()


def many(seed: int = 0) -> TrainingData:
    rng = np.random.default_rng(seed)
    rows = [
        (int(u), int(s), int(i)) for u, s, i in zip(*rng.integers(1, (9, 40, 60), (300, 3)).T, strict=True)
    ]
    return learn(log(rows), 6)


def test_an_epoch_has_each_pair_once_and_cuts_padding():
    data = many()
    batches = batches_of(data, 4, 1)
    assert sorted(np.concatenate([batch.target for batch in batches])) == sorted(data.target)
    for batch in batches:
        assert (batch.kinds[:, 0] > 0).any()
        known = batch.items[batch.state_row, batch.state_position]
        assert (known > 0).all()
        assert (batch.at_seconds[batch.state_row, batch.state_position] < batch.state_at_seconds).all()


def test_a_batch_holds_the_same_states_as_its_rows():
    data = many()
    rows = np.array([5, 2, 7])
    batch = batch_of(data, rows)
    expected = [
        (int(data.histories.items[row, data.state_position[s]]), int(data.state_at_seconds[s]))
        for row in rows
        for s in range(data.state_offsets[row], data.state_offsets[row + 1])
    ]
    got = batch.items[batch.state_row, batch.state_position].tolist()
    assert list(zip(got, batch.state_at_seconds.tolist(), strict=True)) == expected


def test_the_parts_of_a_batch_share_its_targets_and_weight():
    data = many()
    rows = batch_rows(data, 7, np.random.default_rng(0))[0]
    targets, weight = targets_of(data, rows)
    parts = [batch_of(data, rows[part::3]) for part in range(3)]
    assert sorted(np.concatenate([part.target for part in parts])) == sorted(targets)
    assert sum(float(part.weight.sum()) for part in parts) == weight


@pytest.mark.parametrize(("one", "other", "equal"), [(1, 1, True), (1, 2, False)])
def test_the_order_of_batches_is_the_generators(one, other, equal):
    first, second = (batches_of(many(), 4, seed) for seed in (one, other))
    assert all(np.array_equal(a.target, b.target) for a, b in zip(first, second, strict=True)) == equal


def test_histories_are_right_aligned_and_strictly_before():
    actions = log([(1, 10, 5), (1, 20, 6), (1, 20, 7), (2, 15, 9)])
    found = histories_of(actions, np.array([1, 1, 2, 3]), np.array([20, 21, 16, 99]) * MICROS, 3)
    assert found.items.tolist() == [[0, 0, 5], [5, 6, 7], [0, 0, 9], [0, 0, 0]]
    assert found.request_at_seconds.tolist() == [20, 21, 16, 99]
