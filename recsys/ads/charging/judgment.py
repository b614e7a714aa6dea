"""What an event of an ad costs, or why it is not billed: by its token, and by who did it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.campaigns.bidding import Pricing
from recsys.ads.charging.reasons import INVALID_TRAFFIC, NotBilled
from recsys.ads.ledger.charges import BILLABLE, Charge, ChargedEvent, event_price_nanos
from recsys.ads.tokens.impression_token import SponsoredImpression
from recsys.errors import InvalidTokenError, TokenExpiredError
from recsys.events import Cancel, Cart, Click, Impression, Purchase

AdEvent: TypeAlias = Impression | Click | Cart | Purchase | Cancel
PRICINGS: Mapping[PricingCode, Pricing] = {
    PricingCode.CPC: "cpc",
    PricingCode.CPM: "cpm",
    PricingCode.CPA: "cpa",
}


class TokenReader(Protocol):
    """Reads tokens of impressions back; see `recsys.ads.tokens.impression_token.ImpressionTokens`."""

    def decode(self, token: str, now: datetime, most_age_seconds: int) -> SponsoredImpression:
        """The impression of a token; raises InvalidTokenError or TokenExpiredError."""
        ...


@dataclass(frozen=True)
class ReceivedEvent:
    """An event of an ad as the service accepted it.

    Attributes:
        units: everything that its ad may have been served to: its user, its session, its answer.
        accepted_at: by the service's clock, aware.
        origin: hashes of its address and agent; empty where they are not known.
    """

    event: AdEvent
    units: Collection[str]
    accepted_at: datetime
    origin: str = ""


@dataclass(frozen=True)
class BillingRules:
    """What decides beside the token.

    Attributes:
        attribution_seconds: a purchase counts so long after its ad was served or clicked.
        own_users: user ids by account that the account itself uses.
    """

    attribution_seconds: int
    own_users: Mapping[str, Collection[str]]


@dataclass(frozen=True)
class Judgment:
    """What an event is, as far as its token says.

    Attributes:
        impression: what the token says; None without one that is valid.
        occurred_at: when the event was; see `event_instant`.
        reason: why it is not billed; None = it is charged, if the budgets have room.
    """

    received: ReceivedEvent
    impression: SponsoredImpression | None
    occurred_at: datetime
    reason: NotBilled | None

    @property
    def is_invalid(self) -> bool:
        """Whether it is marked as invalid traffic."""
        return self.reason in INVALID_TRAFFIC

    @property
    def may_lead_to_purchase(self) -> bool:
        """Whether it is a click, in time, on an ad that is billed by the purchase."""
        impression = self.impression
        return (
            self.reason is NotBilled.OTHER_EVENT
            and impression is not None
            and impression.pricing is PricingCode.CPA
            and isinstance(self.received.event, Click)
            and self.occurred_at - impression.served_at <= BILLABLE
        )

    @property
    def charge(self) -> Charge | None:
        """What is to be charged; None where it is not billed."""
        if self.reason is not None or self.impression is None:
            return None
        return charge_of(self.impression, self.occurred_at)


def judge_event(received: ReceivedEvent, tokens: TokenReader, rules: BillingRules) -> Judgment:
    """What `received` is. How fast its unit clicks is not looked at here; see `ClickVelocities`."""
    event = received.event
    if event.token is None:
        return Judgment(received, None, event.at, NotBilled.NO_TOKEN)
    try:
        impression = tokens.decode(event.token, received.accepted_at, rules.attribution_seconds)
    except InvalidTokenError:
        return Judgment(received, None, event.at, NotBilled.FORGED)
    except TokenExpiredError:
        return Judgment(received, None, event.at, NotBilled.LATE)
    occurred_at = event_instant(event.at, impression.served_at, received.accepted_at)
    return Judgment(received, impression, occurred_at, _reason(received, impression, rules))


def event_instant(at: datetime, served_at: datetime, accepted_at: datetime) -> datetime:
    """When an event was: as its client says, but not before its ad was served nor after it was accepted.

    A wrong clock of a client moves an event within these bounds and no further.
    """
    return max(served_at, min(at, accepted_at))


def charge_of(impression: SponsoredImpression, occurred_at: datetime) -> Charge:
    """The charge of what the impression's campaign pays for."""
    pricing = PRICINGS[impression.pricing]
    return Charge(
        token_id=impression.slot_id,
        event=_CHARGED[impression.pricing],
        account_id=impression.account,
        campaign_id=impression.campaign,
        line_id=impression.line,
        price_nanos=event_price_nanos(pricing, impression.price_micros),
        served_at=impression.served_at,
        occurred_at=occurred_at,
    )


_CHARGED: Mapping[PricingCode, ChargedEvent] = {
    PricingCode.CPC: "click",
    PricingCode.CPM: "viewable",
    PricingCode.CPA: "purchase",
}
_BILLED_KINDS: Mapping[PricingCode, type[AdEvent]] = {
    PricingCode.CPC: Click,
    PricingCode.CPM: Impression,
    PricingCode.CPA: Purchase,
}


def _reason(
    received: ReceivedEvent, impression: SponsoredImpression, rules: BillingRules
) -> NotBilled | None:
    event = received.event
    if event.item_id != impression.ad:
        return NotBilled.OTHER_ITEM
    if impression.unit not in received.units:
        return NotBilled.OTHER_UNIT
    if event.user_id in rules.own_users.get(impression.account, ()):
        return NotBilled.OWN_USER
    if not isinstance(event, _BILLED_KINDS[impression.pricing]):
        return NotBilled.OTHER_EVENT
    if isinstance(event, Impression) and not event.viewable:
        return NotBilled.UNMEASURED if event.viewable is None else NotBilled.NOT_VIEWABLE
    return None
