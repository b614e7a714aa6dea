"""What keeps a campaign's ads away, in the order in which it is met."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget, FixedBid
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.ads.campaigns.readiness import CatalogFacts, obstacles
from recsys.ads.campaigns.schedule import Schedule
from recsys.ads.campaigns.status import APPROVED, PENDING, rejection
from recsys.ads.campaigns.targets import Keyword, Match, Targets

NOW = datetime(2026, 5, 1, 17, tzinfo=UTC)  # 01:00 of the 2nd in Shanghai
ACME = Account("acc_1", "acme", "Asia/Shanghai")
CATALOG = CatalogFacts({"p1", "p2", "p3"}, {"p1", "p2"}, {"Pasta"})
MAIN = Line("lin_1", "main", ("p1", "p2"))
GOOD = Campaign(
    "cmp_1", "acc_1", "a", "cpc", FixedBid(400_000), Budget(50_000_000), review=APPROVED, lines=(MAIN,)
)


def met(campaign: Campaign) -> list[tuple[str, bool]]:
    return [(each.step, each.blocks) for each in obstacles(ACME, campaign, CATALOG, NOW)]


def test_nothing_keeps_a_good_campaign_away() -> None:
    assert met(GOOD) == []


@pytest.mark.parametrize(
    ("campaign", "expected"),
    [
        (replace(GOOD, status="draft"), [("status", True)]),
        (replace(GOOD, status="paused", review=PENDING), [("status", True), ("review", True)]),
        (replace(GOOD, review=rejection("No logo.")), [("review", True)]),
        (replace(GOOD, lines=(replace(MAIN, status="paused"),)), [("status", True)]),
        (replace(GOOD, lines=(MAIN, Line("l", "b", (), status="archived"))), []),
        (replace(GOOD, lines=(MAIN, Line("l", "b", ("p3",), status="paused"))), [("status", False)]),
        (replace(GOOD, lines=(replace(MAIN, items=("p1", "gone")),)), [("items", False)]),
        (replace(GOOD, lines=(replace(MAIN, items=("p3", "gone")),)), [("items", True), ("items", True)]),
        (replace(GOOD, targets=Targets(("Pasta", "Gone"))), [("targets", False)]),
        (replace(GOOD, targets=Targets(("Gone",), ("gone",))), [("targets", True), ("targets", True)]),
        (replace(GOOD, targets=Targets(keywords=(Keyword("a"),), surfaces=("home",))), [("targets", True)]),
        (replace(GOOD, placement_percents={"home": 0}), [("placement", False)]),
        (replace(GOOD, bidding=FixedBid(1), placement_percents={"home": 50}), [("placement", False)]),
        (replace(GOOD, budget=Budget(1)), [("budget", True)]),
    ],
)
def test_each_obstacle_is_met(campaign: Campaign, expected: list[tuple[str, bool]]) -> None:
    assert met(campaign) == expected


def test_dates_are_of_the_accounts_zone() -> None:
    """At 17:00 UTC on the 1st it is the 2nd in Shanghai."""
    assert met(replace(GOOD, schedule=Schedule(date(2026, 5, 2), None))) == []
    (over,) = obstacles(ACME, replace(GOOD, schedule=Schedule(None, date(2026, 5, 1))), CATALOG, NOW)
    assert "ended with 2026-05-01 in Asia/Shanghai, at 2026-05-01 16:00 UTC" in over.message
    (before,) = obstacles(ACME, replace(GOOD, schedule=Schedule(date(2026, 5, 3))), CATALOG, NOW)
    assert "starts on 2026-05-03 in Asia/Shanghai, at 2026-05-02 16:00 UTC" in before.message


@pytest.mark.parametrize(
    ("positive", "negative", "excluded"),
    [
        ("exact", "exact", True),
        ("exact", "broad", True),
        ("phrase", "exact", False),
        ("broad", "phrase", False),
        ("broad", "broad", True),
    ],
)
def test_a_keyword_that_a_negative_one_excludes_is_told(
    positive: Match, negative: Match, excluded: bool
) -> None:
    words = (Keyword("Oat", positive), Keyword("oat", negative, negative=True))
    assert met(replace(GOOD, targets=Targets(keywords=words))) == [("targets", True)] * excluded
