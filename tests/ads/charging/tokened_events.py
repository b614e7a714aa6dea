"""Events that carry tokens of a shop's sponsored impressions, for tests of charging."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.charging.judgment import AdEvent, BillingRules, Judgment, ReceivedEvent, judge_event
from recsys.ads.tokens.impression_token import ImpressionTokens, SponsoredImpression
from recsys.ads.tokens.keys import TokenKeys
from recsys.events import Click

SERVED = datetime(2026, 5, 1, 12, tzinfo=UTC)
TOKENS = ImpressionTokens(TokenKeys("k1", {"k1": b"s" * 32}), "shop-1")
WEEK = 7 * 86_400
IMPRESSION = SponsoredImpression(
    slot_id="slot-1",
    ad="p9",
    account="acc_1",
    campaign="cmp_1",
    line="lin_1",
    slot=1,
    price_micros=400_000,
    pricing=PricingCode.CPC,
    p=0.02,
    served_at=SERVED,
    surface="home",
    request_id="r-1",
    unit="user:u1",
)
RULES = BillingRules(WEEK, {"acc_1": {"boss"}})


def event(cls: type[AdEvent] = Click, seconds: float = 60.0, **values: Any) -> AdEvent:
    """An event of user `u1` about `p9`, so long after the ad was served, with its token."""
    token = TOKENS.encode(values.pop("impression", IMPRESSION))
    given = {
        "event_id": "e-1",
        "at": SERVED + timedelta(seconds=seconds),
        "user_id": "u1",
        "item_id": "p9",
        "token": token,
        **values,
    }
    return cls(**given)


def served(**changed: Any) -> SponsoredImpression:
    """The impression with other values."""
    return replace(IMPRESSION, **changed)


def judged(
    each: AdEvent,
    session_id: str | None = None,
    accepted_at: datetime | None = None,
    rules: BillingRules = RULES,
) -> Judgment:
    """What the event is; accepted when it was, unless said otherwise."""
    units = {f"user:{each.user_id}"} | ({f"session:{session_id}"} if session_id else set())
    return judge_event(ReceivedEvent(each, units, accepted_at or each.at), TOKENS, rules)
