"""The budgets that an ad has to fit in, by the names that the gate and the charges know them by."""

from datetime import date

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.ads.ledger.budgets import period_of
from recsys.ads.pacing.budget_gate import BudgetLevel
from recsys.amounts import MOST_MICROS


def level_name(entity_id: str, day: date | None) -> str:
    """The name of what an account, campaign or line may spend on a day, or in total where `day` is None.

    >>> level_name("cmp_1", date(2026, 5, 1)), level_name("cmp_1", None)
    ('cmp_1/2026-05-01', 'cmp_1/total')
    """
    return f"{entity_id}/{period_of(day)}"


def entity_and_period(name: str) -> tuple[str, str]:
    """What `level_name` was made of.

    >>> entity_and_period("cmp_1/total")
    ('cmp_1', 'total')
    """
    entity_id, _, period = name.rpartition("/")
    return entity_id, period


def budget_levels(
    account: Account, campaign: Campaign, line: Line, day: date, paid_in_micros: int = 0
) -> tuple[BudgetLevel, ...]:
    """The levels that have a cap, those of the account first.

    Where none has, it is the account's day, as large as money can be: a hold names one level at least.

    Args:
        day: of the account's time zone.
        paid_in_micros: of an account that pays in advance: the cap of all that it spends.
    """
    caps = [
        (account.account_id, day, account.budget_day_micros),
        (account.account_id, None, paid_in_micros if account.prepaid else None),
        (campaign.campaign_id, day, campaign.budget.day_micros),
        (campaign.campaign_id, None, campaign.budget.total_micros),
        (line.line_id, day, line.budget.day_micros),
        (line.line_id, None, line.budget.total_micros),
    ]
    found = tuple(
        BudgetLevel(level_name(entity_id, when), min(micros, MOST_MICROS))
        for entity_id, when, micros in caps
        if micros is not None
    )
    return found or (BudgetLevel(level_name(account.account_id, day), MOST_MICROS),)
