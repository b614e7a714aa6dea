"""The demo's ads: one page with sponsored items, what they won at, and what a click costs its campaign."""

import time
from dataclasses import asdict, dataclass
from datetime import timedelta

from recsys.ads.delivery.served_slot import ServedSlot
from recsys.ads.ledger.budgets import TOTAL
from recsys.client import RecsysClient, ad_click, ad_impression
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import StoreUnavailableError
from recsys.instants import utc_now
from recsys.jobs.demo.campaigns import create_demo_campaigns
from recsys.jobs.demo.households import item_titles
from recsys.jobs.demo.processes import CHARGES_LOG
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.store import AdsStore
from recsys.stores.served.ad_log_files import read_ad_log

CATEGORY = "YOGURT"
SHOWN = 10
WANTED = 2  # sponsored items on the page
CAMPAIGNS_SECONDS = 20.0  # until the service has taken up the campaigns
CHARGED_SECONDS = 20.0


@dataclass(frozen=True)
class SponsoredPlace:
    """A sponsored item of the page, with the auction's result.

    Attributes:
        price_micros: for what `pricing` bills. next_title: of who came next; None = nobody.
    """

    position: int
    title: str
    advertiser: str
    campaign: str
    pricing: str
    bid_micros: int
    price_micros: int
    p_click: float
    next_title: str | None


@dataclass(frozen=True)
class DemoAds:
    """A page of organic and sponsored items, and a click on a sponsored one.

    Attributes:
        page: the answer of /v1/page. milliseconds: of it, over HTTP.
        clicked: which of `places` was clicked, from 0.
        spent_before, spent_after: of its campaign in all, in micros.
        charged_seconds: from the click to `spent_after`.
    """

    page: JsonObject
    milliseconds: float
    places: tuple[SponsoredPlace, ...]
    clicked: int
    spent_before: int
    spent_after: int
    charged_seconds: float

    def to_json(self) -> JsonObject:
        """The part `ads` of what `recsys demo --json` prints."""
        return asdict(self)


def try_ads(settings: Settings, address: str, user_id: str) -> DemoAds:
    """Makes the demo's campaigns, asks for a page, and clicks on its first item that pays for clicks.

    The shopper and the click are simulated; the auction, the charge and the books are the product's.

    Raises:
        StoreUnavailableError: no page had WANTED sponsored items in time, or the click was not charged.
    """
    create_demo_campaigns(settings)
    key = settings.api_key.get_secret_value() if settings.api_key else None
    with RecsysClient(address, key, timeout=10) as shop:
        page, milliseconds = _page_with_ads(shop, user_id)
        slots = _slots_of(settings, page["request_id"])
        sponsored = [item for item in page["items"] if item["sponsored"]]
        names = _names(settings)
        titles = item_titles(settings)
        places = tuple(_place(item, slots[item["item_id"]], names, titles) for item in sponsored)
        clicked = next((at for at, place in enumerate(places) if place.pricing == "cpc"), 0)
        campaign_id = slots[sponsored[clicked]["item_id"]].campaign_id
        with AdsLedger.open(settings) as ledger:
            before = _spent(ledger, campaign_id)
            began = time.monotonic()
            _look_and_click(shop, page, sponsored, clicked)
            after, seconds = _spent_after(settings, ledger, campaign_id, before, began)
    return DemoAds(page, milliseconds, places, clicked, before, after, seconds)


def _page_with_ads(shop: RecsysClient, user_id: str) -> tuple[JsonObject, float]:
    """The first page that has as many ads as wanted: a service takes campaigns up within a second or two."""
    body = {"surface": "category", "category": CATEGORY, "user_id": user_id, "k": SHOWN}
    end = time.monotonic() + CAMPAIGNS_SECONDS
    while True:
        began = time.perf_counter()
        page = shop.post("/v1/page", body)
        milliseconds = (time.perf_counter() - began) * 1000
        if sum(bool(item["sponsored"]) for item in page["items"]) >= WANTED:
            return page, milliseconds
        if time.monotonic() > end:
            told = f"The page of {CATEGORY} has fewer than {WANTED} ads: {page['degraded']}."
            raise StoreUnavailableError("service", "POST /v1/page", CAMPAIGNS_SECONDS, told)
        time.sleep(0.5)


def _slots_of(settings: Settings, request_id: str) -> dict[str, ServedSlot]:
    """What the ad log says of an answer, by item."""
    now = utc_now()
    served = read_ad_log(
        settings.paths.ad_log, now - timedelta(minutes=5), now + timedelta(minutes=5), lambda gap: None
    )
    return {slot.item_id: slot for slot in served if slot.request_id == request_id}


def _names(settings: Settings) -> dict[str, str]:
    """The names of accounts and campaigns by id."""
    with AdsStore.open(settings) as store:
        accounts = {each.account_id: each.name for each in store.accounts()}
        return accounts | {each.campaign_id: each.name for each in store.campaigns()}


def _place(
    item: JsonObject, slot: ServedSlot, names: dict[str, str], titles: dict[str, str]
) -> SponsoredPlace:
    after = slot.next_item_id
    return SponsoredPlace(
        position=int(item["position"]),
        title=str(item["title"]),
        advertiser=names[slot.account_id],
        campaign=names[slot.campaign_id],
        pricing=slot.pricing,
        bid_micros=slot.bid_micros,
        price_micros=slot.price_micros,
        p_click=slot.p_click,
        next_title=None if after is None else titles.get(after, after),
    )


def _look_and_click(shop: RecsysClient, page: JsonObject, sponsored: list[JsonObject], clicked: int) -> None:
    user_id, request_id = str(page["user_id"]), str(page["request_id"])
    seen = [
        ad_impression(
            item["item_id"],
            item["token"],
            user_id,
            request_id,
            surface="category",
            position=item["position"],
            viewable=True,
            visible_ms=1500,
        )
        for item in sponsored
    ]
    item = sponsored[clicked]
    click = ad_click(item["item_id"], item["token"], user_id, request_id, position=item["position"])
    shop.send([*seen, click])


def _spent(ledger: AdsLedger, campaign_id: str) -> int:
    """What a campaign has spent in all."""
    rows = ledger.budgets(periods=(TOTAL,))
    return sum(row.spent_micros for row in rows if row.entity_id == campaign_id)


def _spent_after(
    settings: Settings, ledger: AdsLedger, campaign_id: str, before: int, began: float
) -> tuple[int, float]:
    """What it has spent once that is more than `before`, and how long that took."""
    while (after := _spent(ledger, campaign_id)) <= before:
        if time.monotonic() - began > CHARGED_SECONDS:
            told = f"See {settings.paths.home / CHARGES_LOG}."
            raise StoreUnavailableError("charge worker", "charge a click", CHARGED_SECONDS, told)
        time.sleep(0.05)
    return after, time.monotonic() - began
