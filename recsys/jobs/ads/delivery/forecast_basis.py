"""What a forecast is made from: what the last days say of demand, auctions, events and prices."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import IMPRESSIONS_OF_CPM, FixedBid, Pricing
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.delivery.counts import CountedHour
from recsys.ads.delivery.forecast import ForecastBasis, Share, SurfaceDemand
from recsys.ads.delivery.landscape import Landscape, worth_of_view
from recsys.ads.delivery.steps import Step
from recsys.ads.ledger.charges import ChargedEvent
from recsys.amounts import amount_text
from recsys.errors import RequestError
from recsys.stores.ads.campaign_sums import SoldEvents

PAYS_FOR: Mapping[Pricing, ChargedEvent] = {"cpc": "click", "cpm": "viewable", "cpa": "purchase"}
# What is assumed while nothing was sold: which part of shown ads is billed, and as how many that counts.
PRIORS: Mapping[ChargedEvent, tuple[float, float]] = {
    "click": (0.01, 100.0),
    "viewable": (0.5, 20.0),
    "purchase": (0.0005, 2000.0),
}
OWN_STRENGTH = 100.0  # shown ads, or requests, that the shop's rate counts as beside a campaign's own
_NOT_COMPETING = (Step.BUDGET, Step.PACING)  # what a forecast has the budget for


@dataclass(frozen=True)
class Market:
    """What was counted and sold of all campaigns of late.

    Attributes:
        steps: campaign id and step -> requests.
    """

    steps: Mapping[tuple[str, Step], int]
    sold: tuple[SoldEvents, ...]
    pricings: Mapping[str, Pricing]

    @classmethod
    def of(
        cls, hours: Iterable[CountedHour], sold: tuple[SoldEvents, ...], campaigns: Iterable[Campaign]
    ) -> "Market":
        """The market that hours, books and campaigns tell of; held-out requests are left out."""
        steps: Counter[tuple[str, Step]] = Counter()
        for hour in hours:
            if not hour.holdout:
                steps.update(hour.steps)
        return cls(steps, sold, {each.campaign_id: each.pricing for each in campaigns})

    def shown(self, campaign_id: str | None = None, pricing: Pricing | None = None) -> int:
        """Requests in which ads were shown: of a campaign, or of all of a pricing."""
        return sum(
            count
            for (of, step), count in self.steps.items()
            if step is Step.WON and campaign_id in (None, of) and pricing in (None, self.pricings.get(of))
        )

    def competed(self, campaign_id: str | None = None) -> int:
        """Requests that met targets while budgets lasted."""
        return sum(
            count
            for (of, step), count in self.steps.items()
            if step not in _NOT_COMPETING and campaign_id in (None, of)
        )

    def events(self, event: ChargedEvent, campaign_id: str | None = None) -> int:
        """Events of a kind that the books know."""
        return sum(
            each.events
            for each in self.sold
            if each.event == event and campaign_id in (None, each.campaign_id)
        )

    def price_micros(self, event: ChargedEvent) -> int | None:
        """What a billed event cost on average; of viewable impressions a thousand. None without any."""
        billed = sum(each.billed for each in self.sold if each.event == event)
        micros = sum(each.micros for each in self.sold if each.event == event)
        if not billed:
            return None
        return micros * (IMPRESSIONS_OF_CPM if event == "viewable" else 1) // billed


def forecast_basis(
    account: Account,
    campaign: Campaign,
    demand: tuple[SurfaceDemand, ...],
    market: Market,
    told: tuple[str, ...],
    currency: str | None,
    asked: Landscape | None = None,
) -> ForecastBasis:
    """What the forecast of `campaign` is made from, with what is assumed.

    Args:
        told: what was assumed of the demand.
        asked: what had to be outbid of late; None = nothing tells.

    Raises:
        RequestError: nothing tells what an event would cost.
    """
    event = PAYS_FOR[campaign.pricing]
    bid = _bid(campaign)
    if asked is None or bid is None:
        wins, of_wins = _wins(campaign, market)
    else:
        wins, of_wins = _outbid(campaign.pricing, bid, asked)
    billed, of_billed = _rate(campaign, market, event)
    clicks, _ = _rate(campaign, market, "click")
    price, of_price = _price(bid, market.price_micros(event), event, currency)
    return ForecastBasis(
        demand=demand,
        wins=wins,
        billed=billed,
        clicks=clicks,
        pricing=campaign.pricing,
        price_micros=price,
        budget_micros=_day_budget(account, campaign),
        assumptions=(*told, of_wins, of_billed, of_price, "pacing and frequency caps cost no impressions"),
    )


def _outbid(pricing: Pricing, bid: int, asked: Landscape) -> tuple[Share, str]:
    wins = asked.wins(worth_of_view(pricing, bid, asked.attraction, asked.p_purchase))
    said = (
        f"at its bid it is shown in {wins.count / wins.of:.1%} of what meets its targets, as in "
        f"{len(asked.to_beat):,} requests with ads of late, if it is clicked as the average ad"
    )
    return wins, said


def _bid(campaign: Campaign) -> int | None:
    """The largest bid of its lines, or the largest that it may set; None where nothing says."""
    bids = [bid for line in campaign.lines if (bid := campaign.line_bid_micros(line)) is not None]
    if not bids and not isinstance(campaign.bidding, FixedBid):
        return campaign.bidding.most_bid_micros
    return max(bids, default=None)


def _wins(campaign: Campaign, market: Market) -> tuple[Share, str]:
    shown, competed = market.shown(), market.competed()
    if not competed:
        return Share(0, 0), "no auction was counted yet: any part of them may be won"
    own = market.competed(campaign.campaign_id)
    if not own:
        found = f"it is shown in {shown / competed:.1%} of what meets its targets, as the average campaign"
        return Share(shown, competed), f"{found}, whatever it bids"
    won = market.shown(campaign.campaign_id)
    share = Share(won, own, _within(shown / competed), OWN_STRENGTH)
    return share, f"it is shown in {won / own:.1%} of what meets its targets, as of late, whatever it bids"


def _rate(campaign: Campaign, market: Market, event: ChargedEvent) -> tuple[Share, str]:
    prior, strength = PRIORS[event]
    pricing = next(each for each, pays_for in PAYS_FOR.items() if pays_for == event)
    shown = market.shown(pricing=pricing)
    events = min(market.events(event), shown)
    rate = (events + prior * strength) / (shown + strength)
    own = market.shown(campaign.campaign_id) if campaign.pricing == pricing else 0
    said = f"{rate:.2%} of shown ads bring a {event}" + ("" if shown else ": a guess, as none was sold yet")
    if not own:
        return Share(events, shown, prior, strength), said
    own_events = min(market.events(event, campaign.campaign_id), own)
    return Share(own_events, own, _within(rate), OWN_STRENGTH), said


def _price(bid: int | None, paid: int | None, event: ChargedEvent, currency: str | None) -> tuple[int, str]:
    if bid is None and paid is None:
        raise RequestError(
            f"nothing tells what a {event} would cost: none was sold yet. Give --bid, or --max-bid."
        )
    price = min(each for each in (bid, paid) if each is not None)
    unit = "a thousand viewable impressions" if event == "viewable" else f"a {event}"
    what = f"{unit} costs {amount_text(price, currency)}"
    return price, f"{what}, its bid" if price == bid else f"{what}, the average of late"


def _day_budget(account: Account, campaign: Campaign) -> int | None:
    """The smallest of the day's budgets, and of the total over the days of the campaign."""
    budgets = [account.budget_day_micros, campaign.budget.day_micros]
    starts, ends = campaign.schedule.starts_on, campaign.schedule.ends_on
    if campaign.budget.total_micros is not None:
        days = 1 if starts is None or ends is None else (ends - starts).days + 1
        budgets.append(campaign.budget.total_micros // days)
    return min((each for each in budgets if each is not None), default=None)


def _within(share: float) -> float:
    """A share that a prior may have: neither 0 nor 1."""
    return min(max(share, 1e-4), 1 - 1e-4)
