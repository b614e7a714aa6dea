"""Exploration in the choice of ads: what it changes, what it leaves as it is, and what its log can tell."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.ads.auction.placement import PriceRule, Reserves
from recsys.ads.auction.surface_prices import Prices, SurfacePrices
from recsys.ads.campaigns.bidding import Budget
from recsys.ads.exploration.counts import ExplorationCounts
from recsys.ads.exploration.propensity import SlotChance
from recsys.ads.exploration.rule import ExplorationRule
from recsys.ads.exploration.warm_up import Explored, WarmUp
from recsys.ads.pacing.budget_gate import expected_cost_micros
from recsys.ads.selection.question import Selection, SelectionRules
from recsys.ads.selection.selection import select_ads
from recsys.ads.selection.served import impression_of, served_slot
from recsys.evaluation.off_policy.compare import evaluate_policies
from recsys.evaluation.off_policy.estimators import DR, IPS, SNIPS
from recsys.evaluation.off_policy.log import PolicyLog, policy_log
from recsys.evaluation.off_policy.policies import TargetPolicy
from tests.ads.selection.small_market import ACME, BOLT, NOW, FixedPredictor, Market, campaign, question
from tests.ads.selection.test_throttles import with_participation

LARGE = 1_000_000_000  # a budget of a day
BIDS = {"green": 400_000, "black": 380_000, "white": 330_000, "red": 300_000}
EXPECTED = {"green": 0.10, "black": 0.10, "white": 0.11, "red": 0.11}
SPREAD = {"black": 0.4, "white": 0.5, "red": 0.6}
THOMPSON = SelectionRules(
    exploration=ExplorationRule("thompson", draws=16), warm_up=WarmUp(1.0, 100, until_impressions=0)
)


def market_of(rules: SelectionRules, **fields: object) -> Market:
    campaigns = [
        campaign(item, item, account=(ACME, BOLT)[at % 2], bid=bid, budget=Budget(LARGE))
        for at, (item, bid) in enumerate(BIDS.items())
    ]
    return Market(
        campaigns,
        predictor=FixedPredictor(EXPECTED, spread=SPREAD),
        rules=rules,
        **fields,  # type: ignore[arg-type]
    )


def items_of(selection: Selection) -> list[str]:
    return [slot.item_id for slot in selection.slots]


def requests(count: int) -> list[str]:
    return [f"r{number}" for number in range(count)]


def test_without_exploration_nothing_is_drawn_and_nothing_is_said_of_it() -> None:
    market = market_of(SelectionRules())
    for request_id in requests(20):
        for slot in market.ask(question(2, request_id)).slots:
            assert slot.chance == SlotChance(1.0, False)
            assert "exploration" not in slot.why


def test_the_chance_of_pacing_is_not_in_the_propensity() -> None:
    """Who takes part is given: taking part in half of the auctions, it has its slot for certain in these."""
    market = market_of(SelectionRules())
    market.throttles = with_participation(0.5, market, "cmp_green", "cmp_black")
    chances = {slot.chance for name in requests(40) for slot in market.ask(question(2, name)).slots}
    assert chances == {SlotChance(1.0, False)}


def test_an_explored_slot_says_so_and_how_likely_it_was() -> None:
    market, greedy = market_of(THOMPSON), set(items_of(market_of(SelectionRules()).ask(question(2))))
    explored = 0
    for name in requests(60):
        for slot in market.ask(question(2, name)).slots:
            assert slot.chance.explored == (slot.item_id not in greedy)
            assert 1 / 16 <= slot.chance.propensity <= 1
            said = f"exploration gives it this slot with probability {slot.chance.propensity:.2f}"
            assert said in slot.why
            assert slot.why.endswith(", without it the ad would have none") == slot.chance.explored
            explored += slot.chance.explored
    assert 10 < explored < 110


def test_the_same_request_is_explored_alike_and_another_one_apart() -> None:
    market = market_of(THOMPSON)
    first, again = (market.ask(question(2, "r1")) for _ in range(2))
    assert [(s.item_id, s.chance, s.filled.price_micros) for s in first.slots] == [
        (s.item_id, s.chance, s.filled.price_micros) for s in again.slots
    ]
    assert len({tuple(items_of(market.ask(question(2, name)))) for name in requests(30)}) > 3


def test_who_is_held_out_has_the_same_auction_explored_alike() -> None:
    market = market_of(THOMPSON)
    for name in requests(20):
        shown, ghost = (market.ask(question(2, name, is_ghost=held_out)) for held_out in (False, True))
        assert [(s.item_id, s.chance, s.filled.price_micros) for s in shown.slots] == [
            (s.item_id, s.chance, s.filled.price_micros) for s in ghost.slots
        ]
        assert not ghost.holds


@settings(max_examples=60, deadline=None, database=None)
@given(
    name=st.text("abc", min_size=1, max_size=6),
    rule=st.sampled_from(list(PriceRule)),
    strength=st.floats(0.1, 5),
    pricing=st.lists(st.sampled_from(["cpc", "cpm", "cpa"]), min_size=4, max_size=4),
    reserve=st.integers(1, 350_000),
    exponent=st.sampled_from([0.0, 0.5, 2.0]),
)
def test_prices_keep_to_reserve_and_bid_and_all_that_is_held_and_logged_is_by_what_is_expected(
    name: str, rule: PriceRule, strength: float, pricing: list[str], reserve: int, exponent: float
) -> None:
    """Ranked and priced by one attraction, the drawn one: a price is a bid that would have kept the slot."""
    exploration = ExplorationRule("thompson", strength, draws=4)
    rules = SelectionRules(
        SurfacePrices(Prices(rule, Reserves(reserve, reserve, reserve))),
        quality_exponent=exponent,
        exploration=exploration,
        warm_up=WarmUp(1.0, 100, until_impressions=0),
    )
    market = market_of(rules)
    market.campaigns = [
        campaign(item, item, account=(ACME, BOLT)[at % 2], bid=bid, pricing=pricing[at])
        for at, (item, bid) in enumerate(BIDS.items())
    ]
    asked = question(3, name)
    for slot in market.ask(asked).slots:
        price = slot.filled.price_micros
        assert reserve <= price <= BIDS[slot.item_id]
        p_click = EXPECTED[slot.item_id] * slot.examination
        assert served_slot(slot, asked, "m", None).p_click == impression_of(slot, asked).p == p_click
        p_event = p_click * (slot.p_purchase if slot.campaign.pricing == "cpa" else 1)
        # The price may fall after its money is held, when another ad turns out to be unable to pay.
        assert slot.held_micros == expected_cost_micros(
            slot.campaign.pricing, slot.filled.held_micros, p_event
        )
        assert slot.filled.held_micros >= price


def explored_items(market: Market, counts: ExplorationCounts, count: int) -> set[str]:
    standing = market.standing()
    return {
        slot.item_id
        for name in requests(count)
        for slot in select_ads(
            standing, question(1, name), market.rules, market.predictor, market.holds(), counts
        ).slots
        if slot.chance.explored
    }


def test_only_ads_that_are_new_are_explored() -> None:
    rules = SelectionRules(exploration=ExplorationRule("thompson"), warm_up=WarmUp(until_impressions=1000))
    market = market_of(rules)
    market.predictor = FixedPredictor(EXPECTED, spread=SPREAD, viewed={"black": 1000, "white": 999, "red": 0})
    assert explored_items(market, ExplorationCounts(), 100) == {"white", "red"}


def test_a_campaign_without_budget_for_it_is_explored_no_further_that_day() -> None:
    rules = SelectionRules(exploration=ExplorationRule("thompson"), warm_up=WarmUp(0.1, 3))
    market, counts = market_of(rules), ExplorationCounts()
    counts.note(NOW - timedelta(days=1), [("cmp_red", True)] * 9)
    assert "red" in explored_items(market, counts, 100)
    counts.note(NOW, [("cmp_red", True)] * 4 + [("cmp_green", False)] * 40)  # 3 + a tenth of 4 are used up
    assert explored_items(market, counts, 100) == {"black", "white"}


def test_counts_are_of_a_day_and_of_each_campaign() -> None:
    counts = ExplorationCounts()
    counts.note(NOW, [("a", True), ("a", False), ("b", False)])
    used, shop = counts.used(NOW, {0: "a", 1: "b", 2: "c"})
    assert (used, shop) == ({0: Explored(2, 1), 1: Explored(1, 0), 2: Explored()}, Explored(3, 1))
    assert counts.used(NOW + timedelta(days=1), {0: "a"}) == ({0: Explored()}, Explored())
    counts.note(NOW, [("a", True)])  # a request from before midnight is of the day that has begun
    assert counts.used(NOW + timedelta(days=1), {0: "a"})[1] == Explored(1, 1)


TRUTH = {"green": 0.10, "black": 0.14, "white": 0.08, "red": 0.15}  # unlike what is expected


@dataclass(frozen=True)
class LoggedSlots:
    """Slots as they were logged: item, propensity and request of each, and whom nothing drawn would show."""

    item: list[str]
    propensity: list[float]
    unit: list[str]
    greedy: list[str]

    @property
    def truth(self) -> float:
        return float(np.mean([TRUTH[item] for item in self.greedy]))

    def clicked(self, seed: int) -> tuple[PolicyLog, TargetPolicy]:
        """A resample of the requests with clicks drawn by the truth."""
        rng = np.random.default_rng(seed)
        picked = rng.integers(0, len(self.item) // 2, len(self.item) // 2)
        rows = np.stack([2 * picked, 2 * picked + 1], 1).ravel()
        items = [self.item[row] for row in rows]
        outcome = (rng.random(len(rows)) < [TRUTH[item] for item in items]).astype(np.float64)
        log = policy_log(
            items,
            outcome,
            np.array([self.propensity[row] for row in rows]),
            np.repeat(np.arange(len(picked)), 2).tolist(),
            (rows % 2).astype(np.float64)[:, None],
        )
        target = np.array([[arm == self.greedy[row] for arm in log.arms] for row in rows], np.float64)
        return log, TargetPolicy("greedy", target)


def logged_slots() -> LoggedSlots:
    """Two slots of 600 requests; a campaign is paced, so who takes part differs from one to another."""
    explored, greedy = market_of(THOMPSON), market_of(SelectionRules())
    explored.throttles = greedy.throttles = with_participation(0.6, explored, "cmp_green")
    standing = explored.standing()
    columns: Mapping[str, list[str]] = {"item": [], "unit": [], "greedy": []}
    propensity = []
    for name in requests(600):
        asked = question(2, name)
        for slot in explored.ask(asked, standing).slots:
            record = served_slot(slot, asked, "m", None)
            columns["item"].append(record.item_id)
            columns["unit"].append(record.request_id)
            propensity.append(record.propensity)
        columns["greedy"].extend(items_of(greedy.ask(asked, standing)))
    return LoggedSlots(propensity=propensity, **columns)


def test_what_is_logged_while_exploring_tells_the_value_of_not_exploring() -> None:
    """Each estimator's 95% interval holds the truth in 53 of 60 logs at least; 57 are expected."""
    slots = logged_slots()
    assert 0.2 < np.mean(np.array(slots.item) == slots.greedy) < 0.8
    inside = Counter[str]()
    for seed in range(60):
        log, target = slots.clicked(seed)
        estimates = evaluate_policies(log, [target]).policies[1].estimates
        inside.update(
            name for name in (IPS, SNIPS, DR) if estimates[name].low <= slots.truth <= estimates[name].high
        )
    assert min(inside[name] for name in (IPS, SNIPS, DR)) >= 53, inside
