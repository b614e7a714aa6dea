"""Target policies: the probability of each arm in each row's context."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import DoubleArray
from recsys.errors import DataError, did_you_mean
from recsys.evaluation.off_policy.log import PolicyLog, row_number

_ROUNDING = 1e-6  # what decimals of a file may leave of a sum of 1


@dataclass(frozen=True)
class TargetPolicy:
    """A policy whose value is asked for.

    Attributes:
        probabilities: (N, A) of each arm of the log in each row's context; rows sum to 1.
    """

    name: str
    probabilities: DoubleArray


def always(log: PolicyLog, arm: str) -> TargetPolicy:
    """The policy that shows one arm whatever the context.

    Raises:
        DataError: the log never shows that arm.
    """
    one_row = np.zeros(len(log.arms))
    one_row[_arm_index(log, arm, always_name(arm), 1.0)] = 1.0
    return TargetPolicy(always_name(arm), np.broadcast_to(one_row, (len(log), len(log.arms))))


def always_name(arm: str) -> str:
    """What the policy is called that always shows `arm`."""
    return f"always {arm}"


def policy_of_choices(
    log: PolicyLog,
    name: str,
    choices: Iterable[tuple[Hashable, str, float]],
    keys: Sequence[Hashable],
    where: Callable[[int], str] = row_number,
) -> TargetPolicy:
    """The policy that a table describes.

    Args:
        choices: (key, arm, probability); a key has as many of them as it has arms.
        keys: (N,) the key of each row of the log: its number, or its context.
        where: the place of row i of the log, for messages.

    Raises:
        DataError: a probability is out of range, those of a key do not sum to 1, an arm was never shown, or
            a row's key has no choice.
    """
    places = {arm: place for place, arm in enumerate(log.arms)}
    distributions: dict[Hashable, DoubleArray] = {}
    unseen: dict[str, float] = {}
    for key, arm, probability in choices:
        if not 0 <= probability <= 1:
            raise DataError(
                f"{name}: {arm!r} has the probability {probability:g} for {_shown(key)}. "
                "Give a number from 0 to 1."
            )
        known = distributions.setdefault(key, np.zeros(len(log.arms) + 1))
        known[places.get(arm, len(log.arms))] += probability
        if arm not in places and probability > 0:
            unseen.setdefault(arm, 0.0)
    for key, known in distributions.items():
        if abs(known.sum() - 1) > _ROUNDING:
            raise DataError(
                f"{name}: the probabilities for {_shown(key)} sum to {known.sum():g}. Make them sum to 1."
            )
    try:
        found = np.array([distributions[key] for key in keys])
    except KeyError as error:
        place = next(i for i, key in enumerate(keys) if key not in distributions)
        raise DataError(
            f"{name} says nothing of {where(place)}, {_shown(keys[place])}. Give every context an arm."
        ) from error
    if unseen and found[:, -1].any():
        _arm_index(log, min(unseen), name, float(found[:, -1].mean()))
    return TargetPolicy(name, found[:, :-1])


def _shown(key: Hashable) -> str:
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _arm_index(log: PolicyLog, arm: str, policy: str, share: float) -> int:
    if arm not in log.arms:
        known = ", ".join(log.arms[:20])
        raise DataError(
            f"{policy}: the log never shows the arm {arm!r}, where {share:.1%} of the policy lies, so it "
            f"says nothing of its value.{did_you_mean(arm, log.arms)} It shows: {known}."
        )
    return log.arms.index(arm)
