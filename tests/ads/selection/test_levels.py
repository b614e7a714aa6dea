"""Names and caps of the budgets that an ad has to fit in."""

from datetime import date

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget, FixedBid
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.ads.pacing.budget_gate import BudgetLevel
from recsys.ads.selection.levels import budget_levels
from recsys.amounts import MOST_MICROS

DAY = date(2026, 5, 1)
LINE = Line("lin_1", "tea", ("green",))
CAMPAIGN = Campaign("cmp_1", "acc_1", "spring", "cpc", FixedBid(400_000), lines=(LINE,))


def test_each_level_with_a_cap_is_named_by_its_id_and_period() -> None:
    account = Account("acc_1", "acme", "UTC", budget_day_micros=500)
    campaign = Campaign("cmp_1", "acc_1", "spring", "cpc", FixedBid(1), Budget(100, 1000))
    line = Line("lin_1", "tea", ("green",), budget=Budget(total_micros=70))
    assert budget_levels(account, campaign, line, DAY) == (
        BudgetLevel("acc_1/2026-05-01", 500),
        BudgetLevel("cmp_1/2026-05-01", 100),
        BudgetLevel("cmp_1/total", 1000),
        BudgetLevel("lin_1/total", 70),
    )


def test_who_pays_in_advance_may_spend_what_was_paid_in() -> None:
    account = Account("acc_1", "acme", "UTC", prepaid=True)
    assert budget_levels(account, CAMPAIGN, LINE, DAY, 250) == (BudgetLevel("acc_1/total", 250),)
    assert budget_levels(account, CAMPAIGN, LINE, DAY) == (BudgetLevel("acc_1/total", 0),)


def test_without_any_cap_there_is_one_level_all_the_same() -> None:
    account = Account("acc_1", "acme", "UTC")
    assert budget_levels(account, CAMPAIGN, LINE, DAY) == (BudgetLevel("acc_1/2026-05-01", MOST_MICROS),)
