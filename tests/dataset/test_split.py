"""Leave-one-out and the cut through time; neither ever leaks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.dataset.interactions import EvalCases, Interactions, Vocabulary
from recsys.dataset.split import (
    TEST,
    TRAIN,
    UNDONE,
    Split,
    check_next_actions,
    check_training_part,
    histories_before,
    history_ends,
    known_before_test,
    leave_one_out,
    leave_one_out_parts,
    moments_of,
    split_at,
    time_split,
)
from recsys.errors import DataError
from recsys.instants import DAY, NEVER

ITEM_COUNT = 6


def actions(*rows: tuple[int, int, int]) -> Interactions:
    """user, item, instant (days); sorted here."""
    ordered = sorted(rows, key=lambda row: (row[0], row[2]))
    user, item, day = (np.array(column, np.int64) for column in zip(*ordered, strict=True))
    users = Vocabulary(("", *(f"u{i}" for i in range(1, int(user.max()) + 1))))
    items = Vocabulary(("", *(f"i{i}" for i in range(1, ITEM_COUNT + 1))))
    weight = np.ones(len(user), np.float32)
    return Interactions(users, items, user, item, np.full(len(user), 3), weight, day * DAY)


def undone(log: Interactions, *rows: tuple[int, int]) -> Interactions:
    """`log` with purchases taken back: row of the log, instant (days)."""
    undone_at = log.undone_at.copy()
    for row, day in rows:
        undone_at[row] = day * DAY
    return replace(log, undone_at=undone_at)


logs = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, ITEM_COUNT), st.integers(0, 12)), min_size=1, max_size=60
).map(lambda rows: actions(*rows))


def case_of(cases: EvalCases, user: int) -> tuple[int, list[int]]:
    row = cases.user_index.tolist().index(user)
    return int(cases.at[row]) // DAY, cases.targets_of(row).tolist()


def test_leave_one_out_asks_for_the_last_action_and_validates_on_the_one_before() -> None:
    split = leave_one_out(actions((1, 1, 0), (1, 2, 1), (1, 3, 2), (1, 4, 3)))
    assert split.train.item_index.tolist() == [1, 2]
    assert case_of(split.validation, 1) == (2, [3])
    assert case_of(split.test, 1) == (3, [4])
    assert split.train_end is None


def test_the_whole_last_basket_is_one_case() -> None:
    split = leave_one_out(actions((1, 1, 0), (1, 2, 1), (1, 3, 1), (1, 4, 2), (1, 1, 2), (1, 4, 2)))
    assert split.train.item_index.tolist() == [1]
    assert case_of(split.validation, 1) == (1, [2, 3])
    assert case_of(split.test, 1) == (2, [1, 4])


def test_a_user_with_fewer_than_three_moments_only_trains() -> None:
    split = leave_one_out(actions((1, 1, 0), (1, 2, 0), (1, 3, 1), (2, 1, 0), (2, 2, 1), (2, 3, 2)))
    assert split.test.user_index.tolist() == [2]
    assert split.train.user_index.tolist() == [1, 1, 1, 2]


def test_leave_one_out_of_too_short_a_log_is_rejected() -> None:
    with pytest.raises(DataError, match="none of 1 users acted at three instants"):
        leave_one_out(actions((1, 1, 0), (1, 2, 1)))


def test_time_split_cuts_at_the_last_days_and_asks_at_the_cut() -> None:
    log = actions((1, 1, 0), (1, 2, 7), (1, 3, 9), (1, 3, 10), (2, 5, 10))
    split = time_split(log, test_days=2, validation_days=2)
    # The last event is at day 10: the test holds (8, 10], the validation (6, 8], training all before.
    assert split.train.item_index.tolist() == [1]
    assert split.validation.user_index.tolist() == [1]
    assert split.validation.targets.tolist() == [2]
    assert split.test.user_index.tolist() == [1, 2]
    assert split.test.targets.tolist() == [3, 5]
    assert split.test.at.tolist() == [8 * DAY + 1] * 2
    assert split.train_end == 6 * DAY + 1


def test_a_user_without_a_past_stays_in_a_time_split_as_a_cold_user() -> None:
    split = time_split(actions((1, 1, 0), (1, 2, 2), (1, 2, 3), (2, 5, 4)), 1, 2)
    assert split.test.user_index.tolist() == [2]
    assert not (split.train.user_index == 2).any()


def test_zero_test_days_keep_everything_but_the_validation_for_training() -> None:
    split = time_split(actions((1, 1, 0), (1, 2, 9), (1, 3, 10)), 0, 2)
    assert split.train.item_index.tolist() == [1]
    assert len(split.test) == 0


def test_a_window_longer_than_the_data_is_rejected_with_the_settings_to_lower() -> None:
    with pytest.raises(DataError, match=r"spans 3\.0 days.*evaluation\.test_days"):
        time_split(actions((1, 1, 0), (1, 2, 3)), 28, 28)


@given(logs)
def test_leave_one_out_never_trains_on_what_came_at_or_after_a_case(log: Interactions) -> None:
    parts = leave_one_out_parts(log)
    assert len(parts) == len(log)  # each action has one part
    if not (parts == TEST).any():
        return
    split = leave_one_out(log)
    assert len(split.train) == (parts == TRAIN).sum()
    assert set(split.test.user_index) == set(log.user_index[parts == TEST])
    for cases in (split.validation, split.test):
        for user, at in zip(cases.user_index, cases.at, strict=True):
            assert (split.train.at[split.train.user_index == user] < at).all()
    for case, user in enumerate(split.test.user_index):
        held_out = log.item_index[(log.user_index == user) & (parts == TEST)]
        assert set(split.test.targets_of(case)) == set(held_out)


@given(logs, st.integers(1, 5), st.integers(1, 5))
def test_time_split_never_trains_on_what_came_at_or_after_any_case(
    log: Interactions, test_days: int, validation_days: int
) -> None:
    cut = int(log.at.max()) + 1 - test_days * DAY
    early = cut - validation_days * DAY
    if not ((log.at < early).any() and ((log.at >= early) & (log.at < cut)).any()):
        return
    split = time_split(log, test_days, validation_days)
    assert split.train.at.max() < split.validation.at.min() < split.test.at.min()
    tested = log.at >= cut
    pairs = set(zip(log.user_index[tested], log.item_index[tested], strict=True))
    owners = np.repeat(split.test.user_index, np.diff(split.test.target_offsets))
    assert set(zip(owners, split.test.targets, strict=True)) == pairs
    assert len(split.test.targets) == len(pairs)  # distinct


def test_a_cut_sees_purchases_that_are_cancelled_after_it() -> None:
    log = actions((1, 1, 0), (1, 2, 1), (1, 3, 4), (1, 4, 5), (1, 5, 8), (1, 6, 9))
    # Training ends at day 3, the test begins at day 6. Purchases 1 and 2 go back on days 2 and 3, that of the
    # validation's item 3 on day 5, of 4 on day 7, of the test's item 5 on day 20.
    log = undone(log, (0, 2), (1, 3), (2, 5), (3, 7), (4, 20))
    split = split_at(log, 3 * DAY, 6 * DAY)
    assert split.train.item_index.tolist() == [2]
    assert split.train.undone_at.tolist() == [NEVER]
    assert split.validation.targets.tolist() == [4]
    assert split.test.targets.tolist() == [6]
    assert (split.test_start, split.test_end) == (6 * DAY, 20 * DAY + 1)
    assert known_before_test(log, split).item_index.tolist() == [4]
    # A test that ends on day 10 does not know that item 5 went back on day 20.
    assert split_at(log, 3 * DAY, 6 * DAY, 10 * DAY).test.targets.tolist() == [5, 6]


def test_a_history_holds_what_stood_at_the_instant_of_its_case() -> None:
    log = undone(actions((1, 1, 0), (1, 2, 1), (2, 3, 0)), (0, 2))
    at = np.array([2, 3, 9]) * DAY
    cases = EvalCases(np.array([1, 1, 2]), at, np.zeros(4, np.int64), np.zeros(0, np.int64))
    rows, action = histories_before(log, cases)
    assert rows.tolist() == [0, 0, 1, 2]  # at day 2 itself the cancellation is not known yet
    assert log.item_index[action].tolist() == [1, 2, 2, 3]


undone_logs = st.tuples(logs, st.lists(st.integers(1, 20), min_size=60, max_size=60)).map(
    lambda drawn: replace(
        drawn[0],
        undone_at=np.array(
            [
                int(at) + after * DAY if after < 8 else NEVER
                for at, after in zip(drawn[0].at, drawn[1][: len(drawn[0])], strict=True)
            ]
        ),
    )
)


def training_and_validation(split: Split) -> list[list[int]]:
    cases = split.validation
    arrays = (split.train.user_index, split.train.item_index, split.train.at, split.train.undone_at)
    return [each.tolist() for each in (*arrays, cases.user_index, cases.at, cases.targets)]


@given(undone_logs, st.integers(1, 12))
def test_nothing_at_or_after_a_cut_changes_what_was_known_before_it(log: Interactions, day: int) -> None:
    cut = day * DAY
    known, later = log.known_at(cut), log.at >= cut
    changed = replace(
        log,
        item_index=np.where(later, ITEM_COUNT + 1 - log.item_index, log.item_index),
        undone_at=np.where(log.undone_at >= cut, NEVER, log.undone_at),
    )
    for name in ("user_index", "item_index", "at", "undone_at"):
        assert getattr(changed.known_at(cut), name).tolist() == getattr(known, name).tolist()
    for one, other in ((log, changed), (log.before(cut), log)):
        found = [training_and_validation(split_at(each, cut - 3 * DAY, cut)) for each in (one, other)]
        assert found[0] == found[1]


@given(undone_logs)
def test_no_cancellation_after_a_users_test_moment_changes_training_or_validation(log: Interactions) -> None:
    ends = np.zeros(len(log.users), np.int64)
    np.maximum.at(ends, log.user_index, log.at)
    told = replace(log, undone_at=np.where(log.undone_at < ends[log.user_index], log.undone_at, NEVER))
    if not (leave_one_out_parts(log) == TEST).any():
        return
    assert training_and_validation(leave_one_out(log)) == training_and_validation(leave_one_out(told))
    parts = leave_one_out_parts(log)
    assert ((parts == UNDONE) == (log.undone_at < ends[log.user_index])).all()


def test_what_was_undone_before_a_users_test_is_no_moment_and_later_it_is_no_target() -> None:
    log = actions((1, 1, 0), (1, 2, 1), (1, 3, 2), (1, 4, 3), (1, 5, 4), (1, 6, 4))
    split = leave_one_out(undone(log, (2, 3), (4, 9)))
    assert split.train.item_index.tolist() == [1, 2]
    assert split.validation.targets.tolist() == [4]
    assert split.test.targets.tolist() == [6]


def test_a_test_may_begin_at_any_instant_and_nothing_after_it_is_read() -> None:
    log = actions((1, 1, 0), (1, 2, 3), (1, 3, 5), (2, 4, 6), (1, 5, 7), (1, 6, 20))
    split = time_split(log, test_days=2, validation_days=2, test_from=5 * DAY)
    assert split.train.item_index.tolist() == [1]  # before day 3
    assert split.validation.targets.tolist() == [2]
    assert split.test.targets.tolist() == [3, 4]  # of [5, 7)
    assert (split.test_start, split.test_end) == (5 * DAY, 7 * DAY)
    assert time_split(log, 28, 2, 5 * DAY).test_end == 20 * DAY + 1


@pytest.mark.parametrize(
    ("test_from", "message"),
    [
        (0, "before the second of the actions, which were from 1970-01-01 00:00 to 1970-01-21 00:00"),
        (21, "after the last of the actions"),
        (8, r"nobody acts in the 2 days from 1970-01-09 00:00, .*move --test-from"),
        (2, "no event is left for training"),
    ],
)
def test_a_test_that_begins_where_it_leaves_nothing_is_rejected(test_from: int, message: str) -> None:
    log = actions((1, 1, 0), (1, 2, 3), (1, 3, 5), (2, 4, 6), (1, 5, 7), (1, 6, 20))
    with pytest.raises(DataError, match=message):
        time_split(log, 2, 2, test_from * DAY)


@given(logs)
def test_moments_count_the_distinct_instants_of_a_user(log: Interactions) -> None:
    for user in set(log.user_index):
        mine = log.user_index == user
        instants = sorted(set(log.at[mine]))
        assert moments_of(log)[mine].tolist() == [instants.index(at) for at in log.at[mine]]


@given(logs, st.lists(st.tuples(st.integers(1, 5), st.integers(-1, 14)), max_size=8))
def test_a_history_is_everything_strictly_before_the_instant(
    log: Interactions, pairs: list[tuple[int, int]]
) -> None:
    known = [(min(user, len(log.users) - 1), day * DAY) for user, day in pairs]
    user, at = np.array(known, np.int64).reshape(-1, 2).T
    cases = EvalCases(user, at, np.zeros(len(user) + 1, np.int64), np.zeros(0, np.int64))
    ends = history_ends(log, user, at)
    rows, action = histories_before(log, cases)
    for case in range(len(cases)):
        expected = np.flatnonzero((log.user_index == user[case]) & (log.at < at[case]))
        assert ends[case] - log.user_offsets[user[case]] == len(expected)
        assert action[rows == case].tolist() == expected.tolist()


def once_each(users: int = 9) -> Interactions:
    return actions(*((user, 1, 10 * user) for user in range(1, users + 1)))


def test_a_shop_where_everybody_acted_once_has_nothing_to_learn() -> None:
    log = once_each()
    with pytest.raises(DataError, match=r"none of 9 users acted at two instants, .*Import more"):
        check_next_actions(log)
    check_next_actions(actions((1, 1, 0), (1, 1, 1)))


def test_days_held_back_that_leave_nothing_to_learn_are_named() -> None:
    log = actions((1, 1, 0), (2, 1, 1), (1, 2, 40), (2, 2, 41), (1, 3, 80))
    with pytest.raises(DataError, match=r"before 1970-01-25 00:00, .* Lower evaluation\.test_days"):
        check_training_part(time_split(log, 28, 28))
    check_training_part(time_split(log, 28, 12))


def test_leave_one_out_needs_four_instants_of_somebody() -> None:
    three = actions((1, 1, 0), (1, 2, 1), (1, 3, 2), (2, 1, 0))
    with pytest.raises(DataError, match="acted at four instants"):
        check_training_part(leave_one_out(three))
    four = actions((1, 1, 0), (1, 2, 1), (1, 3, 2), (1, 4, 3))
    check_training_part(leave_one_out(four))


def test_a_split_that_leaves_a_part_empty_names_the_protocol_without_days() -> None:
    with pytest.raises(DataError, match="--protocol leave-one-out"):
        time_split(actions((1, 1, 0), (1, 2, 0)), 28, 28)
