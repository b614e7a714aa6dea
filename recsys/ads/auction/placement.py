"""What one place on a page sells: its slots, reserves and price rule."""

from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property

from recsys.amounts import MOST_MICROS
from recsys.errors import ConfigError

BILLION = 10**9


class PriceRule(StrEnum):
    """What a winner pays."""

    GSP = "gsp"  # generalised second price: the least bid that would have kept the slot
    VCG = "vcg"  # Vickrey-Clarke-Groves: what it takes from those below
    FIRST = "first"  # its own bid


@dataclass(frozen=True)
class Reserves:
    """The least that is taken, in micros: for a click, for 1,000 viewable impressions, for a purchase.

    Raises:
        ConfigError: a reserve below 1, at which nobody would pay for a slot that one ad alone wants, or above
            MOST_MICROS.
    """

    cpc_micros: int = 1
    cpm_micros: int = 1
    cpa_micros: int = 1

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not 1 <= value <= MOST_MICROS:
                raise ConfigError(
                    f"{one.name} = {value} is not between 1 and {MOST_MICROS}. Give whole micros."
                )


@dataclass(frozen=True)
class Placement:
    """Slots that one auction fills, and by which rules.

    Attributes:
        examination: probability that a slot is viewed, the best slot first; in (0, 1], never increasing.
            Positions are separable: a click at a slot has probability attraction x examination, and
            a viewable impression, which CPM is billed for, examination.
        most_per_account: slots that one account may have; None = all.
        most_reruns: how many ads may turn out to be unable to pay before the slots left stay organic.

    Raises:
        ConfigError: no slot, an examination outside its range or out of order, a bound below its least.
    """

    examination: tuple[float, ...]
    price_rule: PriceRule = PriceRule.GSP
    reserves: Reserves = field(default_factory=Reserves)
    most_per_account: int | None = None
    most_reruns: int = 8

    def __post_init__(self) -> None:
        if not self.examination:
            raise ConfigError("examination is empty. A placement has one slot at least.")
        for value, before in zip(self.examination, (1.0, *self.examination), strict=False):
            if not 1 / BILLION <= value <= before:
                raise ConfigError(
                    f"examination {value} is not above 0 and at most {before}. Name the slots from the one"
                    " that is viewed most, each by its share from 0 to 1."
                )
        if self.most_per_account is not None and self.most_per_account < 1:
            raise ConfigError(
                f"most_per_account = {self.most_per_account} is below 1. Leave it out for no limit."
            )
        if self.most_reruns < 0:
            raise ConfigError(f"most_reruns = {self.most_reruns} is below 0. Give 0 or more.")

    @property
    def slots(self) -> int:
        """How many slots there are."""
        return len(self.examination)

    @property
    def account_limit(self) -> int:
        """How many slots one account may have."""
        return self.slots if self.most_per_account is None else self.most_per_account

    @cached_property
    def examination_ppb(self) -> tuple[int, ...]:
        """Examination in whole parts of a billion: VCG prices are exact in them.

        >>> Placement((1.0, 0.6)).examination_ppb
        (1000000000, 600000000)
        """
        return tuple(round(value * BILLION) for value in self.examination)
