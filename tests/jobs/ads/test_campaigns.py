"""Campaigns are made, changed and reviewed; an advertiser acts within its account alone."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from recsys.ads.campaigns.bidding import Budget, FixedBid, MostClicks, TargetRoas
from recsys.ads.campaigns.campaign import FrequencyCap
from recsys.ads.campaigns.schedule import Schedule
from recsys.ads.campaigns.targets import Keyword, Targets
from recsys.config import Settings
from recsys.errors import DataError, RequestError, UnknownCampaignError
from recsys.jobs.ads.accounts import AccountEditing
from recsys.jobs.ads.campaign_options import CampaignOptions, read_item_ids
from recsys.jobs.ads.campaigns import CampaignEditing
from tests.jobs.ads.ads_shop import NOON, make_shop

GIVEN = CampaignOptions(name="summer", bid="0.40", budget_per_day="50.00", items=["1", "2"])


def noon() -> datetime:
    return NOON


@pytest.fixture
def shop(tmp_path: Path) -> Settings:
    settings = make_shop(tmp_path / "home")
    AccountEditing(settings, "ann", noon).create("acme", "Asia/Shanghai", "500.00")
    return settings


@pytest.fixture
def editing(shop: Settings) -> CampaignEditing:
    return CampaignEditing(shop, "ann", clock=noon)


def test_everything_that_is_given_is_kept(editing: CampaignEditing) -> None:
    given = replace(
        GIVEN,
        pricing="cpm",
        budget_total="900 EUR",
        start="2026-06-01",
        end="2026-08-31",
        targets=["category=Food/Pasta", "item=3", "surface=search", "segment=purchases_30d >= 3"],
        keywords=["oat milk,[penne]", '-"gluten free"'],
        placements=["search=150%", "home=0%"],
        quality_floor=0.2,
        cap="3/1d",
        never_beside=["Rice"],
        line="pasta",
        line_bid="0.25",
        line_budget_per_day="10",
    )
    made = editing.create("acme", given).campaign
    assert editing.campaign("summer").campaign == made
    assert (made.pricing, made.bidding) == ("cpm", FixedBid(400_000))
    assert made.budget == Budget(50_000_000, 900_000_000)
    assert made.schedule == Schedule(date(2026, 6, 1), date(2026, 8, 31))
    assert made.targets == Targets(
        ("Food/Pasta",),
        ("3",),
        (Keyword("oat milk"), Keyword("penne", "exact"), Keyword("gluten free", "phrase", negative=True)),
        "purchases_30d >= 3",
        ("search",),
    )
    assert made.placement_percents == {"search": 150, "home": 0}
    assert (made.quality_floor, made.frequency_cap) == (0.2, FrequencyCap(3, 86_400))
    assert made.never_beside == ("Rice",)
    (line,) = made.lines
    assert (line.name, line.items, line.bid_micros) == ("pasta", ("1", "2"), 250_000)
    assert line.budget == Budget(10_000_000)


@pytest.mark.parametrize(
    ("given", "bidding"),
    [
        ({"target_roas": "400%"}, TargetRoas(400)),
        ({"target_roas": "400%", "max_bid": "2"}, TargetRoas(400, 2_000_000)),
        ({"most_clicks": True}, MostClicks()),
    ],
)
def test_bids_may_be_set_automatically(
    editing: CampaignEditing, given: dict[str, str], bidding: TargetRoas | MostClicks
) -> None:
    automatic = replace(GIVEN, bid=None, **given)  # type: ignore[arg-type]
    assert editing.create("acme", automatic).campaign.bidding == bidding


def test_campaigns_without_a_name_are_numbered(editing: CampaignEditing) -> None:
    names = [editing.create("acme", replace(GIVEN, name=None)).campaign.name for _ in range(2)]
    assert names == ["campaign 1", "campaign 2"]


def test_an_edit_changes_what_is_given_and_leaves_the_rest(editing: CampaignEditing) -> None:
    made = editing.create("acme", replace(GIVEN, end="2026-08-31", keywords=["milk"])).campaign
    edited = editing.edit("summer", CampaignOptions(bid="0.50", end="none", keywords=["none"])).campaign
    assert edited.bidding == FixedBid(500_000)
    assert (edited.schedule, edited.targets.keywords) == (Schedule(), ())
    assert (edited.budget, edited.lines) == (made.budget, made.lines)
    more = editing.edit("summer", CampaignOptions(line="sauces", items=["5"])).campaign
    assert [(line.name, line.items) for line in more.lines] == [("main", ("1", "2")), ("sauces", ("5",))]


def test_another_target_keeps_the_largest_automatic_bid(editing: CampaignEditing) -> None:
    editing.create("acme", replace(GIVEN, bid=None, most_clicks=True, max_bid="2"))
    for given, bidding in (
        (CampaignOptions(target_roas="500%"), TargetRoas(500, 2_000_000)),
        (CampaignOptions(max_bid="none"), TargetRoas(500)),
        (CampaignOptions(bid="0.30"), FixedBid(300_000)),
        (CampaignOptions(most_clicks=True), MostClicks()),
    ):
        assert editing.edit("summer", given).campaign.bidding == bidding


def test_an_edit_of_nothing_is_told(editing: CampaignEditing) -> None:
    editing.create("acme", GIVEN)
    with pytest.raises(RequestError, match="nothing is to be changed"):
        editing.edit("summer", CampaignOptions())


def test_a_draft_waits_for_its_start(editing: CampaignEditing) -> None:
    assert editing.create("acme", GIVEN, draft=True).state == "draft"
    assert "was never started" in editing.why_not("summer")[0].message
    assert editing.change_status("summer", "resume").state == "running"


def test_ids_may_come_from_a_file(editing: CampaignEditing, tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text("\ufeff1\r\n\n 2 \n1\n", "utf-8")
    assert editing.create("acme", replace(GIVEN, items=read_item_ids([f"@{path}"]))).campaign.items == (
        "1",
        "2",
    )


def test_a_file_of_ids_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(RequestError, match=r"--items @/no/such cannot be read: No such file"):
        read_item_ids(["@/no/such"])
    with pytest.raises(RequestError, match="it is not UTF-8"):
        read_item_ids([f"@{tmp_path / 'latin'}"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"bid": None}, r"has no bid\. Give --bid"),
        ({"bid": "0.40", "most_clicks": True}, "exclude each other"),
        ({"bid": "0"}, r"the bid is 0\.00\. Give one above 0"),
        ({"bid": "1,5"}, r"--bid '1,5' is no amount"),
        ({"bid": "1 USD"}, "in USD, the shop's is EUR"),
        ({"bid": "60"}, "nothing could ever be paid"),
        ({"max_bid": "1"}, "--max-bid is for automatic bidding"),
        ({"bid": None, "target_roas": "4"}, "--target-roas '4' is no percentage"),
        ({"pricing": "cpx"}, "--pricing 'cpx' is unknown. Write one of: cpc, cpm, cpa"),
        ({"items": None}, r"advertises nothing\. Give --items"),
        ({"items": ["1", "7"]}, "the catalog does not have: '7'"),
        ({"items": ["@/etc/hostname"]}, "does not have: '@/etc/hostname'"),  # an id, no file
        ({"items": ["a\x00"]}, "has a control character"),
        ({"items": []}, "line 'main' has no items"),
        ({"start": "soon"}, "--start 'soon' is no day"),
        ({"start": "2026-06-02", "end": "2026-06-01"}, "before it starts"),
        ({"targets": ["category=Pata"]}, "no item is in the category 'Pata'. Did you mean 'Pasta'"),
        ({"targets": ["catgory=Pasta"]}, "Did you mean 'category'"),
        ({"targets": ["segment=purchases_30 > 1"]}, "--target segment: .*unknown field 'purchases_30'"),
        ({"targets": ["segment=views_7d > 1", "segment=views_7d > 2"]}, "several segments"),
        ({"targets": ["item=9"]}, "the catalog does not have: '9'"),
        ({"keywords": ["[oat"]}, "is no keyword"),
        ({"keywords": ["milk,!!"]}, "--keywords '!!' has neither a word nor a number"),
        ({"placements": ["search=1.5"]}, "--placement 'search=1.5' cannot be read"),
        ({"placements": ["cart=10%"]}, "'cart' is no surface"),
        ({"cap": "3"}, "--cap '3' cannot be read"),
        ({"quality_floor": 2.0}, "quality floor of 2"),
        ({"never_beside": ["Wine"]}, "no item is in the category 'Wine'"),
        ({"name": "a/b"}, "cannot be the name of a campaign"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(
    editing: CampaignEditing, given: dict[str, object], told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        editing.create("acme", replace(GIVEN, **given))  # type: ignore[arg-type]
    assert editing.campaigns() == []


def test_an_unknown_account_is_named(editing: CampaignEditing) -> None:
    with pytest.raises(UnknownCampaignError, match=r"no account 'acm'\. Did you mean 'acme'"):
        editing.create("acm", GIVEN)


def test_a_shop_without_a_catalog_has_no_campaigns(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "empty")
    AccountEditing(settings, "ann").create("acme", "UTC")
    with pytest.raises(DataError, match="recsys data import"):
        CampaignEditing(settings, "ann").create("acme", GIVEN)


def test_a_campaign_is_paused_resumed_and_archived(editing: CampaignEditing) -> None:
    editing.create("acme", GIVEN)
    assert editing.change_status("summer", "pause", remark="why").state == "paused"
    with pytest.raises(RequestError, match="is paused already"):
        editing.change_status("summer", "pause")
    assert editing.change_status("summer", "resume").state == "running"
    assert editing.change_status("summer", "archive").state == "archived"
    with pytest.raises(RequestError, match="archived"):
        editing.edit("summer", CampaignOptions(bid="1"))
    assert (editing.campaigns(), len(editing.campaigns(archived=True))) == ([], 1)
    assert [(each.action, each.remark) for each in editing.history("summer")] == [
        ("create", ""),
        ("pause", "why"),
        ("resume", ""),
        ("archive", ""),
    ]


def test_one_line_is_paused_alone_and_an_archived_one_stays_as_it_is(editing: CampaignEditing) -> None:
    editing.create("acme", GIVEN)
    editing.edit("summer", CampaignOptions(line="sauces", items=["5"]))
    changed = editing.change_status("summer", "archive", line="sauces").campaign
    assert [line.status for line in changed.lines] == ["active", "archived"]
    with pytest.raises(RequestError, match="line 'sauces' is archived"):
        editing.edit("summer", CampaignOptions(line="sauces", items=["6"]))
    with pytest.raises(RequestError, match=r"no line 'rice'\. It has: main, sauces"):
        editing.change_status("summer", "pause", line="rice")


def test_the_state_follows_the_accounts_clock(editing: CampaignEditing, shop: Settings) -> None:
    """NOON is 20:00 of the 1st of May in Shanghai."""
    editing.create("acme", replace(GIVEN, start="2026-05-02", end="2026-05-02"))

    def state_after(hours: int) -> str:
        return CampaignEditing(shop, clock=lambda: NOON + timedelta(hours=hours)).campaign("summer").state

    states = [state_after(hours) for hours in (0, 3, 4, 27, 28)]
    assert states == ["scheduled", "scheduled", "running", "running", "ended"]


def test_what_keeps_ads_away_is_told(editing: CampaignEditing) -> None:
    editing.create("acme", replace(GIVEN, items=["1", "6"], start="2026-06-01"))
    assert [(each.step, each.blocks) for each in editing.why_not("summer")] == [
        ("dates", True),
        ("items", False),
    ]


def test_an_advertisers_campaign_waits_for_the_review(shop: Settings, editing: CampaignEditing) -> None:
    own = CampaignEditing(shop, "key of acme", AccountEditing(shop).account("acme").account.account_id, noon)
    assert own.create("acme", GIVEN).state == "in review"
    with pytest.raises(RequestError, match="Ask the shop's operator"):
        own.review("summer", None)
    assert editing.review("summer", None).state == "running"
    assert own.edit("summer", CampaignOptions(bid="0.60")).state == "running", "prices need no review"
    assert own.edit("summer", CampaignOptions(items=["1", "3"])).state == "in review"
    assert editing.review("summer", "Rice is no pasta").state == "rejected"
    assert own.edit("summer", CampaignOptions(bid="0.50")).state == "in review"
    assert editing.edit("summer", CampaignOptions(items=["1"])).state == "in review"


def test_an_advertiser_acts_within_its_account_alone(shop: Settings, editing: CampaignEditing) -> None:
    AccountEditing(shop, "ann").create("other", "UTC")
    editing.create("acme", GIVEN)
    other = CampaignEditing(shop, "key of other", AccountEditing(shop).account("other").account.account_id)
    assert other.campaigns() == []
    for act in (
        lambda: other.create("acme", GIVEN),
        lambda: other.edit("summer", CampaignOptions(bid="9")),
        lambda: other.change_status("summer", "archive"),
        lambda: other.campaign("summer"),
        lambda: other.why_not("summer"),
        lambda: other.history("summer"),
        lambda: other.campaigns("acme"),
    ):
        with pytest.raises(UnknownCampaignError):
            act()
    assert editing.campaign("summer").state == "running"
