"""Accounts and campaigns as JSON objects: as they are printed, and as the audit and SQL keep them."""

from datetime import date

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Bidding, Budget, FixedBid, MostClicks, TargetRoas
from recsys.ads.campaigns.campaign import Campaign, FrequencyCap, Line
from recsys.ads.campaigns.targets import Targets, keyword_text, parse_keyword, parse_surface
from recsys.documents import JsonObject
from recsys.errors import DataError, RequestError

FIXED_BID, TARGET_ROAS, MOST_CLICKS = "fixed_bid", "target_roas", "most_clicks"


def account_to_json(account: Account) -> JsonObject:
    """All that an operator decided of an account."""
    return {
        "account_id": account.account_id,
        "name": account.name,
        "time_zone": account.time_zone,
        "budget_day_micros": account.budget_day_micros,
        "prepaid": account.prepaid,
    }


def campaign_to_json(campaign: Campaign) -> JsonObject:
    """All that was decided of a campaign and its lines."""
    return {
        "campaign_id": campaign.campaign_id,
        "account_id": campaign.account_id,
        "name": campaign.name,
        "status": campaign.status,
        "review": {"state": campaign.review.state, "reason": campaign.review.reason},
        "pricing": campaign.pricing,
        "bidding": bidding_to_json(campaign.bidding),
        **_budget(campaign.budget),
        "starts_on": _day(campaign.schedule.starts_on),
        "ends_on": _day(campaign.schedule.ends_on),
        "targets": targets_to_json(campaign.targets),
        "placement_percents": dict(campaign.placement_percents),
        "quality_floor": campaign.quality_floor,
        "frequency_cap": cap_to_json(campaign.frequency_cap),
        "never_beside": list(campaign.never_beside),
        "lines": [_line(line) for line in campaign.lines],
    }


def bidding_to_json(bidding: Bidding) -> JsonObject:
    """The strategy, its bid (the largest one, where it sets bids itself) and its target."""
    if isinstance(bidding, FixedBid):
        return {"strategy": FIXED_BID, "bid_micros": bidding.bid_micros, "target_percent": None}
    if isinstance(bidding, TargetRoas):
        bid, percent = bidding.most_bid_micros, bidding.percent
        return {"strategy": TARGET_ROAS, "bid_micros": bid, "target_percent": percent}
    return {"strategy": MOST_CLICKS, "bid_micros": bidding.most_bid_micros, "target_percent": None}


def bidding_of(strategy: str, bid_micros: int | None, target_percent: int | None) -> Bidding:
    """What `bidding_to_json` wrote.

    Raises:
        DataError: no strategy of this version.
    """
    if strategy == FIXED_BID and bid_micros is not None:
        return FixedBid(bid_micros)
    if strategy == TARGET_ROAS and target_percent is not None:
        return TargetRoas(target_percent, bid_micros)
    if strategy == MOST_CLICKS:
        return MostClicks(bid_micros)
    raise DataError(f"the bidding strategy {strategy!r} is none that this version knows. Upgrade recsys.")


def targets_to_json(targets: Targets) -> JsonObject:
    """Targets, keywords as people write them."""
    return {
        "categories": list(targets.categories),
        "items": list(targets.items),
        "keywords": [keyword_text(keyword) for keyword in targets.keywords],
        "segment": targets.segment,
        "surfaces": list(targets.surfaces),
    }


def targets_of(document: JsonObject) -> Targets:
    """What `targets_to_json` wrote.

    Raises:
        DataError: something in it is none of this version.
    """
    try:
        return Targets(
            tuple(document["categories"]),
            tuple(document["items"]),
            tuple(parse_keyword(text) for text in document["keywords"]),
            document["segment"],
            tuple(parse_surface(name) for name in document["surfaces"]),
        )
    except (KeyError, RequestError) as error:
        raise DataError(f"stored targets cannot be read: {error} Upgrade recsys.") from error


def cap_to_json(cap: FrequencyCap | None) -> JsonObject | None:
    """A frequency cap."""
    return None if cap is None else {"count": cap.count, "window_seconds": cap.window_seconds}


def _line(line: Line) -> JsonObject:
    return {
        "line_id": line.line_id,
        "name": line.name,
        "status": line.status,
        "bid_micros": line.bid_micros,
        **_budget(line.budget),
        "items": list(line.items),
    }


def _budget(budget: Budget) -> JsonObject:
    return {"budget_day_micros": budget.day_micros, "budget_total_micros": budget.total_micros}


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
