"""Running numbers of budgets: what an account, campaign or line spent on a day and in total, and its caps."""

from dataclasses import dataclass
from datetime import date

from recsys.ads.ledger.charges import Level

TOTAL = "total"  # the period of what was spent in all


@dataclass(frozen=True)
class Caps:
    """What one level may spend; None = no bound.

    Attributes:
        entity_id: of the account, campaign or line.
        prepaid: whether in total it may spend what it paid in, by the running number; for accounts.
    """

    level: Level
    entity_id: str
    day_micros: int | None = None
    total_micros: int | None = None
    prepaid: bool = False


@dataclass(frozen=True)
class BudgetRow:
    """The running numbers of one account, campaign or line in one period.

    Attributes:
        period: a day as YYYY-MM-DD, or `total`.
        spent_micros: what was charged less what was returned into this period; never above the cap.
        remainder_nanos: of a line in total: what was sold and not yet billed, from 0 to 999.
        lost_nanos: what events over the budget would have cost.
        paid_in_micros: of an account in total: what it paid in or was credited with.
    """

    entity_id: str
    period: str
    level: Level
    account_id: str
    spent_micros: int = 0
    remainder_nanos: int = 0
    lost_nanos: int = 0
    paid_in_micros: int = 0


def period_of(day: date | None) -> str:
    """The period of a day, or of the total.

    >>> period_of(date(2026, 5, 1)), period_of(None)
    ('2026-05-01', 'total')
    """
    return TOTAL if day is None else day.isoformat()


def is_open(day: date, today: date) -> bool:
    """Whether what is returned of a charge of `day` may be spent again on that day; a day that is over stays.

    >>> is_open(date(2026, 5, 1), date(2026, 5, 1)), is_open(date(2026, 5, 1), date(2026, 5, 2))
    (True, False)
    """
    return day >= today
