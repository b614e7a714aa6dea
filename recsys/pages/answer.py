"""What is answered: ads alone, or a page. What a field is stands in its metadata, which OpenAPI shows."""

from dataclasses import dataclass, field
from datetime import datetime

# What may be wrong with ads; the rest of the answer is as it should be.
ADS_LATE = "ads_late"  # they came after the page was ready: it is shown without them
ADS_BLIND = "ads_blind"  # the database of campaigns is away for too long
ADS_REBUILDING = "ads_rebuilding"  # ads of some accounts wait until their budgets are counted again
ADS_UNCHARGED = "ads_uncharged"  # no charge worker has worked for longer than budgets hold what ads cost
ADS_UNAVAILABLE = "ads_unavailable"  # budgets cannot be held, or what is served cannot be logged
ADS_DEGRADATIONS = (ADS_LATE, ADS_BLIND, ADS_REBUILDING, ADS_UNCHARGED, ADS_UNAVAILABLE)

_TITLE = "what is shown; the id where the item has no title"
_PRICE = "in millionths of the currency unit; null where it is not known"
_NO_CATALOG = "null where the catalog has none"


@dataclass(frozen=True)
class SlotExplanation:
    """How a slot was won, for the shop's operator."""

    account_id: str = field(metadata={"description": "who pays"})
    campaign_id: str = field(metadata={"description": "whose ad it is"})
    line_id: str = field(metadata={"description": "of the campaign"})
    pricing: str = field(metadata={"description": "what is billed: cpc, cpm or cpa"})
    bid_micros: int = field(metadata={"description": "what was bid for that"})
    price_micros: int = field(metadata={"description": "what is paid for that"})
    held_micros: int = field(metadata={"description": "what its budgets hold: the expected cost"})
    p_click: float = field(metadata={"description": "probability of a click at this slot"})
    score: float = field(metadata={"description": "what it ranked by: eCPM times quality, in micros"})
    next_item_id: str | None = field(metadata={"description": "who came next; null = nobody"})
    text: str = field(metadata={"description": "who won, at which price, why, and who came next"})


@dataclass(frozen=True)
class SponsoredAd:
    """One ad."""

    slot: int = field(metadata={"description": "from 1, the best first"})
    item_id: str = field(metadata={"description": "id of the item"})
    title: str = field(metadata={"description": _TITLE})
    category: str | None = field(metadata={"description": _NO_CATALOG})
    brand: str | None = field(metadata={"description": _NO_CATALOG})
    price_micros: int | None = field(metadata={"description": _PRICE})
    sponsored: bool = field(metadata={"description": "always true: it has to be labelled as sponsored"})
    token: str = field(
        metadata={"description": "goes into the impression, the click and the purchase of it as `token`"}
    )
    explanation: SlotExplanation | None = field(
        default=None, metadata={"description": "null unless an operator asked to `explain`"}
    )


@dataclass(frozen=True)
class AdsAnswer:
    """Ads alone."""

    request_id: str = field(metadata={"description": "what an impression or a click of these ads carries"})
    surface: str = field(metadata={"description": "the place of the shop: home, search, category, product"})
    at: datetime = field(metadata={"description": "when it was made, UTC"})
    ads: tuple[SponsoredAd, ...] = field(
        metadata={"description": "fewer than asked for, or none, where too few could win a slot"}
    )
    page_token: str = field(metadata={"description": "for the next answer of this visit"})
    degraded: tuple[str, ...] = field(
        metadata={"description": "what was not as it should be; empty on a good day"}
    )


@dataclass(frozen=True)
class PageItem:
    """One position of a page."""

    position: int = field(metadata={"description": "from 1, of this page"})
    item_id: str = field(metadata={"description": "id of the item"})
    title: str = field(metadata={"description": _TITLE})
    category: str | None = field(metadata={"description": _NO_CATALOG})
    brand: str | None = field(metadata={"description": _NO_CATALOG})
    price_micros: int | None = field(metadata={"description": _PRICE})
    sponsored: bool = field(metadata={"description": "whether it has to be labelled as sponsored"})
    token: str | None = field(
        metadata={"description": "of a sponsored item: goes into its events as `token`; else null"}
    )


@dataclass(frozen=True)
class PageAnswer:
    """A page of organic and sponsored items."""

    request_id: str = field(metadata={"description": "what an impression or a click of this page carries"})
    surface: str = field(metadata={"description": "the place of the shop: home, search, category, product"})
    user_id: str | None = field(metadata={"description": "who it is for; null for a visitor"})
    bundle_id: str = field(metadata={"description": "the bundle that it was made with"})
    at: datetime = field(metadata={"description": "when it was made, UTC"})
    items: tuple[PageItem, ...] = field(metadata={"description": "in the order in which they are shown"})
    total: int | None = field(
        metadata={"description": "products that match a search or category; null elsewhere"}
    )
    page_token: str = field(metadata={"description": "for the next page of this visit"})
    degraded: tuple[str, ...] = field(
        metadata={"description": "what was not as it should be; empty on a good day"}
    )
