"""An imported shop as training and evaluation see it: facts, labelled actions, and how they are cut."""

from dataclasses import dataclass

from recsys.config import EvaluationSettings
from recsys.dataset.info import DatasetInfo
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import (
    LEAVE_ONE_OUT,
    TIME_SPLIT,
    Split,
    check_next_actions,
    check_training_part,
    leave_one_out,
    time_split,
)
from recsys.errors import DataError
from recsys.instants import to_micros

ALL = "all"  # nothing is held out for a test; the last days are still used to stop and to calibrate
PROTOCOLS = (TIME_SPLIT, LEAVE_ONE_OUT, ALL)


def check_holds_out(protocol: str) -> None:
    """Makes sure that a protocol leaves something to test on.

    Raises:
        DataError: it holds nothing back.
    """
    if protocol == ALL:
        raise DataError(
            f"protocol {ALL!r} holds nothing back, so there is nothing to test a model on. "
            f"Use --protocol {TIME_SPLIT} or {LEAVE_ONE_OUT}."
        )


@dataclass(frozen=True)
class Shop:
    """One shop: what is known of its data, and its labelled actions."""

    info: DatasetInfo
    interactions: Interactions

    @property
    def default_protocol(self) -> str:
        """The stricter protocol that the data allows."""
        return TIME_SPLIT if self.info.clock == "time" else LEAVE_ONE_OUT

    def training_split(self, protocol: str, settings: EvaluationSettings) -> Split:
        """As `split`, for a training: before any work it is sure that there is something to learn.

        Raises:
            DataError: as `split`; or nobody has a next action to learn.
        """
        check_next_actions(self.interactions)
        split = self.split(protocol, settings)
        check_training_part(split)
        return split

    def split(self, protocol: str, settings: EvaluationSettings) -> Split:
        """The shop's actions cut by `protocol`.

        Raises:
            DataError: the protocol is unknown, cuts through a time that the data does not have, or nowhere
                although the settings say where the test begins.
        """
        if protocol not in PROTOCOLS:
            raise DataError(f"protocol {protocol!r} is unknown. Use one of: {', '.join(PROTOCOLS)}.")
        test_from = settings.test_from
        if test_from is not None and protocol != TIME_SPLIT:
            raise DataError(
                f"protocol {protocol!r} has no test that begins at an instant, such as the given "
                f"{test_from:%Y-%m-%d %H:%M}. Use --protocol {TIME_SPLIT}, or leave out --test-from and "
                "evaluation.test_from."
            )
        if protocol == LEAVE_ONE_OUT:
            return leave_one_out(self.interactions)
        if self.info.clock == "order":
            raise DataError(
                f"{self.info.name} has an order but no clock, so {protocol!r} cannot cut it. "
                f"Use --protocol {LEAVE_ONE_OUT}."
            )
        test_days = 0 if protocol == ALL else settings.test_days
        start = None if test_from is None else to_micros(test_from)
        return time_split(self.interactions, test_days, settings.validation_days, start)
