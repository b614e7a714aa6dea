"""Answers simulated requests by a policy: the real auction, holds, and what each slot then brings."""

from dataclasses import dataclass, field, replace

import numpy as np

from recsys.ads.auction.auction import run_auction
from recsys.ads.auction.candidates import Candidates, PricingCode
from recsys.ads.auction.outcome import Outcome
from recsys.ads.auction.placement import Placement
from recsys.ads.campaigns.bidding import MostClicks, Pricing
from recsys.ads.campaigns.targets import SURFACES
from recsys.ads.pacing.budget_gate import (
    BudgetGate,
    HoldRequest,
    RefusalReason,
    UserCap,
    expected_cost_micros,
)
from recsys.ads.pacing.throttle import paced_bid_micros
from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.simulation.ads.billing import (
    PRICINGS,
    VIEW_SECONDS,
    BillingQueue,
    ShownAd,
    click_seconds,
    purchase_seconds,
)
from recsys.simulation.ads.controllers import Controllers
from recsys.simulation.ads.exploring import Exploring
from recsys.simulation.ads.market import Market
from recsys.simulation.ads.policy import AdPolicy
from recsys.simulation.ads.predictor import Predicted
from recsys.simulation.ads.traffic import Requests


@dataclass
class Shown:
    """Slots shown by a block of requests, as columns, their clicks, and how many exploration gave."""

    ad: list[int] = field(default_factory=list)
    slot: list[int] = field(default_factory=list)
    predicted: list[float] = field(default_factory=list)
    attraction: list[float] = field(default_factory=list)
    viewed: list[int] = field(default_factory=list)
    clicks: int = 0
    explored: int = 0


class AdServer:
    """Holds the auctions of one policy in a market."""

    def __init__(
        self,
        market: Market,
        policy: AdPolicy,
        gate: BudgetGate,
        controllers: Controllers,
        billing: BillingQueue,
        exploring: Exploring,
    ) -> None:
        self._market, self._policy = market, policy
        self._gate, self._controllers, self._billing = gate, controllers, billing
        self._exploring = exploring
        self._examination = market.truth.examination
        self._placements = _placements(market, policy)
        ads = market.ads
        self._bids: IntArray = np.maximum(ads.bid_micros * policy.bid_percent // 100, 1)
        self._pricing: list[Pricing] = [PRICINGS[PricingCode(code)] for code in ads.pricing.tolist()]
        self._campaign: list[int] = ads.campaign.tolist()
        self._p_purchase: list[float] = ads.p_purchase.tolist()
        self._lowers = _lowers_bid(market, policy)
        self._by_page = [(rows, ads.campaign[rows]) for rows in market.matched]
        self.steered()

    def steered(self) -> None:
        """Takes what the controllers say now."""
        controllers, campaign = self._controllers, self._market.ads.campaign
        paced = self._lowers & (controllers.participation > 0)
        self._enters: DoubleArray = np.where(paced, 1.0, controllers.participation)
        self._can_pay: BoolArray = controllers.can_pay[campaign]
        self._bids_now = self._bids
        if paced.any():
            self._bids_now = self._bids.copy()
            for ad in np.flatnonzero(paced[campaign]).tolist():
                lowered = paced_bid_micros(int(self._bids[ad]), controllers.participation[campaign[ad]])
                self._bids_now[ad] = max(lowered, 1)

    def serve(self, requests: Requests, row: int, predicted: Predicted, shown: Shown) -> None:
        """Answers the request in `row` of a block; what it shows is added to `shown`."""
        page, at = int(requests.page[row]), float(requests.at[row])
        rows, campaigns = self._by_page[page]
        rows = rows[requests.take_part[row, campaigns] < self._enters[campaigns]]
        if not len(rows):
            return
        candidates = self._candidates(rows, predicted.expected[row, rows])
        number = requests.first + row
        asked = _Asked(self, number, int(requests.shopper[row]), predicted.expected[row])
        worlds = self._exploring.worlds(candidates, predicted, number, at)
        ranked = replace(candidates, attraction=worlds.attraction) if len(worlds) > 1 else candidates
        placement = self._placements[page]
        outcome = run_auction(ranked, placement, number, asked.reserve)
        won = [slot.row for slot in outcome.slots]
        unable = np.flatnonzero(np.isin(rows, asked.refused)).tolist() if asked.refused else []
        shown.explored += self._exploring.note(worlds, candidates, placement, number, won, unable, at)
        self._show(requests, row, at, outcome, asked, predicted, shown)

    def _candidates(self, rows: IntArray, attraction: DoubleArray) -> Candidates:
        ads, exponent = self._market.ads, self._policy.quality_exponent
        quality = np.ones(len(rows))
        if exponent:
            quality = (attraction / self._market.truth.mean_attraction) ** exponent
        return Candidates(
            ad=rows,
            account=ads.account[rows],
            product=ads.product[rows],
            bid_micros=self._bids_now[rows],
            pricing=ads.pricing[rows],
            attraction=attraction,
            p_purchase=ads.p_purchase[rows],
            quality=quality,
            can_pay=self._can_pay[rows],
        )

    def hold(
        self, number: int, shopper: int, ad: int, slot: int, price: int, attraction: float
    ) -> str | None:
        """The id of the hold of a slot; None where it was refused."""
        campaign_number, pricing = self._campaign[ad], self._pricing[ad]
        p_event = attraction * self._examination[slot]
        if pricing == "cpa":
            p_event *= self._p_purchase[ad]
        cost = expected_cost_micros(pricing, price, p_event)
        campaign = self._market.campaigns[campaign_number]
        cap = campaign.frequency_cap
        request = HoldRequest(
            account_id=campaign.account_id,
            hold_id=f"{number}-{ad}",
            levels=self._controllers.levels[campaign_number],
            cost_micros=cost,
            pricing=pricing,
            user_cap=None if cap is None else UserCap(str(shopper), campaign.campaign_id, cap),
            price_micros=0 if pricing == "cpm" else price,
        )
        refusal = self._gate.hold(request)
        if refusal is None or refusal.reason is RefusalReason.BUDGET:
            self._controllers.note_demand(campaign_number, cost)
        if refusal is not None and refusal.reason is RefusalReason.BUDGET:
            self._can_pay[self._market.ads.campaign == campaign_number] = False  # until it is looked at again
        return request.hold_id if refusal is None else None

    def _show(
        self,
        requests: Requests,
        row: int,
        at: float,
        outcome: Outcome,
        asked: "_Asked",
        predicted: Predicted,
        shown: Shown,
    ) -> None:
        for slot, won in enumerate(outcome.slots):
            ad, attraction = won.ad, float(predicted.true[row, won.ad])
            shown.ad.append(ad)
            shown.slot.append(slot)
            shown.predicted.append(float(predicted.expected[row, ad]))
            shown.attraction.append(attraction)
            if requests.look[row, slot] >= self._examination[slot]:
                continue
            shown.viewed.append(ad)
            clicked = bool(requests.click[row, ad] < attraction)
            shown.clicks += clicked
            pricing = self._pricing[ad]
            if pricing == "cpm":
                occurred = at + VIEW_SECONDS
            elif not clicked:
                continue
            else:
                occurred = at + click_seconds(float(requests.delay[row, slot]))
                if pricing == "cpa":
                    if requests.buy[row, slot] >= self._p_purchase[ad]:
                        continue
                    occurred += purchase_seconds(float(requests.buy_delay[row, slot]))
            self._billing.add(self._shown_ad(asked.hold_ids[slot], ad, won.price_micros, at), occurred)

    def _shown_ad(self, hold_id: str, ad: int, price_micros: int, at: float) -> ShownAd:
        number = self._campaign[ad]
        campaign = self._market.campaigns[number]
        return ShownAd(
            hold_id=hold_id,
            campaign=number,
            account_id=campaign.account_id,
            campaign_id=campaign.campaign_id,
            line_id=campaign.lines[0].line_id,
            pricing=self._pricing[ad],
            price_micros=price_micros,
            at=at,
        )


class _Asked:
    """The holds of one auction, in rank order."""

    def __init__(self, server: AdServer, number: int, shopper: int, attraction: DoubleArray) -> None:
        self._server, self._number, self._shopper = server, number, shopper
        self._attraction = attraction
        self.hold_ids: list[str] = []
        self.refused: list[int] = []

    def reserve(self, ad: int, price_micros: int) -> bool:
        """Whether the expected cost of the next slot is held for `ad`."""
        hold_id = self._server.hold(
            self._number, self._shopper, ad, len(self.hold_ids), price_micros, float(self._attraction[ad])
        )
        if hold_id is None:
            self.refused.append(ad)
            return False
        self.hold_ids.append(hold_id)
        return True


def _placements(market: Market, policy: AdPolicy) -> list[Placement]:
    """The placement of each page, by its surface."""
    prices, examination = policy.surface_prices, market.truth.examination
    of_surface = {
        surface: Placement(examination, found.rule, found.reserves, policy.most_per_account)
        for surface in SURFACES
        for found in [prices.on(surface)]
    }
    return [of_surface[page.request.surface] for page in market.pages]


def _lowers_bid(market: Market, policy: AdPolicy) -> BoolArray:
    """(C,) whose bid the controller lowers, in the place of leaving auctions out."""
    if policy.pacing == "bid":
        return np.ones(len(market.campaigns), bool)
    automatic = [isinstance(campaign.bidding, MostClicks) for campaign in market.campaigns]
    return np.array(automatic) & (policy.pacing == "plan")
