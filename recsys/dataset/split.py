"""What is trained on and what is predicted: leave-one-out, and a cut through time.

The unit is the moment: all actions of one user at one instant, which is a single action in an ordered
log and a whole basket in a shop's till. Nothing of a moment can help to guess the rest of it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, IntArray
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.errors import DataError
from recsys.instants import DAY, SECOND, from_micros

LEAVE_ONE_OUT = "leave-one-out"
TIME_SPLIT = "time-split"
TRAIN, VALIDATION, TEST = 0, 1, 2  # the codes of `*_parts`

PartArray = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Split:
    """Actions to train on and two sets of cases.

    Attributes:
        protocol: `leave-one-out` or `time-split`.
        train_end: microseconds; all of `train` is before it. None for leave-one-out, where every
            user has an end of their own.
    """

    protocol: str
    train: Interactions
    validation: EvalCases
    test: EvalCases
    train_end: int | None


def leave_one_out(interactions: Interactions) -> Split:
    """Each user's last moment is the test, the last but one the validation, the rest trains.

    Users with fewer than three moments stay in training only. A case's `at` is the instant of its
    targets, so the history of a test case includes the validation moment. Between users the future
    leaks (one user's training may come after another's test); `time_split` has no such leak.

    Raises:
        DataError: no user has three moments.
    """
    parts = leave_one_out_parts(interactions)
    if not (parts == TEST).any():
        raise DataError(
            f"none of {len(interactions.users) - 1} users acted at three instants, so there is "
            "no case to predict. Import more events or more kinds of event."
        )
    validation, test = (_cases(interactions, parts == part, None) for part in (VALIDATION, TEST))
    return Split(LEAVE_ONE_OUT, interactions.take(parts == TRAIN), validation, test, None)


def time_split(interactions: Interactions, test_days: int, validation_days: int) -> Split:
    """The last `test_days` times 24 hours are the test, `validation_days` before them the validation.

    A case is a user with an action in the window, its targets are the distinct items of the window,
    and its `at` is the window's start. Users without any earlier action stay in, as cold users.

    Raises:
        DataError: nothing is left to train on, or a window is empty.
    """
    train_end, test_start = _cuts(interactions, test_days, validation_days)
    parts = time_parts(interactions, test_days, validation_days)
    for part, name in ((TRAIN, "training"), (VALIDATION, "validation")):
        if not (parts == part).any():
            days = (int(interactions.at.max()) - int(interactions.at.min())) / DAY
            raise DataError(
                f"no event is left for {name}: the data spans {days:.1f} days, the test {test_days} and the "
                f"validation {validation_days}. Lower evaluation.test_days or evaluation.validation_days "
                "(with --incremental those of incremental), use --protocol leave-one-out, which holds back "
                "the last actions of each user instead of days, or import more events."
            )
    return split_at(interactions, train_end, test_start)


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


def split_at(interactions: Interactions, train_end: int, test_start: int) -> Split:
    """A cut through time at two instants, microseconds: with equal ones cases of other logs compare."""
    at = interactions.at
    return Split(
        TIME_SPLIT,
        interactions.take(at < train_end),
        _cases(interactions, (at >= train_end) & (at < test_start), train_end),
        _cases(interactions, at >= test_start, test_start),
        train_end,
    )


def known_before_test(interactions: Interactions, split: Split) -> Interactions:
    """The actions that a model may have seen before the test: those of training and validation.

    Under leave-one-out only the training part, which is the classic protocol: models are fitted without
    any user's validation item.
    """
    if split.train_end is None:
        return split.train
    return interactions.take(interactions.at < test_start(interactions, split))


def test_start(interactions: Interactions, split: Split) -> int:
    """The instant, microseconds, at which the test of a cut through time begins; else the data's end."""
    return int(split.test.at[0]) if len(split.test) else int(interactions.at.max()) + 1


def leave_one_out_parts(interactions: Interactions) -> PartArray:
    """(M,) int8: for each action TRAIN, VALIDATION or TEST under leave-one-out."""
    moments = moments_of(interactions)
    last = np.zeros(len(interactions.users), np.int64)
    last[interactions.user_index] = moments  # the last write of a user wins
    behind = last[interactions.user_index] - moments
    has_case = last[interactions.user_index] >= 2
    parts = np.where(behind == 0, TEST, np.where(behind == 1, VALIDATION, TRAIN))
    return np.where(has_case, parts, TRAIN).astype(np.int8)


def time_parts(interactions: Interactions, test_days: int, validation_days: int) -> PartArray:
    """(M,) int8: for each action TRAIN, VALIDATION or TEST under a cut through time."""
    train_end, test_start = _cuts(interactions, test_days, validation_days)
    at = interactions.at
    return np.where(at >= test_start, TEST, np.where(at >= train_end, VALIDATION, TRAIN)).astype(np.int8)


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
    """(U,) int64: where each user's actions strictly before `at` end.

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
    """Every action that came before its case's instant: rows of `cases` and rows of `interactions`.

    Case by case, oldest first; a user without history has none.
    """
    starts = interactions.user_offsets[cases.user_index]
    counts = history_ends(interactions, cases.user_index, cases.at) - starts
    case = np.repeat(np.arange(len(cases)), counts)
    first = np.cumsum(counts) - counts
    return case, np.arange(len(case)) - first[case] + starts[case]


def _cuts(interactions: Interactions, test_days: int, validation_days: int) -> tuple[int, int]:
    """The end of training and the start of the test, microseconds."""
    if not len(interactions):
        raise DataError("there are no actions to split. Run `recsys data import` first.")
    test_start = int(interactions.at.max()) + 1 - test_days * DAY
    return test_start - validation_days * DAY, test_start


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
