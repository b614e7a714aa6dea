"""From a question to won slots: who matches, takes part, is good enough, bids enough, and can pay."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from recsys.ads.auction.auction import run_auction
from recsys.ads.auction.candidates import Candidates
from recsys.ads.auction.explanation import describe_slot
from recsys.ads.auction.outcome import FilledSlot, Outcome
from recsys.ads.auction.placement import Placement
from recsys.ads.auction.ranking import tie_numbers
from recsys.ads.campaigns.local_days import local_day
from recsys.ads.delivery.campaign_steps import CODES, CampaignSteps
from recsys.ads.delivery.steps import STEP_OF_LOSS, Step
from recsys.ads.exploration.counts import ExplorationCounts
from recsys.ads.exploration.draws import AdDraws
from recsys.ads.exploration.propensity import SlotChance, slot_chances
from recsys.ads.exploration.warm_up import warm_up_spread
from recsys.ads.exploration.worlds import Worlds, explored_attraction
from recsys.ads.matching.targeting import AdRequest
from recsys.ads.pacing.budget_gate import HoldRequest, RefusalReason, UserCap, expected_cost_micros
from recsys.ads.selection.bids import bids_of
from recsys.ads.selection.holds import Holds
from recsys.ads.selection.inventory import CLICKS, Inventory
from recsys.ads.selection.levels import budget_levels, entity_and_period
from recsys.ads.selection.prediction import ClickEstimates, ClickPredictor
from recsys.ads.selection.question import NOTHING, AdQuestion, SelectedSlot, Selection, SelectionRules
from recsys.ads.selection.standing import Standing
from recsys.arrays import BoolArray, IntArray
from recsys.catalog import stable_key

MOST_ADS = 4_000  # of one auction; of longer lines some items are drawn
# Apart from each other, and from the auction's own draw.
_PACING, _ITEMS, _EXPLORATION = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, 0xA0761D6478BD642F
_CODE_OF_LOSS = np.array([CODES[STEP_OF_LOSS[reason]] for reason in sorted(STEP_OF_LOSS)], np.int64)
_REFUSED = {
    RefusalReason.BUDGET: Step.BUDGET,
    RefusalReason.FREQUENCY: Step.CAP,
    RefusalReason.REBUILD: Step.BUDGET,
}


@dataclass(frozen=True, eq=False)
class _Field:
    """The K ads that match, and at which step each has left so far; (K,) each, -1 = it is still there."""

    ads: IntArray
    steps: npt.NDArray[np.int64]

    def leave(self, where: BoolArray, step: Step) -> None:
        """Those that are still there and `where` holds leave at `step`."""
        self.steps[(self.steps < 0) & where] = CODES[step]

    @property
    def left(self) -> IntArray:
        """Places of those that are still there."""
        return np.flatnonzero(self.steps < 0)


def select_ads(
    standing: Standing,
    question: AdQuestion,
    rules: SelectionRules,
    predictor: ClickPredictor,
    holds: Holds,
    counts: ExplorationCounts | None = None,
) -> Selection:
    """The slots of `question`, won, priced and, unless it is a ghost's, held.

    Pacing is drawn before anything is estimated or explored: an ad that does not take part says nothing of
    how good ads are. All draws depend on the request and the line or ad alone, so the same request gets the
    same.

    Args:
        counts: what exploration has used of its budget; None = nothing. What is shown is for the caller to
            note.

    Raises:
        StoreUnavailableError: the gate does not answer. What was held is given back, or ends by itself.
    """
    inventory, seed = standing.inventory, stable_key(question.request_id)
    matching = inventory.index.matching_numbers(_ad_request(question))
    ads = inventory.ads_of(inventory.running(matching, question.context.now))
    if not len(ads):
        return NOTHING
    found = _drawn_items(inventory, ads, seed)
    rebuilding = _leave_without_money(found, standing, question, holds)
    _leave_by_pacing(found, standing, seed)
    shown = np.array([*question.memory.organic, *question.memory.sponsored], np.int64)
    found.leave(np.isin(inventory.items.product[found.ads], shown), Step.PAGE)
    left = found.left
    of_left = found.ads[left]
    estimates = predictor.estimate(question.context, inventory.items_of(of_left))
    campaign = inventory.line_campaign[inventory.ad_line[of_left]]
    floor = np.maximum(inventory.quality_floor[campaign], rules.least_relevance)
    good = estimates.relevance >= floor
    found.steps[left[~good]] = CODES[Step.QUALITY]
    auction = _Auction(standing, question, rules, found, left[good], estimates.of(good), holds, counts)
    slots = auction.run(seed) if good.any() else ()
    rebuilding |= RefusalReason.REBUILD in holds.reasons.values()
    return Selection(slots, _steps_of_campaigns(inventory, found), rebuilding)


def _ad_request(question: AdQuestion) -> AdRequest:
    context = question.context
    return AdRequest(
        context.surface, context.query or "", question.categories, context.item_id, question.facts
    )


def _drawn_items(inventory: Inventory, ads: IntArray, seed: int) -> _Field:
    """All of `ads`, or of each line so many that there are MOST_ADS, drawn by the request."""
    if len(ads) > MOST_ADS:
        line = inventory.ad_line[ads]
        _, first, count = np.unique(line, return_index=True, return_counts=True)
        most = max(MOST_ADS // len(first), 1)
        draws = tie_numbers(inventory.ad_key[ads], seed ^ _ITEMS)
        order = np.lexsort((draws, line))
        rank = np.empty(len(ads), np.int64)
        rank[order] = np.arange(len(ads)) - np.repeat(first, count)
        ads = ads[rank < most]
    return _Field(ads, np.full(len(ads), -1, np.int64))


def _leave_without_money(found: _Field, standing: Standing, question: AdQuestion, holds: Holds) -> bool:
    """Those leave that are known to be unable to pay; whether some did because of a gate to be rebuilt.

    Whom the gate alone refused a moment ago, by a full level or a cap, competes among ghosts.
    """
    inventory = standing.inventory
    line = inventory.ad_line[found.ads]
    campaign = inventory.line_campaign[line]
    found.leave(~standing.funds.funded[line], Step.BUDGET)
    if question.is_ghost:
        return False
    closed = standing.closed[inventory.campaign_account[campaign]] & (found.steps < 0)
    found.leave(closed, Step.BUDGET)
    full = {entity_and_period(name)[0] for name in holds.full_levels()}
    if full:
        found.leave(_belongs_to(inventory, line, campaign, full), Step.BUDGET)
    capped = holds.capped(question.context.unit)
    if capped:
        numbers = [place[1] for name in capped if (place := inventory.places.get(name))]
        found.leave(np.isin(campaign, numbers), Step.CAP)
    return bool(closed.any())


def _belongs_to(inventory: Inventory, line: IntArray, campaign: IntArray, entities: set[str]) -> BoolArray:
    """(K,) whether the line, its campaign or its account is one of `entities`."""
    return np.array(
        [
            inventory.lines[one].line_id in entities
            or inventory.campaigns[number].campaign_id in entities
            or inventory.campaigns[number].account_id in entities
            for one, number in zip(line.tolist(), campaign.tolist(), strict=True)
        ],
        bool,
    )


def _leave_by_pacing(found: _Field, standing: Standing, seed: int) -> None:
    """Lines leave with all their ads by one draw: else a line with many ads would hardly ever be paced.

    "Most clicks" takes part always, and bids less instead.
    """
    inventory = standing.inventory
    line = inventory.ad_line[found.ads]
    participation = standing.participation[line]
    draws = tie_numbers(inventory.line_key[line], seed ^ _PACING) / 2.0**64
    throttled = inventory.strategy[inventory.line_campaign[line]] != CLICKS
    found.leave(throttled & (draws >= participation), Step.PACING)


def _steps_of_campaigns(inventory: Inventory, found: _Field) -> CampaignSteps:
    """Of each campaign the step at which the ad left that came furthest."""
    campaign = inventory.line_campaign[inventory.ad_line[found.ads]]
    first = np.flatnonzero(np.diff(campaign, prepend=-1))
    furthest = np.maximum.reduceat(found.steps, first)
    return CampaignSteps(inventory.campaign_ids, campaign[first], furthest)


@dataclass(frozen=True, eq=False)
class _Auction:
    """The ads that compete. `rows`: (R,) their places among `found`. `estimates`: of these."""

    standing: Standing
    question: AdQuestion
    rules: SelectionRules
    found: _Field
    rows: IntArray
    estimates: ClickEstimates
    holds: Holds
    counts: ExplorationCounts | None

    def run(self, seed: int) -> tuple[SelectedSlot, ...]:
        """The slots that were won; notes at which step each ad left."""
        candidates = self._candidates()
        rules, prices = self.rules, self.rules.prices.on(self.question.context.surface)
        placement = Placement(
            self.question.examination,
            prices.rule,
            prices.reserves,
            rules.most_per_account,
            rules.most_reruns,
        )
        reserve = None if self.question.is_ghost else partial(self._reserve, candidates.ad)
        worlds = self._worlds(candidates, seed)
        drawn = len(worlds) > 1
        # Ranked and priced by one attraction: priced by another, an ad could pay more than its bid.
        ranked = replace(candidates, attraction=worlds.attraction) if drawn else candidates
        try:
            outcome = run_auction(ranked, placement, seed, reserve)
        except BaseException:
            self.holds.release()
            raise
        self._note_steps(candidates.ad, outcome)
        chances = self._chances(worlds, candidates, placement, seed, outcome)
        return tuple(
            self._slot(slot, candidates.ad, chance, drawn)
            for slot, chance in zip(outcome.slots, chances, strict=True)
        )

    def _chances(
        self, worlds: Worlds, candidates: Candidates, placement: Placement, seed: int, outcome: Outcome
    ) -> tuple[SlotChance, ...]:
        if len(worlds) == 1:
            return (SlotChance(),) * len(outcome.slots)
        shown = [slot.row for slot in outcome.slots]
        unable = np.flatnonzero(np.isin(candidates.ad, list(self.holds.reasons))).tolist()
        items = self.standing.inventory.items_of(self.found.ads[self.rows])
        return slot_chances(worlds, candidates, placement, seed, shown, unable, items)

    def _worlds(self, candidates: Candidates, seed: int) -> Worlds:
        """What the auction may take for attractions; of ads that are not to be explored the expected one."""
        rules, estimates = self.rules, self.estimates
        spread = np.zeros(len(candidates))
        if rules.exploration.by != "none":
            inventory = self.standing.inventory
            campaign = inventory.line_campaign[inventory.ad_line[self.found.ads[self.rows]]]
            numbers = {each: inventory.campaigns[each].campaign_id for each in np.unique(campaign).tolist()}
            counts = self.counts or ExplorationCounts()
            used, shop = counts.used(self.question.context.now, numbers)
            spread = warm_up_spread(estimates.spread, estimates.viewed, campaign, used, shop, rules.warm_up)
        draws = AdDraws(seed ^ _EXPLORATION, candidates.ad)
        return explored_attraction(candidates.attraction, spread, draws, rules.exploration)[1]

    def _candidates(self) -> Candidates:
        inventory, estimates = self.standing.inventory, self.estimates
        ads = self.found.ads[self.rows]
        line = inventory.ad_line[ads]
        campaign = inventory.line_campaign[line]
        return Candidates(
            ad=inventory.ad_key[ads],
            account=inventory.campaign_account[campaign],
            product=inventory.items.product[ads],
            bid_micros=bids_of(
                inventory, ads, estimates, self.standing.participation[line], self.question.context.surface
            ),
            pricing=inventory.pricing[campaign],
            attraction=estimates.attraction,
            p_purchase=estimates.p_purchase,
            quality=estimates.relevance * estimates.attraction**self.rules.quality_exponent,
            can_pay=np.ones(len(ads), bool),
        )

    def _reserve(self, keys: IntArray, ad: int, price_micros: int) -> bool:
        """Whether the next slot's expected cost is held for `ad`. Slots are asked for in their order."""
        row = int((keys == ad).argmax())
        slot = len(self.holds.taken)
        return self.holds.take(ad, self._hold_request(row, price_micros, slot))

    def _hold_request(self, row: int, price_micros: int, slot: int) -> HoldRequest:
        context, inventory = self.question.context, self.standing.inventory
        line_number = int(inventory.ad_line[self.found.ads[self.rows[row]]])
        number = int(inventory.line_campaign[line_number])
        account = inventory.accounts[int(inventory.campaign_account[number])]
        campaign, line = inventory.campaigns[number], inventory.lines[line_number]
        paid_in = self.standing.funds.paid_in.get(account.account_id, 0)
        probability = float(self.estimates.attraction[row]) * self.question.examination[slot]
        if campaign.pricing == "cpa":
            probability *= float(self.estimates.p_purchase[row])
        is_known = context.user_id is not None or context.session_id is not None
        cap = campaign.frequency_cap if is_known else None
        return HoldRequest(
            account_id=account.account_id,
            hold_id=self.holds.new_id(),
            levels=budget_levels(account, campaign, line, local_day(context.now, account.zone), paid_in),
            cost_micros=expected_cost_micros(campaign.pricing, price_micros, probability),
            pricing=campaign.pricing,
            user_cap=None if cap is None else UserCap(context.unit, campaign.campaign_id, cap),
            price_micros=0 if campaign.pricing == "cpm" else price_micros,
        )

    def _note_steps(self, keys: IntArray, outcome: Outcome) -> None:
        steps = _CODE_OF_LOSS[outcome.reasons]
        for ad, reason in self.holds.reasons.items():
            steps[keys == ad] = CODES[_REFUSED[reason]]
        self.found.steps[self.rows] = steps

    def _slot(self, filled: FilledSlot, keys: IntArray, chance: SlotChance, drawn: bool) -> SelectedSlot:
        inventory, row = self.standing.inventory, filled.row
        ad = int(self.found.ads[self.rows[row]])
        line_number = int(inventory.ad_line[ad])
        number = int(inventory.line_campaign[line_number])
        after = None if filled.next_ad is None else self._item_of(keys, filled.next_ad)
        slot = filled.position - 1
        hold = None if self.question.is_ghost else self.holds.taken[slot]
        return SelectedSlot(
            slot_id=self.holds.new_id() if hold is None else hold.hold_id,
            filled=filled,
            account=inventory.accounts[filled.account],
            campaign=inventory.campaigns[number],
            line=inventory.lines[line_number],
            item_id=inventory.item_ids[ad],
            product=filled.product,
            attraction=float(self.estimates.attraction[row]),
            p_purchase=float(self.estimates.p_purchase[row]),
            relevance=float(self.estimates.relevance[row]),
            examination=self.question.examination[slot],
            chance=chance,
            next_item_id=after,
            hold=hold,
            why=describe_slot(filled, partial(self._item_of, keys)) + (_of_chance(chance) if drawn else ""),
        )

    def _item_of(self, keys: IntArray, ad: int) -> str:
        row = int((keys == ad).argmax())
        return self.standing.inventory.item_ids[int(self.found.ads[self.rows[row]])]


def _of_chance(chance: SlotChance) -> str:
    """What exploration had to do with a slot, as the end of a sentence."""
    without = ", without it the ad would have none" if chance.explored else ""
    return f"; exploration gives it this slot with probability {chance.propensity:.2f}{without}"
