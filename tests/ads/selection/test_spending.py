"""What was spent, taken up bit by bit, is what it is from scratch."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.campaigns.bidding import Budget
from recsys.ads.selection.inventory import Inventory
from recsys.ads.selection.spending import RunningNumber, Spending
from recsys.ads.selection.standing import Standing
from recsys.ads.selection.throttles import Throttles
from tests.ads.selection.small_market import ACME, BOLT, DAY, NOW, campaign

PREPAID = replace(BOLT, prepaid=True)
INVENTORY = Inventory.of(
    [replace(ACME, budget_day_micros=50), PREPAID],
    [
        campaign("tea", "green", budget=Budget(30, 60), line_budget=Budget(20)),
        campaign("cup", "blue", account=PREPAID, line_budget=Budget(None, 40)),
    ],
    NOW,
)
IDS = [*INVENTORY.places, "cmp_unknown"]
NUMBERS = st.builds(
    RunningNumber,
    st.sampled_from(IDS),
    st.sampled_from([DAY, "total", "2026-04-30"]),
    st.integers(0, 70),
    st.integers(0, 70),
)


@given(st.lists(st.lists(NUMBERS, max_size=6), max_size=5))
def test_taking_up_what_changed_is_reading_all_again(changes: list[list[RunningNumber]]) -> None:
    step_by_step = Spending.nothing(INVENTORY, NOW)
    rows: dict[tuple[str, str], RunningNumber] = {}
    for numbers in changes:
        step_by_step = step_by_step.with_numbers(numbers)
        rows.update({(each.entity_id, each.period): each for each in numbers})
        at_once = Spending.nothing(INVENTORY, NOW).with_numbers(rows.values())
        throttles = Throttles.nothing(INVENTORY)
        found, wanted = (Standing.of(INVENTORY, spending, throttles) for spending in (step_by_step, at_once))
        assert found.funds.funded.tolist() == wanted.funds.funded.tolist()
        assert found.funds.paid_in == wanted.funds.paid_in


def test_taking_up_numbers_leaves_what_was_known_before_as_it_was() -> None:
    before = Spending.nothing(INVENTORY, NOW)
    after = before.with_numbers([RunningNumber("cmp_tea", DAY, 30), RunningNumber("acc_2", "total", 0, 9)])
    assert after.funds().funded.tolist() == [False, True]
    assert before.funds().funded.tolist() == [True, False], "who pays in advance has paid nothing in"


def test_it_is_of_one_inventory_whatever_its_items_are_and_of_one_day() -> None:
    spending = Spending.nothing(INVENTORY, NOW)
    assert spending.is_of(INVENTORY.with_items(INVENTORY.items), NOW + timedelta(hours=11))
    assert not spending.is_of(INVENTORY, NOW + timedelta(hours=12))
    assert not spending.is_of(Inventory.of([ACME], [], NOW), NOW)
