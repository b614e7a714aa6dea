"""Slots of campaigns that pay by the purchase: which of them a purchase without a token is charged to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from recsys.ads.charging.judgment import charge_of
from recsys.ads.ledger.charges import Charge
from recsys.ads.tokens.impression_token import SponsoredImpression


@dataclass(frozen=True)
class PurchaseSlot:
    """A clicked slot of a campaign that pays by the purchase.

    Attributes:
        item_id: the ad's. unit: who clicked it.
        price_nanos: of a purchase.
        clicked_at: the first click; where there was none, the purchase that named the slot.
        purchase_id: id of the purchase event that it led to; None = none yet. A slot leads to one.
    """

    token_id: str
    account_id: str
    campaign_id: str
    line_id: str
    item_id: str
    unit: str
    price_nanos: int
    served_at: datetime
    clicked_at: datetime
    purchase_id: str | None = None
    purchased_at: datetime | None = None


def slot_of(impression: SponsoredImpression, clicked_at: datetime) -> PurchaseSlot:
    """The slot of an impression that was clicked."""
    charge = charge_of(impression, clicked_at)
    return PurchaseSlot(
        token_id=charge.token_id,
        account_id=charge.account_id,
        campaign_id=charge.campaign_id,
        line_id=charge.line_id,
        item_id=impression.ad,
        unit=impression.unit,
        price_nanos=charge.price_nanos,
        served_at=impression.served_at,
        clicked_at=clicked_at,
    )


def purchase_charge(slot: PurchaseSlot, occurred_at: datetime) -> Charge:
    """What the slot's campaign pays for a purchase that it led to."""
    return Charge(
        token_id=slot.token_id,
        event="purchase",
        account_id=slot.account_id,
        campaign_id=slot.campaign_id,
        line_id=slot.line_id,
        price_nanos=slot.price_nanos,
        served_at=slot.served_at,
        occurred_at=occurred_at,
    )


def last_click(
    slots: Iterable[PurchaseSlot], purchase_id: str, at: datetime, window_seconds: int
) -> PurchaseSlot | None:
    """The slot that a purchase is charged to: the last one that was clicked before, within the window.

    One that this purchase was charged to before stays it. None where there is none, or where the last one
    led to another purchase already: a click is paid for once.

    Args:
        slots: of the purchased item that its user, or session, clicked.
    """
    known = list(slots)
    for slot in known:
        if slot.purchase_id == purchase_id:
            return slot
    window = timedelta(seconds=window_seconds)
    clicked = [slot for slot in known if timedelta(0) <= at - slot.clicked_at <= window]
    last = max(clicked, key=lambda slot: (slot.clicked_at, slot.token_id), default=None)
    return None if last is None or last.purchase_id is not None else last


def cancelled_slot(slots: Iterable[PurchaseSlot], at: datetime) -> PurchaseSlot | None:
    """The slot whose purchase a cancel takes back: of the latest purchase before it; None without one."""
    bought = [slot for slot in slots if slot.purchased_at is not None and slot.purchased_at <= at]
    return max(bought, key=lambda slot: (slot.purchased_at, slot.token_id), default=None)
