"""A campaign beside its account, as it is printed: a JSON object, or tables for people."""

from dataclasses import dataclass

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Bidding, Budget, FixedBid, MostClicks
from recsys.ads.campaigns.campaign import Campaign, FrequencyCap
from recsys.ads.campaigns.documents import campaign_to_json
from recsys.ads.campaigns.targets import keyword_text
from recsys.amounts import amount_text
from recsys.documents import JsonObject

_SHOWN = 8  # ids and keywords in one cell
_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"))


@dataclass(frozen=True)
class ShownCampaign:
    """A campaign beside its account.

    Attributes:
        state: see `campaign_state`.
        currency: the shop's code; None where it is not known.
    """

    account: Account
    campaign: Campaign
    state: str
    currency: str | None

    def to_json(self) -> JsonObject:
        """What `recsys ads campaign show --json` prints."""
        return {
            "account": self.account.name,
            "state": self.state,
            "currency": self.currency,
            **campaign_to_json(self.campaign),
            "version": self.campaign.version,
            "changed_at": self.campaign.changed_at,
        }


def campaign_row(shown: ShownCampaign) -> JsonObject:
    """What `recsys ads campaign list` shows of a campaign."""
    campaign = shown.campaign
    return {
        "account": shown.account.name,
        "campaign": campaign.name,
        "id": campaign.campaign_id,
        "state": shown.state,
        "pays per": campaign.pricing,
        "bid": bidding_text(campaign.bidding, shown.currency),
        "budget": budget_text(campaign.budget, shown.currency),
        "from": campaign.schedule.starts_on,
        "to": campaign.schedule.ends_on,
        "items": len(campaign.items),
    }


def campaign_facts(shown: ShownCampaign) -> JsonObject:
    """What `recsys ads campaign show` says of a campaign besides its lines."""
    campaign, targets = shown.campaign, shown.campaign.targets
    row = {name: value for name, value in campaign_row(shown).items() if name != "items"}
    facts = {
        **row,
        "time zone": shown.account.time_zone,
        "review": f"{campaign.review.state}{': ' if campaign.review.reason else ''}{campaign.review.reason}",
        "categories": _some(targets.categories),
        "items of pages": _some(targets.items),
        "keywords": _some([keyword_text(keyword) for keyword in targets.keywords]),
        "segment": targets.segment,
        "surfaces": _some(targets.surfaces),
        "placements": _some([f"{name} {percent}%" for name, percent in campaign.placement_percents.items()]),
        "quality floor": campaign.quality_floor or None,
        "frequency cap": cap_text(campaign.frequency_cap),
        "never beside": _some(campaign.never_beside),
        "version": campaign.version,
        "changed at": campaign.changed_at,
    }
    return {name: value for name, value in facts.items() if value is not None}


def line_rows(campaign: Campaign, currency: str | None) -> list[JsonObject]:
    """The lines of a campaign."""
    return [
        {
            "line": line.name,
            "status": line.status,
            "bid": "the campaign's" if line.bid_micros is None else amount_text(line.bid_micros, currency),
            "budget": budget_text(line.budget, currency),
            "items": _some(line.items),
        }
        for line in campaign.lines
    ]


def bidding_text(bidding: Bidding, currency: str | None) -> str:
    """A bid, or how bids are set.

    >>> bidding_text(FixedBid(400_000), "EUR"), bidding_text(MostClicks(2_000_000), None)
    ('0.40 EUR', 'most clicks, up to 2.00')
    """
    if isinstance(bidding, FixedBid):
        return amount_text(bidding.bid_micros, currency)
    most = bidding.most_bid_micros
    bound = "" if most is None else f", up to {amount_text(most, currency)}"
    return f"most clicks{bound}" if isinstance(bidding, MostClicks) else f"ROAS {bidding.percent}%{bound}"


def budget_text(budget: Budget, currency: str | None) -> str | None:
    """A budget; None where it has no bound.

    >>> budget_text(Budget(50_000_000, 900_000_000), None)
    '50.00 a day, 900.00 in total'
    """
    parts = [
        f"{amount_text(micros, currency)} {of}"
        for micros, of in ((budget.day_micros, "a day"), (budget.total_micros, "in total"))
        if micros is not None
    ]
    return ", ".join(parts) or None


def cap_text(cap: FrequencyCap | None) -> str | None:
    """A frequency cap as --cap reads it.

    >>> cap_text(FrequencyCap(3, 86_400)), cap_text(FrequencyCap(1, 5400))
    ('3/1d', '1/90m')
    """
    if cap is None:
        return None
    seconds, unit = next(each for each in _UNITS if cap.window_seconds % each[0] == 0 or each[1] == "m")
    return f"{cap.count}/{cap.window_seconds // seconds}{unit}"


def _some(texts: tuple[str, ...] | list[str]) -> str | None:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more if texts else None
