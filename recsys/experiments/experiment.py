"""An experiment: its salt, the share that is held out, and from when to when it runs."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from recsys.errors import RequestError
from recsys.experiments.assignment import MILLION, is_below_share

DEFAULT_SHARE_PPM = 50_000  # 5%
_SALT = re.compile(r"[!-~]{1,64}")  # a key of BLAKE2b has 64 bytes at most
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


class Arm(StrEnum):
    """Which side of an experiment somebody is on."""

    HOLDOUT = "holdout"  # lives without what is tried
    TREATMENT = "treatment"


@dataclass(frozen=True)
class Experiment:
    """Some people live without what the others get, so that the difference can be measured.

    Attributes:
        name: of 1 to 60 small letters, digits, _ and -.
        salt: of 1 to 64 signs of ASCII; decides who is held out. Another one draws anew: keep it while
            the experiment runs.
        starts_at: aware. ends_at: aware, no longer part of it; None = it has no end yet.
        share_ppm: of all units, the millionths that are held out.
        version, changed_at: of what is stored; 0 and None where it is not.

    Raises:
        RequestError: a value out of range.
    """

    name: str
    salt: str
    starts_at: datetime
    ends_at: datetime | None = None
    share_ppm: int = DEFAULT_SHARE_PPM
    version: int = 0
    changed_at: datetime | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise RequestError(
                f"name {self.name[:80]!r} is not of 1 to 60 small letters, digits, _ and -, and begins with "
                "a letter or digit. Choose another."
            )
        if not _SALT.fullmatch(self.salt):
            raise RequestError(
                f"salt {self.salt[:80]!r} is not of 1 to 64 letters, digits and signs of ASCII. "
                "Choose another."
            )
        if not 1 <= self.share_ppm < MILLION:
            raise RequestError(
                f"share_ppm {self.share_ppm} is not between 1 and {MILLION - 1}. Five percent are 50000."
            )
        for at in (self.starts_at, self.ends_at):
            if at is not None and at.tzinfo is None:
                raise RequestError(f"{at} has no time zone. Give it one.")
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            raise RequestError(f"it ends at {self.ends_at}, not after its start {self.starts_at}. Mend one.")

    def runs(self, now: datetime) -> bool:
        """Whether it has started and not ended."""
        return self.starts_at <= now and (self.ends_at is None or now < self.ends_at)

    def arm(self, unit: str, now: datetime) -> Arm | None:
        """The arm of a unit; None while the experiment does not run: nobody is held out then.

        Args:
            unit: see `assignment_unit`.
        """
        if not self.runs(now):
            return None
        return Arm.HOLDOUT if is_below_share(self.salt, unit, self.share_ppm) else Arm.TREATMENT
