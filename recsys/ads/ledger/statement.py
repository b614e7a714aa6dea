"""The bill of an account: its ledger lines from one day to another, and what they sum to."""

from dataclasses import dataclass
from datetime import date

from recsys.ads.ledger.books import EntryKind
from recsys.documents import JsonObject


@dataclass(frozen=True)
class StatementLine:
    """The entries of one day, kind and line of a campaign.

    Attributes:
        campaign, line: names; None for money of the whole account.
        entries: how many.
        micros: what they add to what the account owes; below 0 for what it paid or was given back.
    """

    day: date
    kind: EntryKind
    campaign: str | None
    line: str | None
    entries: int
    micros: int

    def to_json(self) -> JsonObject:
        """What `recsys ads ledger statement --json` prints of it."""
        return dict(vars(self))


@dataclass(frozen=True)
class Statement:
    """A bill.

    Attributes:
        account: its name. time_zone: of its days.
        first, last: the first and the last day of it, both included.
        opening_micros: what the account owed before the first day; below 0 = what it had in its wallet.
    """

    account: str
    account_id: str
    time_zone: str
    first: date
    last: date
    opening_micros: int
    lines: tuple[StatementLine, ...]

    @property
    def billed_micros(self) -> int:
        """Charges less refunds, write-offs and credits."""
        return sum(line.micros for line in self.lines if line.kind != "top_up")

    @property
    def paid_micros(self) -> int:
        """What the account paid."""
        return -sum(line.micros for line in self.lines if line.kind == "top_up")

    @property
    def closing_micros(self) -> int:
        """What the account owed after the last day; below 0 = what it had in its wallet."""
        return self.opening_micros + sum(line.micros for line in self.lines)

    def to_json(self) -> JsonObject:
        """What `recsys ads ledger statement --json` prints."""
        return {
            "account": self.account,
            "account_id": self.account_id,
            "time_zone": self.time_zone,
            "from": self.first,
            "to": self.last,
            "opening_micros": self.opening_micros,
            "billed_micros": self.billed_micros,
            "paid_micros": self.paid_micros,
            "closing_micros": self.closing_micros,
            "lines": [line.to_json() for line in self.lines],
        }
