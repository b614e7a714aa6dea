"""What the store of accounts and campaigns promises, on SQLite and on a real PostgreSQL alike."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget, FixedBid, MostClicks, TargetRoas
from recsys.ads.campaigns.campaign import Campaign, FrequencyCap, Line
from recsys.ads.campaigns.documents import account_to_json, campaign_to_json
from recsys.ads.campaigns.schedule import Schedule
from recsys.ads.campaigns.status import APPROVED, rejection
from recsys.ads.campaigns.targets import Keyword, Targets
from recsys.config import Settings
from recsys.errors import RequestError, StaleVersionError, StoreUnavailableError, UnknownCampaignError
from recsys.stores.ads.records import Author
from recsys.stores.ads.store import AdsStore
from recsys.stores.registry.database import database_url, open_engine, write_transaction

START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ANN, BOB = Author("ann"), Author("bob", "for the summer")
ACME = Account("acc_1", "acme", "Asia/Shanghai", 500_000_000, prepaid=True)
OTHER = Account("acc_2", "other", "UTC")
CAMPAIGN = Campaign(
    campaign_id="cmp_1",
    account_id="acc_1",
    name="summer",
    pricing="cpc",
    bidding=FixedBid(400_000),
    budget=Budget(50_000_000, 2**51),
    schedule=Schedule(date(2026, 6, 1), date(2026, 8, 31)),
    review=APPROVED,
    targets=Targets(
        ("Pasta",),
        ("p9",),
        (Keyword("oat milk", "phrase"), Keyword("free", negative=True)),
        "views_7d > 1",
        ("search",),
    ),
    lines=(
        Line("lin_1", "main", ("p2", "p1")),
        Line("lin_2", "二", ("p3",), 300, Budget(1000, None), "paused"),
    ),
    placement_percents={"search": 150, "home": 0},
    quality_floor=0.1,
    frequency_cap=FrequencyCap(3, 86_400),
    never_beside=("Alcohol",),
)


class Clock:
    """One second later at every look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def store(shop: Settings) -> Iterator[AdsStore]:
    with AdsStore.open(shop, Clock()) as opened:
        opened.add_account(ACME, ANN)
        opened.add_account(OTHER, ANN)
        yield opened


def test_an_account_is_kept_as_it_is(store: AdsStore) -> None:
    assert store.account("acme") == store.account("acc_1")
    assert store.account("acme") == replace(ACME, version=1, changed_at=START + timedelta(seconds=1))
    assert [account.name for account in store.accounts()] == ["acme", "other"]


def test_a_campaign_is_kept_as_it_is_with_its_lines_and_the_order_of_their_items(store: AdsStore) -> None:
    added = store.add_campaign(CAMPAIGN, ANN)
    assert added == replace(CAMPAIGN, version=1, changed_at=START + timedelta(seconds=3))
    assert store.campaign("summer") == store.campaign("cmp_1", "acc_1") == added
    assert store.campaigns() == store.campaigns("acc_1") == (added,)
    assert store.campaigns("acc_2") == ()


@pytest.mark.parametrize(
    "bidding", [FixedBid(1), TargetRoas(400), TargetRoas(400, 7), MostClicks(), MostClicks(9)]
)
def test_every_bidding_strategy_is_kept(store: AdsStore, bidding: FixedBid | TargetRoas | MostClicks) -> None:
    store.add_campaign(replace(CAMPAIGN, bidding=bidding), ANN)
    assert store.campaign("summer").bidding == bidding


def test_a_change_raises_the_version_and_one_that_changes_nothing_does_not(store: AdsStore) -> None:
    added = store.add_campaign(CAMPAIGN, ANN)
    changed = store.save_campaign(replace(added, status="paused"), BOB, "pause")
    assert (changed.version, changed.status) == (2, "paused")
    assert store.save_campaign(changed, BOB) == changed == store.campaign("summer")
    assert len(store.history("cmp_1")) == 2


def test_lines_are_changed_and_added_and_keep_their_order(store: AdsStore) -> None:
    added = store.add_campaign(CAMPAIGN, ANN)
    main, second = added.lines
    lines = (
        replace(main, items=("p1", "p7")),
        replace(second, status="active"),
        Line("lin_3", "new", ("p8",)),
    )
    store.save_campaign(replace(added, lines=lines), BOB)
    assert store.campaign("summer").lines == lines


def test_a_line_is_never_removed(store: AdsStore) -> None:
    added = store.add_campaign(CAMPAIGN, ANN)
    with pytest.raises(ValueError, match="archive lines"):
        store.save_campaign(replace(added, lines=added.lines[:1]), BOB)
    assert len(store.campaign("summer").lines) == 2


def test_a_stale_write_is_refused_by_name_and_leaves_nothing(store: AdsStore) -> None:
    first = second = store.add_campaign(CAMPAIGN, ANN)
    store.save_campaign(replace(first, quality_floor=0.5), ANN)
    with pytest.raises(StaleVersionError, match=r"campaign 'summer' was read at version 1 and is at 2"):
        store.save_campaign(replace(second, status="archived"), BOB)
    assert (store.campaign("summer").status, len(store.history("cmp_1"))) == ("active", 2)
    account = store.account("acme")
    store.save_account(replace(account, budget_day_micros=1), ANN)
    with pytest.raises(StaleVersionError, match="account 'acme'"):
        store.save_account(replace(account, budget_day_micros=2), BOB)
    assert store.account("acme").budget_day_micros == 1


def test_of_many_who_change_what_they_read_at_once_one_wins(store: AdsStore) -> None:
    read = store.add_campaign(CAMPAIGN, ANN)
    outcomes: list[str] = []

    def change(floor: float) -> None:
        try:
            store.save_campaign(replace(read, quality_floor=floor), BOB)
            outcomes.append("changed")
        except StaleVersionError:
            outcomes.append("stale")

    threads = [threading.Thread(target=change, args=(place / 10,)) for place in range(2, 6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(outcomes) == ["changed", "stale", "stale", "stale"]
    assert [change.version for change in store.history("cmp_1")] == [1, 2]


def test_names_are_unique_in_their_parent(store: AdsStore) -> None:
    store.add_campaign(CAMPAIGN, ANN)
    with pytest.raises(RequestError, match="'acme' is taken by another account"):
        store.add_account(replace(OTHER, account_id="acc_3", name="acme"), ANN)
    with pytest.raises(RequestError, match="'acme' is taken"):
        store.save_account(replace(store.account("other"), name="acme"), ANN)
    with pytest.raises(RequestError, match="'summer' is taken by another campaign"):
        store.add_campaign(replace(CAMPAIGN, campaign_id="cmp_2"), ANN)
    winter = replace(CAMPAIGN, campaign_id="cmp_2", name="winter", lines=())
    added = store.add_campaign(winter, ANN)
    with pytest.raises(RequestError, match="'summer' is taken"):
        store.save_campaign(replace(added, name="summer"), ANN)
    of_other = replace(CAMPAIGN, campaign_id="cmp_3", account_id="acc_2", lines=())
    assert store.add_campaign(of_other, ANN).name == "summer"
    with pytest.raises(RequestError, match=r"2 accounts have a campaign 'summer'\. Give --account"):
        store.campaign("summer")
    assert store.campaign("summer", "acc_2").campaign_id == "cmp_3"


def test_the_audit_tells_who_changed_what_and_when(store: AdsStore) -> None:
    added = store.add_campaign(CAMPAIGN, ANN)
    changed = store.save_campaign(replace(added, review=rejection("No logo")), BOB, "reject")
    created, rejected = store.history("cmp_1")
    assert (created.action, created.version, created.before) == ("create", 1, None)
    assert created.after == rejected.before == campaign_to_json(added)
    assert rejected.after == campaign_to_json(changed)
    assert (rejected.changed_by, rejected.remark, rejected.changed_at) == (
        "bob",
        "for the summer",
        changed.changed_at,
    )
    (of_account,) = store.history("acc_1")
    assert (of_account.kind, of_account.after) == ("account", account_to_json(ACME))
    assert len(store.history()) == 4


def test_the_audit_cannot_be_changed(store: AdsStore, shop: Settings) -> None:
    engine = open_engine(database_url(shop))
    for statement in ("UPDATE ads_audit SET changed_by = 'eve'", "DELETE FROM ads_audit"):
        with pytest.raises(DBAPIError, match="never changed"), write_transaction(engine) as connection:
            connection.execute(text(statement))
    engine.dispose()
    assert {change.changed_by for change in store.history()} == {"ann"}


def test_an_advertiser_sees_only_its_own(store: AdsStore) -> None:
    store.add_campaign(CAMPAIGN, ANN)
    theirs = store.add_campaign(replace(CAMPAIGN, campaign_id="cmp_3", account_id="acc_2", lines=()), ANN)
    own = store.within("acc_1")
    assert [account.name for account in own.accounts()] == ["acme"]
    assert [campaign.campaign_id for campaign in own.campaigns()] == ["cmp_1"]
    assert own.campaigns("acc_2") == ()
    assert own.campaign("summer").campaign_id == "cmp_1", "another's name does not make it ambiguous"
    assert {change.account_id for change in own.history()} == {"acc_1"}
    assert own.history("cmp_3") == []
    for ask in (
        lambda: own.account("other"),
        lambda: own.account("acc_2"),
        lambda: own.campaign("cmp_3"),
        lambda: own.save_campaign(replace(theirs, status="archived"), BOB),
        lambda: own.add_campaign(replace(CAMPAIGN, campaign_id="cmp_4", account_id="acc_2"), BOB),
    ):
        with pytest.raises(UnknownCampaignError):
            ask()
    with pytest.raises(UnknownCampaignError) as told:
        own.account("othe")
    assert "other" not in str(told.value)
    with pytest.raises(RequestError, match="Ask the shop's operator"):
        own.add_account(replace(ACME, account_id="acc_9", name="second"), BOB)
    assert store.campaign("cmp_3").status == "active"


def test_an_advertiser_with_an_account_that_is_not_there_sees_nothing(store: AdsStore) -> None:
    store.add_campaign(CAMPAIGN, ANN)
    nobody = store.within("acc_none")
    assert (nobody.accounts(), nobody.campaigns(), nobody.history()) == ((), (), [])


@pytest.mark.parametrize("which", ["nobody", "", "' OR 1=1 --", "x" * 1000])
def test_what_is_not_there_is_named_with_the_nearest(store: AdsStore, which: str) -> None:
    with pytest.raises(UnknownCampaignError, match="recsys ads account list"):
        store.account(which)
    with pytest.raises(UnknownCampaignError, match="recsys ads campaign list"):
        store.campaign(which)
    with pytest.raises(UnknownCampaignError, match="Did you mean 'acme'"):
        store.account("acmee")


def test_a_change_that_fails_leaves_no_row_and_no_audit(store: AdsStore) -> None:
    twice = (Line("lin_1", "main", ("p1", "p1")),)
    with pytest.raises(StoreUnavailableError):
        store.add_campaign(replace(CAMPAIGN, lines=twice), ANN)
    assert (store.campaigns(), store.history("cmp_1")) == ((), [])


def test_everything_comes_with_its_version_and_what_cannot_be_read_takes_no_other_away(
    store: AdsStore,
) -> None:
    before = store.version()
    store.add_campaign(CAMPAIGN, ANN)
    assert store.version() > before
    other = replace(
        CAMPAIGN, campaign_id="cmp_2", name="winter", lines=(replace(CAMPAIGN.lines[0], line_id="lin_9"),)
    )
    store.add_campaign(other, ANN)
    found = store.everything()
    assert found.version == store.version()
    assert [each.campaign_id for each in found.campaigns] == ["cmp_1", "cmp_2"]
    assert [each.account_id for each in found.accounts] == ["acc_1", "acc_2"]
    with write_transaction(store._engine) as connection:
        connection.execute(text("UPDATE ads_campaigns SET strategy = 'by magic' WHERE campaign_id = 'cmp_2'"))
    found = store.everything()
    assert [each.campaign_id for each in found.campaigns] == ["cmp_1"]
    assert "by magic" in found.unreadable["cmp_2"]
