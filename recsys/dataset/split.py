"""What is trained on and what is predicted: leave-one-out, and a cut through time.

The unit is the moment: all actions of one user at one instant, which is a single action in an ordered
log and a whole basket in a shop's till. Nothing of a moment can help to guess the rest of it.

A part of the log is as it was when that part ended: a purchase that is cancelled later is in it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, IntArray
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.errors import DataError
from recsys.instants import DAY, NEVER, SECOND, from_micros

LEAVE_ONE_OUT = "leave-one-out"
TIME_SPLIT = "time-split"
TRAIN, VALIDATION, TEST, UNDONE = 0, 1, 2, 3  # the codes of `leave_one_out_parts`

PartArray = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Split:
    """Actions to train on and two sets of cases.

    Attributes:
        protocol: `leave-one-out` or `time-split`.
        train_end: microseconds; all of `train` is before it. None for leave-one-out, where every
            user has an end of their own.
        test_start, test_end: microseconds, None for leave-one-out. The test lies in
            [test_start, test_end); with nothing held out both are the end of the log.
    """

    protocol: str
    train: Interactions
    validation: EvalCases
    test: EvalCases
    train_end: int | None
    test_start: int | None = None
    test_end: int | None = None


def leave_one_out(interactions: Interactions) -> Split:
    """Each user's last moment is the test, the last but one the validation, the rest trains.

    A user's log ends with the test moment, and is as it was then: what was undone before it is in no part,
    what is undone after it stays. So a cancellation after the test moment changes nothing that is trained or
    validated; it only takes its purchase from the targets of the test. Users with fewer than three moments
    stay in training only. A case's `at` is the instant of its targets, so the history of a test case
    includes the validation moment. Between users the future leaks (one user's training may come after
    another's test); `time_split` has no such leak.

    Raises:
        DataError: no user has three moments.
    """
    parts = leave_one_out_parts(interactions)
    if not (parts == TEST).any():
        raise DataError(
            f"none of {len(interactions.users) - 1} users acted at three instants, so there is "
            "no case to predict. Import more events or more kinds of event."
        )
    return Split(
        LEAVE_ONE_OUT,
        interactions.take(parts == TRAIN).as_standing(),
        _cases(interactions, parts == VALIDATION, None),
        _cases(interactions, (parts == TEST) & (interactions.undone_at == NEVER), None),
        None,
    )


def time_split(
    interactions: Interactions, test_days: int, validation_days: int, test_from: int | None = None
) -> Split:
    """A test of `test_days` times 24 hours, by default the last ones, and a validation right before it.

    A case is a user with an action in the window, its targets are the distinct items of the window that stand
    at its end, and its `at` is the window's start. Users without any earlier action stay in, as cold users.
    Training is as it was known at its end: see `Interactions.known_at`.

    Args:
        test_from: microseconds, where the test begins; it ends `test_days` later or where the log does, and
            nothing after it is read.

    Raises:
        DataError: nothing is left to train on, or a window is empty.
    """
    if not len(interactions):
        raise DataError("there are no actions to split. Run `recsys data import` first.")
    last = int(interactions.at.max())
    if test_from is not None:
        _check_test_from(interactions, test_from)
        test_start = test_from
        test_end = min(test_start + test_days * DAY, interactions.end)
    else:
        test_start, test_end = last + 1 - test_days * DAY, interactions.end
    train_end = test_start - validation_days * DAY
    split = split_at(interactions, train_end, test_start if test_days else test_end, test_end)
    days = (last - int(interactions.at.min())) / DAY
    for part, name in ((split.train, "training"), (split.validation, "validation")):
        if not len(part):
            raise DataError(
                f"no event is left for {name}: the data spans {days:.1f} days, the test {test_days} and the "
                f"validation {validation_days}. Lower evaluation.test_days or evaluation.validation_days "
                "(with --incremental those of incremental), move --test-from, use --protocol leave-one-out, "
                "which holds back the last actions of each user instead of days, or import more events."
            )
    if test_days and not len(split.test):
        raise DataError(
            f"nobody acts in the {test_days} days from {_minute(test_start)}, so there is no case. "
            "Raise evaluation.test_days or move --test-from."
        )
    return split


def _check_test_from(interactions: Interactions, test_from: int) -> None:
    first, last = int(interactions.at.min()), int(interactions.at.max())
    if not first < test_from <= last:
        side = "before the second" if test_from <= first else "after the last"
        raise DataError(
            f"the test cannot begin at {_minute(test_from)}: that is {side} of the actions, which were from "
            f"{_minute(first)} to {_minute(last)}. Choose an instant between them for --test-from."
        )


def _minute(instant: int) -> str:
    return f"{from_micros(instant):%Y-%m-%d %H:%M}"


def check_next_actions(interactions: Interactions) -> None:
    """Makes sure that some user acted twice, so that there is a next action to learn.

    Raises:
        DataError: nobody did.
    """
    if not _some_act_twice(interactions):
        raise DataError(
            f"none of {len(interactions.users) - 1} users acted at two instants, so there is no next action "
            "to learn. Import more events of the same users, or of more kinds (label_kinds in the mapping)."
        )


def check_training_part(split: Split) -> None:
    """Makes sure that some user acted twice in the training part.

    Raises:
        DataError: nobody did.
    """
    if _some_act_twice(split.train):
        return
    if split.train_end is None:
        raise DataError(
            "no user acted at four instants: leave-one-out holds back the last two of each, and one action "
            "alone has no next one to learn. Import more events of the same users."
        )
    raise DataError(
        f"no user acted at two instants before {from_micros(split.train_end):%Y-%m-%d %H:%M}, where the days "
        "begin that are held back, so there is no next action to learn. Lower evaluation.test_days or "
        "evaluation.validation_days (with --incremental those of incremental), use --protocol leave-one-out, "
        "or import more events."
    )


def _some_act_twice(interactions: Interactions) -> bool:
    """Whether some user acted in two seconds; what is closer together is one moment to the network."""
    seconds, users = interactions.at // SECOND, interactions.user_index
    return bool(((np.diff(seconds) != 0) & (np.diff(users) == 0)).any())


def split_at(
    interactions: Interactions, train_end: int, test_start: int, test_end: int | None = None
) -> Split:
    """A cut through time at instants, microseconds: with equal ones cases of other logs compare.

    Args:
        test_end: by default the end of the log.
    """
    test_end = interactions.end if test_end is None else test_end
    before_test, before_end = interactions.known_at(test_start), interactions.known_at(test_end)
    return Split(
        TIME_SPLIT,
        interactions.known_at(train_end),
        _cases(before_test, before_test.at >= train_end, train_end),
        _cases(before_end, before_end.at >= test_start, test_start),
        train_end,
        test_start,
        test_end,
    )


def known_before_test(interactions: Interactions, split: Split) -> Interactions:
    """The actions that a model may have seen before the test: those of training and validation."""
    if split.test_start is not None:
        return interactions.known_at(split.test_start)
    parts = leave_one_out_parts(interactions)
    return interactions.take((parts == TRAIN) | (parts == VALIDATION)).as_standing()


def leave_one_out_parts(interactions: Interactions) -> PartArray:
    """(M,) int8: for each action TRAIN, VALIDATION or TEST under leave-one-out.

    UNDONE are those that a cancellation took back before their user's test moment.
    """
    user = interactions.user_index
    ends = np.zeros(len(interactions.users), np.int64)
    ends[user] = interactions.at  # the last write of a user wins
    standing = interactions.undone_at >= ends[user]
    parts = np.full(len(interactions), UNDONE, np.int8)
    kept = interactions.take(standing)
    moments = moments_of(kept)
    last = np.zeros(len(interactions.users), np.int64)
    last[kept.user_index] = moments
    last = last[kept.user_index]
    held = np.where(moments == last, TEST, np.where(moments == last - 1, VALIDATION, TRAIN))
    parts[standing] = np.where(last >= 2, held, TRAIN)
    return parts


def moments_of(interactions: Interactions) -> IntArray:
    """(M,) int64: the ordinal, from 0, of the distinct instant of its user that an action belongs to.

    >>> # instants of one user 10, 10, 30 -> moments 0, 0, 1
    """
    user, at = interactions.user_index, interactions.at
    if not len(user):
        return np.zeros(0, np.int64)
    new_user = np.concatenate([[True], user[1:] != user[:-1]])
    new_moment = new_user | np.concatenate([[True], at[1:] != at[:-1]])
    count = np.cumsum(new_moment) - 1
    return (count - np.maximum.accumulate(np.where(new_user, count, 0))).astype(np.int64)


def history_ends(interactions: Interactions, user_index: IntArray, at: IntArray) -> IntArray:
    """(U,) int64: where each user's actions strictly before `at` end, undone ones included.

    Case c may see the actions `user_offsets[user_index[c]]:history_ends(...)[c]`, nothing else.
    """
    low = interactions.user_offsets[user_index]
    high = interactions.user_offsets[user_index + 1]
    while (open_ := low < high).any():  # a binary search in all users' actions at once
        middle = (low + high) // 2
        before = open_ & (interactions.at[np.minimum(middle, len(interactions) - 1)] < at)
        low = np.where(before, middle + 1, low)
        high = np.where(open_ & ~before, middle, high)
    return low


def histories_before(interactions: Interactions, cases: EvalCases) -> tuple[IntArray, IntArray]:
    """Every action that came before its case's instant and stood then: rows of `cases` and `interactions`.

    Case by case, oldest first; a user without history has none.
    """
    starts = interactions.user_offsets[cases.user_index]
    counts = history_ends(interactions, cases.user_index, cases.at) - starts
    case = np.repeat(np.arange(len(cases)), counts)
    first = np.cumsum(counts) - counts
    action = np.arange(len(case)) - first[case] + starts[case]
    standing = interactions.undone_at[action] >= cases.at[case]
    return case[standing], action[standing]


def _cases(interactions: Interactions, mask: BoolArray, at: int | None) -> EvalCases:
    """One case for each user with an action in `mask`, at the instant `at` or that of the action."""
    width = len(interactions.items)
    pairs = np.unique(interactions.user_index[mask] * width + interactions.item_index[mask])
    users, counts = np.unique(pairs // width, return_counts=True)
    instants = np.zeros(len(interactions.users), np.int64)
    instants[interactions.user_index[mask]] = interactions.at[mask] if at is None else at
    return EvalCases(
        user_index=users,
        at=instants[users],
        target_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        targets=pairs % width,
    )
