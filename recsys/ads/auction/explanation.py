"""A slot's outcome in one sentence, for people."""

from collections.abc import Callable

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.auction.outcome import FilledSlot

_BILLED = {
    PricingCode.CPC: "a click",
    PricingCode.CPM: "1,000 viewable impressions",
    PricingCode.CPA: "a purchase",
}


def describe_slot(slot: FilledSlot, ad_name: Callable[[int], str] = "ad {}".format) -> str:
    """Who won, at which price, why, and who came next.

    Args:
        ad_name: how an ad is called, by its index.
    """
    after = "nobody came next" if slot.next_ad is None else f"{ad_name(slot.next_ad)} came next"
    price = f"{_amount(slot.price_micros)} for {_BILLED[slot.pricing]}"
    return f"slot {slot.position}: {ad_name(slot.ad)} pays {price}: {_reason(slot, ad_name)}; {after}"


def _reason(slot: FilledSlot, ad_name: Callable[[int], str]) -> str:
    if not slot.price_steps:
        return "its bid"
    parts = []
    for step in slot.price_steps:
        to = "the reserve" if step.rival is None else f"the least bid that beats {ad_name(step.rival)}"
        share = "" if len(slot.price_steps) == 1 else f"{step.share:.1%} of {_amount(step.least_micros)}, "
        parts.append(share + to)
    return " + ".join(parts)


def _amount(micros: int) -> str:
    """Micros as units of the currency.

    >>> _amount(1_250_000)
    '1.250000'
    """
    whole, rest = divmod(micros, 1_000_000)
    return f"{whole}.{rest:06d}"
