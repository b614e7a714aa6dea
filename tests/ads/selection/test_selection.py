"""From a question to won slots, step by step."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.ads.auction.surface_prices import surface_prices
from recsys.ads.blending.memory import PageMemory
from recsys.ads.campaigns.bidding import Budget, MostClicks, TargetRoas
from recsys.ads.campaigns.campaign import FrequencyCap, Line
from recsys.ads.campaigns.schedule import Schedule
from recsys.ads.campaigns.targets import Keyword, Targets
from recsys.ads.delivery.steps import Step
from recsys.ads.selection.question import SelectionRules
from recsys.ads.selection.selection import MOST_ADS, select_ads
from recsys.ads.selection.served import impression_of, served_slot
from recsys.ads.selection.spending import RunningNumber
from recsys.errors import StoreUnavailableError
from recsys.service_settings import AdPricesSettings, AdsSettings
from tests.ads.selection.small_market import ACME, BOLT, DAY, NOW, FixedPredictor, Market, campaign, question

TEA = campaign("tea", "green")
POT = campaign("pot", "iron", account=BOLT, bid=300_000)


def won(selection) -> list[str]:
    return [slot.item_id for slot in selection.slots]


def test_the_best_bids_win_and_pay_what_beats_the_next() -> None:
    selection = Market([TEA, POT, campaign("cup", "blue", account=BOLT, bid=100_000)]).ask(question())
    assert won(selection) == ["green", "iron"]
    first, second = selection.slots
    assert first.filled.price_micros == 300_000 or first.filled.price_micros == 300_001  # by the tie's draw
    assert second.filled.price_micros == 1, "the cup is of the same account: the reserve sets the price"
    assert selection.steps == {"cmp_tea": Step.WON, "cmp_pot": Step.WON, "cmp_cup": Step.OUTBID}
    assert (first.next_item_id, second.next_item_id) == ("iron", "blue")
    assert "green pays" in first.why
    assert "iron came next" in first.why


def test_each_slot_holds_the_expected_cost_at_its_own_examination() -> None:
    market = Market([campaign("tea", "green", budget=Budget(1_000_000)), replace(POT, budget=Budget(50_000))])
    selection = market.ask(question())
    assert [slot.examination for slot in selection.slots] == [1.0, 0.5]
    for slot in selection.slots:
        expected = slot.filled.price_micros * 0.02 * slot.examination
        assert slot.held_micros == pytest.approx(expected, abs=1)
    used = market.gate.usage("acc_1", [f"cmp_tea/{DAY}"])
    assert used.held[f"cmp_tea/{DAY}"] == selection.slots[0].held_micros


def test_only_campaigns_that_may_be_shown_are_there() -> None:
    tomorrow = replace(campaign("late", "a"), schedule=Schedule(date(2026, 5, 2)))
    over = replace(campaign("over", "a"), schedule=Schedule(None, date(2026, 4, 30)))
    paused, draft = (replace(campaign(name, "a"), status=name) for name in ("paused", "draft"))
    pending = replace(campaign("pending", "a"), review=replace(TEA.review, state="pending"))
    idle = replace(campaign("idle", "a"), lines=(Line("lin_idle", "idle", ("a",), status="paused"),))
    gone = campaign("gone", "sold out")
    market = Market([tomorrow, over, paused, draft, pending, idle, gone, TEA], sold_out=["sold out"])
    selection = market.ask(question())
    assert selection.steps == {"cmp_tea": Step.WON}


def test_a_schedule_is_looked_at_at_each_request() -> None:
    market = Market([replace(TEA, schedule=Schedule(date(2026, 5, 2)))])
    standing = market.standing()
    assert market.ask(question(), standing).slots == ()
    assert won(market.ask(question(now=NOW.replace(day=2)), standing)) == ["green"]
    ended = Market([replace(TEA, schedule=Schedule(None, date(2026, 5, 1)))])
    standing = ended.standing()
    assert won(ended.ask(question(), standing)) == ["green"]
    assert ended.ask(question(now=NOW.replace(day=2)), standing).slots == ()


def test_targets_decide_who_matches() -> None:
    wine = campaign("wine", "red", targets=Targets(categories=("Drinks/Wine",)))
    milk = campaign("milk", "oat", account=BOLT, targets=Targets(keywords=(Keyword("oat milk"),)))
    market = Market([wine, milk])
    assert won(market.ask(question(surface="category", categories=("Drinks/Wine/Red",)))) == ["red"]
    assert won(market.ask(question(surface="search", query="Oat MILK 1l"))) == ["oat"]
    assert market.ask(question()).steps == {}


def test_a_stored_segment_that_cannot_be_read_takes_one_campaign_away_and_is_named() -> None:
    bad = campaign("bad", "iron", targets=Targets(segment="spent_30d >>> 5"))
    market = Market([TEA, bad])
    assert won(market.ask(question())) == ["green"]
    assert set(market.inventory.left_out) == {"cmp_bad"}
    assert "spent_30d" in market.inventory.left_out["cmp_bad"]


def test_quality_floors_of_campaign_and_shop_keep_ads_away() -> None:
    fussy = replace(campaign("fussy", "blue"), quality_floor=0.5)
    predictor = FixedPredictor(relevance={"blue": 0.4, "iron": 0.2})
    rules = SelectionRules(least_relevance=0.3)
    selection = Market([TEA, POT, fussy], predictor=predictor, rules=rules).ask(question())
    assert selection.steps == {
        "cmp_tea": Step.WON,
        "cmp_pot": Step.QUALITY,
        "cmp_fussy": Step.QUALITY,
    }


def test_a_bid_is_multiplied_for_the_surface() -> None:
    market = Market([replace(TEA, placement_percents={"home": 50, "search": 0}), POT])
    assert won(market.ask(question(1))) == ["iron"]
    assert market.ask(question(surface="search", query="x")).steps["cmp_tea"] is Step.FLOOR


def test_who_has_spent_its_budget_neither_wins_nor_sets_a_price() -> None:
    spent = RunningNumber("lin_pot", DAY, spent_micros=70)
    market = Market([TEA, replace(POT, lines=(replace(POT.lines[0], budget=Budget(70)),))], rows=[spent])
    selection = market.ask(question())
    assert selection.steps["cmp_pot"] is Step.BUDGET
    assert selection.slots[0].filled.price_micros == 1


def test_a_prepaid_account_spends_what_it_paid_in() -> None:
    prepaid = replace(ACME, prepaid=True)
    market = Market([TEA], accounts=[prepaid])
    assert market.ask(question()).steps == {"cmp_tea": Step.BUDGET}
    market.rows = [RunningNumber("acc_1", "total", paid_in_micros=1_000_000)]
    assert won(market.ask(question())) == ["green"]


def test_whom_the_gate_refuses_leaves_and_is_not_asked_again_at_once() -> None:
    poor = replace(TEA, budget=Budget(5_000))  # two clicks at 2% and 0.30 are 12,000
    market = Market([poor, POT])
    assert market.ask(question()).steps["cmp_tea"] is Step.BUDGET
    asked: list[str] = []
    hold = market.gate.hold
    market.gate.hold = lambda request: (asked.append(request.account_id), hold(request))[1]  # type: ignore[method-assign]
    assert market.ask(question(request_id="r2")).steps["cmp_tea"] is Step.BUDGET
    assert asked == ["acc_2"]
    market.seconds += 2
    market.ask(question(request_id="r3"))
    assert "acc_1" in asked


def test_a_frequency_cap_counts_what_was_served() -> None:
    market = Market([replace(TEA, frequency_cap=FrequencyCap(1, 60))])
    assert won(market.ask(question(request_id="r1"))) == ["green"]
    assert market.ask(question(request_id="r2")).steps == {"cmp_tea": Step.CAP}
    assert market.ask(question(request_id="r3")).steps == {"cmp_tea": Step.CAP}, "from memory"
    assert won(market.ask(question(request_id="r4", user_id="bob", unit="user:bob"))) == ["green"]
    market.seconds += 61
    assert won(market.ask(question(request_id="r5"))) == ["green"]


def test_a_ghost_meets_the_same_auction_but_holds_nothing_and_has_no_cap() -> None:
    market = Market([replace(TEA, frequency_cap=FrequencyCap(1, 60), budget=Budget(1_000_000)), POT])
    shown = market.ask(question())
    for _ in range(2):
        ghost = market.ask(question(is_ghost=True))
        assert won(ghost) == won(shown)
        assert [slot.filled.price_micros for slot in ghost.slots] == [
            slot.filled.price_micros for slot in shown.slots
        ]
        assert ghost.holds == []
    held = market.gate.usage("acc_1", [f"cmp_tea/{DAY}"]).held[f"cmp_tea/{DAY}"]
    assert held == shown.slots[0].held_micros


def test_products_that_earlier_pages_showed_stay_away() -> None:
    memory = PageMemory().after([("kettle", False)])
    market = Market([TEA, POT], products={"iron": "kettle"})
    assert market.ask(question(memory=memory)).steps == {"cmp_tea": Step.WON, "cmp_pot": Step.PAGE}


def test_a_gate_that_lost_everything_stops_its_accounts_and_says_so() -> None:
    market = Market([TEA, POT])
    market.gate.lose_everything()
    market.gate.rebuild("acc_2", {})
    selection = market.ask(question())
    assert (won(selection), selection.rebuilding) == (["iron"], True)
    market.gate.rebuild("acc_1", {})
    assert not market.ask(question(request_id="r2")).rebuilding


def test_a_gate_that_is_away_gives_back_and_raises() -> None:
    market = Market([TEA, POT])
    hold, answered = market.gate.hold, []

    def second_fails(request):
        if answered:
            raise StoreUnavailableError("gate", "hold", 0.1)
        answered.append(request)
        return hold(request)

    market.gate.hold = second_fails  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailableError):
        market.ask(question())
    level = answered[0].levels[0].name
    assert market.gate.usage(answered[0].account_id, [level]).held[level] == 0


def test_target_roas_bids_expected_sales_over_the_target() -> None:
    """A click sells 0.1 x 8.00 = 0.80; four units sold for one spent leave 0.20 a click."""
    roas = campaign("tea", "green", bidding=TargetRoas(400), budget=Budget(10**9))
    market = Market([roas], prices={"green": 8_000_000})
    assert market.ask(question()).slots[0].filled.bid_micros == 200_000
    assert Market([roas]).ask(question()).steps == {"cmp_tea": Step.FLOOR}, "no price, no bid"
    cpa = replace(roas, pricing="cpa")
    market = Market([cpa], prices={"green": 8_000_000})
    assert market.ask(question()).slots[0].filled.bid_micros == 2_000_000
    cpm = replace(roas, pricing="cpm", bidding=TargetRoas(400, most_bid_micros=3_000_000))
    market = Market([cpm], prices={"green": 8_000_000})
    assert market.ask(question()).slots[0].filled.bid_micros == 3_000_000, "4,000,000 is above its largest"


def test_most_clicks_bids_at_most_a_twentieth_of_the_smallest_budget() -> None:
    clicks = campaign("tea", "green", bidding=MostClicks(), budget=Budget(2_000_000))
    assert Market([clicks]).ask(question()).slots[0].filled.bid_micros == 100_000
    bounded = replace(clicks, bidding=MostClicks(70_000))
    assert Market([bounded]).ask(question()).slots[0].filled.bid_micros == 70_000


def test_the_record_and_the_token_say_what_the_auction_said() -> None:
    asked = question(1, query="tea", surface="search")
    (slot,) = Market([TEA, POT]).ask(asked).slots
    record, token = served_slot(slot, asked, "m1", "treatment", 3), impression_of(slot, asked)
    assert record.slot_id == token.slot_id == slot.hold.hold_id
    assert (record.price_micros, record.p_click) == (token.price_micros, token.p)
    assert (record.item_id, record.query, record.position, record.model) == ("green", "tea", 3, "m1")
    assert (token.ad, token.account, token.campaign, token.line) == (
        "green",
        "acc_1",
        "cmp_tea",
        "lin_tea",
    )


def test_of_very_many_items_each_line_brings_some() -> None:
    items = tuple(f"i{number}" for number in range(MOST_ADS))
    market = Market([campaign("many", *items), POT])
    market.predictor = FixedPredictor(relevance={item: 0.5 for item in items})
    first, again = (market.ask(question(request_id="r1")) for _ in range(2))
    assert won(first) == won(again)
    assert set(first.steps) == {"cmp_many", "cmp_pot"}


def test_a_quality_exponent_puts_what_is_clicked_more_before_what_pays_more() -> None:
    """.40 x .02 = .0080 beats .15 x .05 = .0075; x the root of p, .00113 does not beat .00168.

    Red then wins with .40 x .02 x (.02 / .05)^.5 / .05 = .101193, and without it green with .0075 / .02.
    """
    campaigns = [campaign("a", "green", bid=400_000), campaign("b", "red", account=BOLT, bid=150_000)]
    predictor = FixedPredictor({"green": 0.02, "red": 0.05})
    by_revenue, by_clicks = (
        Market(campaigns, predictor=predictor, rules=SelectionRules(quality_exponent=each)).ask(question(1))
        for each in (0.0, 0.5)
    )
    assert [(slot.item_id, slot.filled.price_micros) for slot in by_revenue.slots] == [("green", 375_000)]
    assert [(slot.item_id, slot.filled.price_micros) for slot in by_clicks.slots] == [("red", 101_193)]


def test_a_surface_may_have_a_price_rule_and_reserves_of_its_own() -> None:
    """Home: second price, 150,000 x .02 / .02. Search: first price, nobody below its reserve of 200,000."""
    campaigns = [campaign("a", "green", bid=400_000), campaign("b", "red", account=BOLT, bid=150_000)]
    of_search = AdPricesSettings(price_rule="first", reserve_cpc_micros=200_000)
    rules = SelectionRules(surface_prices(AdsSettings(prices={"search": of_search})))
    for surface, expected in (
        ("home", [("green", 150_000), ("red", 10_000)]),
        ("search", [("green", 400_000)]),
    ):
        asked = question(2)
        found = Market(campaigns, rules=rules).ask(
            replace(asked, context=replace(asked.context, surface=surface))
        )
        assert [(slot.item_id, slot.filled.price_micros) for slot in found.slots] == expected


BIDS = st.lists(st.integers(0, 1_000_000), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None, database=None)
@given(bids=BIDS, budgets=st.lists(st.integers(1, 60_000), min_size=8, max_size=8), slots=st.integers(1, 4))
def test_every_matched_campaign_has_one_step_prices_keep_to_bids_and_budgets_hold(
    bids: list[int], budgets: list[int], slots: int
) -> None:
    owners = [ACME, BOLT]
    campaigns = [
        campaign(f"c{at}", f"i{at}", account=owners[at % 2], bid=bid, budget=Budget(budgets[at]))
        for at, bid in enumerate(bids)
    ]
    market = Market(campaigns)
    standing = market.standing()
    for turn in range(6):
        selection = market.ask(question(slots, f"r{turn}"), standing)
        assert set(selection.steps) == {each.campaign_id for each in campaigns}
        winners = {slot.campaign.campaign_id for slot in selection.slots}
        assert {name for name, step in selection.steps.items() if step is Step.WON} == winners
        for slot in selection.slots:
            assert 1 <= slot.filled.price_micros <= slot.filled.bid_micros
    for each, budget in zip(campaigns, budgets, strict=False):
        level = f"{each.campaign_id}/{DAY}"
        assert market.gate.usage(each.account_id, [level]).held[level] <= budget


def test_the_same_request_gets_the_same_ads() -> None:
    market = Market([TEA, POT])
    standing = market.standing()
    asked = question()
    answers = [select_ads(standing, asked, market.rules, market.predictor, market.holds()) for _ in range(2)]
    assert won(answers[0]) == won(answers[1])
    assert answers[0].steps == answers[1].steps
