"""What is shown of explored slots is counted against the budget of exploration, once, and told."""

from itertools import count

from recsys.ads.delivery.counts import DeliveryCounts
from recsys.ads.exploration.rule import ExplorationRule
from recsys.ads.exploration.warm_up import WarmUp
from recsys.ads.selection.question import SelectionRules
from recsys.ads.tokens.impression_token import ImpressionTokens
from recsys.experiments.experiment import Arm, Experiment
from recsys.pages.ad_server import AdServer, AdsNow
from tests.ads.selection.small_market import BOLT, NOW, FixedPredictor, Market, campaign, question
from tests.fake_ads import KEYS, SHOP_ID, KeptSlots

NEVER_EXPECTED = campaign("new", "new", account=BOLT, bid=300_000)
MARKET = Market(
    [campaign("old", "old", bid=400_000), NEVER_EXPECTED],
    predictor=FixedPredictor({"old": 0.10, "new": 0.10}, spread={"new": 1.0}),
    rules=SelectionRules(exploration=ExplorationRule("thompson"), warm_up=WarmUp(share=0.0, first=5)),
)


def served(requests: int, shown: bool = True, holdout: Experiment | None = None) -> tuple[int, KeptSlots]:
    """Slots that the server was told are explored, of so many requests for one ad, and what it logged."""
    told: list[int] = []
    log, ids = KeptSlots(), count(1)
    now = AdsNow(MARKET.predictor, MARKET.standing(), holdout)
    server = AdServer(
        lambda: now,
        MARKET.gate,
        log,
        DeliveryCounts(),
        MARKET.rules,
        ImpressionTokens(KEYS, SHOP_ID),
        lambda: f"slot-{next(ids)}",
        lambda: 0.0,
        lambda surface, slots: told.append(slots),
    )
    for number in range(requests):
        choice = server.choose(question(1, f"r{number}"))
        server.keep(choice, {slot.slot_id: None for slot in choice.selection.slots if shown})
    return sum(told), log


def test_exploration_ends_where_its_budget_of_the_day_is_used_up() -> None:
    told, log = served(80)
    assert told == 5
    assert sum(slot.item_id == "new" for slot in log.slots) == 5
    assert {slot.propensity for slot in log.slots[-20:]} == {1.0}
    assert min(slot.propensity for slot in log.slots) < 1


def test_what_is_not_shown_uses_nothing_of_the_budget() -> None:
    told, log = served(80, shown=False)
    assert (told, log.slots) == (0, [])


def test_ghosts_are_explored_alike_and_use_nothing_of_the_budget() -> None:
    salts = (Experiment("ads", f"salt-{number}", NOW) for number in range(1000))
    without_ads = next(each for each in salts if each.arm("user:ann", NOW) is Arm.HOLDOUT)
    told, log = served(80, holdout=without_ads)
    assert (told, all(slot.is_ghost for slot in log.slots)) == (0, True)
    assert sum(slot.item_id == "new" for slot in log.slots) > 5
