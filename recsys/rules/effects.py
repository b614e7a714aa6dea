"""What the rules that fire do to one answer, after conflicts among them are settled."""

from dataclasses import dataclass, field, replace
from typing import Literal

from recsys.documents import JsonObject
from recsys.filters import Filters

Outcome = Literal["applied", "moved", "left_out", "overruled", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("applied", "moved", "left_out", "overruled", "failed")


@dataclass(frozen=True)
class FiredRule:
    """One action of a rule that fired, and what became of it."""

    rule_id: str = field(metadata={"description": "id of the rule"})
    name: str = field(metadata={"description": "its name, for people"})
    version: int = field(metadata={"description": "of this rule, from 1"})
    action: str = field(metadata={"description": "pin, hide, boost, bury, filter, redirect or note"})
    detail: str = field(metadata={"description": "what it is about, and why it was not applied as it says"})
    outcome: str = field(
        default="applied",
        metadata={
            "description": "applied; moved: a pin whose place a stronger one has; left_out: the item may not "
            "be shown; overruled: a stronger rule decided; failed: the catalog does not know what it names"
        },
    )

    def ended(self, outcome: Outcome, why: str) -> "FiredRule":
        """The same with another outcome, and why."""
        return replace(self, outcome=outcome, detail=f"{self.detail}: {why}")


@dataclass(frozen=True)
class Pin:
    """An item that is wanted at a position, from 1. `fired`: its place in `Effects.fired`, as below."""

    item_id: str
    position: int
    fired: int


@dataclass(frozen=True)
class Hide:
    """Items that are not shown: these, and those that pass the filters."""

    item_ids: tuple[str, ...]
    filters: Filters | None
    fired: int


@dataclass(frozen=True)
class Weight:
    """Items that are moved up (factor above 1) or down: these, and those that pass the filters."""

    factor: float
    item_ids: tuple[str, ...]
    filters: Filters | None
    fired: int


@dataclass(frozen=True)
class Requirement:
    """What every item that is shown has to pass."""

    filters: Filters
    fired: int


@dataclass(frozen=True)
class Effects:
    """What is done to one answer. The strongest rule comes first in every field.

    Attributes:
        boosts: buries too, with factors below 1.
        fired: every action of every rule that fired, in that order.
        version: of the whole set of rules.
    """

    pins: tuple[Pin, ...] = ()
    hides: tuple[Hide, ...] = ()
    boosts: tuple[Weight, ...] = ()
    filters: tuple[Requirement, ...] = ()
    redirect: str | None = None
    notes: tuple[str | JsonObject, ...] = ()
    fired: tuple[FiredRule, ...] = ()
    version: int = 0
