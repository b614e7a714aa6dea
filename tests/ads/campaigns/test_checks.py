"""What is wrong with a campaign is told before it is stored, with the value and the remedy."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.campaigns.account import Account, check_account, checked_name
from recsys.ads.campaigns.bidding import (
    PRICINGS,
    Budget,
    FixedBid,
    MostClicks,
    Pricing,
    TargetRoas,
    event_cost_micros,
)
from recsys.ads.campaigns.campaign import Campaign, FrequencyCap, Line
from recsys.ads.campaigns.checks import campaign_problems, check_campaign
from recsys.ads.campaigns.schedule import Schedule
from recsys.ads.campaigns.targets import Keyword, Targets
from recsys.errors import RequestError

ACME = Account("acc_1", "acme", "Asia/Shanghai", 500_000_000)
MAIN = Line("lin_1", "main", ("p1", "p2"))
GOOD = Campaign("cmp_1", "acc_1", "summer", "cpc", FixedBid(400_000), Budget(50_000_000), lines=(MAIN,))


def with_line(**values: object) -> Campaign:
    return replace(GOOD, lines=(replace(MAIN, **values),))  # type: ignore[arg-type]


def test_nothing_is_wrong_with_a_good_campaign() -> None:
    assert campaign_problems(ACME, GOOD) == ()
    check_campaign(ACME, GOOD)


@pytest.mark.parametrize(
    ("campaign", "step", "told"),
    [
        (replace(GOOD, bidding=FixedBid(0)), "bid", r"the bid is 0\.00"),
        (with_line(bid_micros=-1), "bid", r"the bid of line 'main' is -0\.000001"),
        (replace(GOOD, bidding=TargetRoas(0)), "bid", "a target ROAS of 0%"),
        (replace(GOOD, bidding=TargetRoas(400, 0)), "bid", "the largest bid is"),
        (replace(GOOD, bidding=MostClicks(), pricing="cpa"), "bid", "Use cpc or cpm"),
        (replace(GOOD, bidding=MostClicks(), budget=Budget()), "budget", "Give the campaign a budget"),
        (replace(with_line(bid_micros=5), bidding=MostClicks()), "bid", "the campaign sets bids itself"),
        (replace(GOOD, budget=Budget(0)), "budget", r"the budget a day is 0\.00"),
        (replace(GOOD, budget=Budget(None, -5)), "budget", "the budget in total is"),
        (replace(GOOD, budget=Budget(399_999)), "budget", "nothing could ever be paid"),
        (with_line(budget=Budget(399_999)), "budget", "of line 'main'"),
        (
            replace(GOOD, schedule=Schedule(date(2026, 6, 2), date(2026, 6, 1))),
            "dates",
            "ends on 2026-06-01, before it starts on 2026-06-02",
        ),
        (replace(GOOD, lines=()), "lines", "has 0 lines"),
        (
            replace(GOOD, lines=(MAIN, Line("lin_2", "main", ("p3",)))),
            "lines",
            "2 lines have the name 'main'",
        ),
        (with_line(items=()), "items", "line 'main' has no items"),
        (replace(GOOD, lines=(MAIN, Line("lin_2", "b", ("p1",)))), "items", "in more than one line, .*: p1"),
        (with_line(items=("p1", "p1")), "items", "twice in one: p1"),
        (with_line(items=tuple(map(str, range(10_001)))), "items", "has 10001 items"),
        (
            replace(GOOD, targets=Targets(keywords=tuple(Keyword(str(n)) for n in range(1001)))),
            "targets",
            "1001 keywords",
        ),
        (replace(GOOD, placement_percents={"home": 1001}), "limits", "1001% on home"),
        (replace(GOOD, quality_floor=1.5), "limits", "quality floor of 1.5"),
        (replace(GOOD, quality_floor=float("nan")), "limits", "quality floor of nan"),
        (replace(GOOD, frequency_cap=FrequencyCap(0, 3600)), "limits", "a cap of 0"),
        (replace(GOOD, frequency_cap=FrequencyCap(1, 31 * 86_400)), "limits", "30 days"),
    ],
)
def test_each_mistake_is_told(campaign: Campaign, step: str, told: str) -> None:
    assert step in {problem.step for problem in campaign_problems(ACME, campaign)}
    with pytest.raises(RequestError, match=told):
        check_campaign(ACME, campaign)


def test_a_bid_above_the_accounts_budget_is_told_once() -> None:
    poor = replace(ACME, budget_day_micros=399_999)
    two = replace(GOOD, lines=(MAIN, Line("lin_2", "b", ("p3",))))
    (problem,) = campaign_problems(poor, two)
    assert "the account's budget a day is 0.399999" in problem.message


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(RequestError, match=r"the bid is .* has 0 lines"):
        check_campaign(ACME, replace(GOOD, bidding=FixedBid(0), lines=()))


def test_archived_lines_may_be_empty_and_share_items() -> None:
    archived = Line("lin_2", "old", ("p1",), status="archived")
    assert (
        campaign_problems(ACME, replace(GOOD, lines=(MAIN, archived, replace(archived, name="e", items=()))))
        == ()
    )


@given(st.integers(1, 2**51), st.integers(1, 2**51), st.sampled_from(PRICINGS))
def test_a_budget_is_enough_exactly_from_one_billed_event_on(bid: int, day: int, pricing: Pricing) -> None:
    campaign = replace(GOOD, pricing=pricing, bidding=FixedBid(bid), budget=Budget(day))
    told = campaign_problems(replace(ACME, budget_day_micros=None), campaign)
    assert bool(told) == (day < event_cost_micros(pricing, bid))


@given(st.integers(1, 2**51))
def test_a_thousand_impressions_cost_the_cpm_bid_or_less_than_a_thousand_micros_more(bid: int) -> None:
    assert 0 <= 1000 * event_cost_micros("cpm", bid) - bid < 1000


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "-a", "a\nb", "a/b", "acc_abc", "<b>", "_a"])
def test_names_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(RequestError, match=r"cannot be the name|form of an id"):
        checked_name("a campaign", name)


@pytest.mark.parametrize("name", ["summer", "夏季 2026", "A&B + Co. 'x' - y_z"])
def test_names_of_people_are_taken(name: str) -> None:
    assert checked_name("a campaign", f" {name} ") == name


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: replace(ACME, name=""),
        lambda: replace(ACME, time_zone="Mars/Base"),
        lambda: replace(ACME, budget_day_micros=0),
    ],
)
def test_an_account_that_cannot_be_is_refused(wrong: Callable[[], Account]) -> None:
    with pytest.raises(RequestError):
        check_account(wrong())
