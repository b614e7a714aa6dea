"""What a gate of budgets promises: the fake, that of simulations and the one in Redis alike."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.ads.campaigns.bidding import Pricing
from recsys.ads.campaigns.campaign import FrequencyCap
from recsys.ads.pacing.budget_gate import (
    BudgetGate,
    BudgetLevel,
    HoldRequest,
    Refusal,
    RefusalReason,
    UserCap,
)
from recsys.amounts import MOST_MICROS
from recsys.errors import DataError, StoreUnavailableError
from recsys.service_settings import AdsSettings
from recsys.simulation.ads.memory_gate import MemoryBudgetGate
from recsys.stores.ads_gate.gate import RedisBudgetGate
from recsys.stores.redis.client import open_url
from tests.fake_budget_gate import FakeBudgetGate

SECONDS = AdsSettings(hold_seconds=300.0, cpm_hold_seconds=1.0)
ACCOUNT = "acc_1"
NAMES = ("acc_1/2026-05-01", "cmp_1/2026-05-01", "lin_1/total")
FULL = Refusal(RefusalReason.BUDGET, NAMES[1])
REBUILD = Refusal(RefusalReason.REBUILD)


@dataclass(frozen=True)
class Opened:
    gate: BudgetGate
    wait: Callable[[float], None]
    lose_everything: Callable[[], object]


@pytest.fixture(params=["fake", "memory", "redis"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """A gate whose account was built, with nothing spent."""
    if request.param != "redis":
        now = [1000.0]
        make = FakeBudgetGate if request.param == "fake" else MemoryBudgetGate
        fake = make(lambda: now[0], SECONDS)

        def advance(seconds: float) -> None:
            now[0] += seconds

        fake.rebuild(ACCOUNT, {})
        yield Opened(fake, advance, fake.lose_everything)
        return
    client: redis.Redis = request.getfixturevalue("redis_client")
    url = request.getfixturevalue("redis_address").url
    with closing(RedisBudgetGate(lambda: open_url(url, 10.0), SECONDS)) as gate:
        gate.rebuild(ACCOUNT, {})
        yield Opened(gate, time.sleep, client.flushall)


@pytest.fixture
def gate(opened: Opened) -> BudgetGate:
    return opened.gate


def ask(
    hold_id: str, cost: int, caps: tuple[int, ...] = (100, 80, 60), pricing: Pricing = "cpc"
) -> HoldRequest:
    levels = tuple(BudgetLevel(name, cap) for name, cap in zip(NAMES, caps, strict=True))
    return HoldRequest(ACCOUNT, hold_id, levels, cost, pricing)


def seen_at_most(
    request: HoldRequest, count: int, user: str = "u1", window_seconds: int = 3600
) -> HoldRequest:
    return replace(request, user_cap=UserCap(user, "cmp_1", FrequencyCap(count, window_seconds)))


def held(gate: BudgetGate) -> list[int]:
    return list(gate.usage(ACCOUNT, NAMES).held.values())


def spent(gate: BudgetGate) -> list[int]:
    return list(gate.usage(ACCOUNT, NAMES).spent.values())


def test_a_cost_is_held_on_every_level(gate: BudgetGate) -> None:
    assert gate.hold(ask("a", 25)) is None
    assert gate.hold(ask("b", 5)) is None
    assert held(gate) == [30, 30, 30]
    assert spent(gate) == [0, 0, 0]


def test_a_level_without_room_refuses_and_then_nothing_is_held_on_any(gate: BudgetGate) -> None:
    gate.refresh(ACCOUNT, {NAMES[1]: 71})
    assert gate.hold(ask("a", 10)) == FULL  # 71 + 0 + 10 > 80
    assert held(gate) == [0, 0, 0]
    assert gate.hold(ask("b", 9)) is None  # 71 + 0 + 9 = 80
    assert gate.hold(ask("c", 1)) == FULL  # 71 + 9 + 1 > 80


def test_the_first_level_without_room_is_named(gate: BudgetGate) -> None:
    for place, name in enumerate(NAMES):
        caps = tuple(9 if each >= place else 100 for each in range(3))
        assert gate.hold(ask("a", 10, caps)) == Refusal(RefusalReason.BUDGET, name)


def test_an_ad_whose_click_no_budget_can_pay_any_more_is_not_held(gate: BudgetGate) -> None:
    gate.refresh(ACCOUNT, {NAMES[1]: 50})  # 30 of 80 are left; a click costs 31 and is expected to cost 2
    assert gate.hold(replace(ask("a", 2), price_micros=31)) == FULL
    assert gate.hold(replace(ask("b", 2), price_micros=30)) is None
    assert gate.hold(replace(ask("c", 2), price_micros=30)) is None, "what is held may all be clicked or not"


def test_a_new_process_refuses_a_gate_older_than_it_was_told(opened: Opened) -> None:
    gate = opened.gate
    gate.expect(ACCOUNT, gate.usage(ACCOUNT, ()).generation + 1)
    assert gate.hold(ask("a", 1)) == REBUILD
    gate.rebuild(ACCOUNT, {})
    assert gate.hold(ask("a", 1)) is None


def test_a_lowered_cap_counts_at_once(gate: BudgetGate) -> None:
    assert gate.hold(ask("a", 30)) is None
    assert gate.hold(ask("b", 10, (100, 39, 60))) == FULL
    assert gate.hold(ask("b", 10, (100, 40, 60))) is None


def test_asking_again_with_the_same_id_holds_nothing_more(gate: BudgetGate) -> None:
    assert gate.hold(ask("a", 50)) is None
    assert gate.hold(ask("a", 50)) is None
    assert held(gate) == [50, 50, 50]


def test_a_released_hold_makes_room_once(gate: BudgetGate) -> None:
    gate.hold(ask("a", 50))
    gate.hold(ask("b", 5))
    gate.release(ask("a", 50))
    gate.release(ask("a", 50))
    gate.release(ask("never held", 5))
    assert held(gate) == [5, 5, 5]


def test_a_settled_hold_is_spent_as_the_database_says(gate: BudgetGate) -> None:
    gate.hold(ask("a", 8))
    gate.hold(ask("b", 8))
    gate.settle(ACCOUNT, "a", dict.fromkeys(NAMES, 40))  # the price is 40, expected were 8
    assert (spent(gate), held(gate)) == ([40, 40, 40], [8, 8, 8])


def test_a_charge_that_is_told_twice_or_in_another_order_counts_once(gate: BudgetGate) -> None:
    gate.hold(ask("a", 8))
    gate.hold(ask("b", 8))
    for hold_id, after in (("b", 60), ("a", 40), ("b", 60)):  # b was charged after a
        gate.settle(ACCOUNT, hold_id, dict.fromkeys(NAMES, after))
    assert (spent(gate), held(gate)) == ([60, 60, 60], [0, 0, 0])


def test_a_charge_between_the_read_and_the_refresh_is_not_lost(gate: BudgetGate) -> None:
    gate.hold(ask("a", 8))
    gate.settle(ACCOUNT, "a", dict.fromkeys(NAMES, 40))
    assert gate.refresh(ACCOUNT, dict.fromkeys(NAMES, 0)) is True  # read before the charge
    assert spent(gate) == [40, 40, 40]  # max(40, 0)
    gate.refresh(ACCOUNT, dict.fromkeys(NAMES, 50))
    assert spent(gate) == [50, 50, 50]  # max(40, 50)


def test_a_hold_ends_by_itself_each_pricing_after_its_time(opened: Opened) -> None:
    opened.gate.hold(ask("click", 10))
    opened.gate.hold(ask("view", 50, pricing="cpm"))
    assert held(opened.gate) == [60, 60, 60]
    assert opened.gate.hold(ask("late", 20, (100, 79, 80))) == FULL  # 60 + 20 > 79
    opened.wait(1.05)
    assert opened.gate.hold(ask("late", 20)) is None  # without anybody having looked
    assert held(opened.gate) == [30, 30, 30]


def test_a_charge_after_the_hold_has_ended_still_counts(opened: Opened) -> None:
    opened.gate.hold(ask("view", 50, pricing="cpm"))
    opened.wait(1.05)
    opened.gate.settle(ACCOUNT, "view", dict.fromkeys(NAMES, 50))
    assert (spent(opened.gate), held(opened.gate)) == ([50, 50, 50], [0, 0, 0])


def test_accounts_know_nothing_of_each_other(gate: BudgetGate) -> None:
    gate.rebuild("acc_2", {NAMES[0]: 7})
    gate.hold(ask("a", 50))
    assert gate.usage("acc_2", NAMES[:1]).held == {NAMES[0]: 0}
    assert gate.usage("acc_2", NAMES[:1]).spent == {NAMES[0]: 7}
    assert gate.hold(replace(ask("a", 50), account_id="acc_2")) is None


def test_many_accounts_are_asked_at_once_and_answer_as_each_alone(gate: BudgetGate) -> None:
    others = [f"acc_{number}" for number in range(10, 50)]
    for number, account_id in enumerate(others[1:]):  # the first one has to be rebuilt
        gate.rebuild(account_id, {NAMES[0]: number})
    gate.hold(ask("a", 10))
    asked = {account_id: NAMES[:2] for account_id in (ACCOUNT, *others)}
    found = gate.usages({**asked, others[-1]: []})
    assert list(found) == list(asked)
    assert found[ACCOUNT].held == {NAMES[0]: 10, NAMES[1]: 10}
    assert (found[others[0]].generation, found[others[-1]].spent) == (0, {})
    assert found == {each: gate.usage(each, names) for each, names in {**asked, others[-1]: []}.items()}
    assert gate.usages({}) == {}


def test_a_user_sees_a_campaign_so_often_and_a_refusal_holds_no_money(gate: BudgetGate) -> None:
    assert gate.hold(seen_at_most(ask("a", 10), 2)) is None
    assert gate.hold(seen_at_most(ask("b", 10), 2)) is None
    assert gate.hold(seen_at_most(ask("c", 10), 2)) == Refusal(RefusalReason.FREQUENCY)
    assert held(gate) == [20, 20, 20]
    assert gate.hold(seen_at_most(ask("d", 10), 2, user="u2")) is None
    assert gate.hold(ask("e", 10)) is None  # of nobody known


def test_an_ad_that_was_not_shown_does_not_count_as_seen(gate: BudgetGate) -> None:
    gate.hold(seen_at_most(ask("a", 10), 1))
    gate.release(seen_at_most(ask("a", 10), 1))
    assert gate.hold(seen_at_most(ask("b", 10), 1)) is None


def test_without_room_nothing_counts_as_seen(gate: BudgetGate) -> None:
    assert gate.hold(seen_at_most(ask("a", 90), 1)) == FULL
    assert gate.hold(seen_at_most(ask("b", 10), 1)) is None


def test_a_user_may_see_a_campaign_again_when_the_window_has_passed(opened: Opened) -> None:
    assert opened.gate.hold(seen_at_most(ask("a", 10), 1, window_seconds=1)) is None
    assert opened.gate.hold(seen_at_most(ask("b", 10), 1, window_seconds=1)) is not None
    opened.wait(1.05)
    assert opened.gate.hold(seen_at_most(ask("b", 10), 1, window_seconds=1)) is None


def test_a_gate_that_lost_everything_refuses_until_it_was_rebuilt(opened: Opened) -> None:
    opened.gate.hold(ask("a", 10))
    opened.lose_everything()
    assert opened.gate.hold(ask("b", 1)) == REBUILD
    assert opened.gate.usage(ACCOUNT, NAMES).generation == 0
    assert opened.gate.refresh(ACCOUNT, {NAMES[1]: 75}) is False
    opened.gate.settle(ACCOUNT, "a", {NAMES[1]: 75})
    assert opened.gate.hold(ask("b", 1)) == REBUILD
    opened.gate.rebuild(ACCOUNT, {NAMES[1]: 75})
    assert opened.gate.hold(ask("b", 6)) == FULL  # 75 + 6 > 80
    assert opened.gate.hold(ask("b", 5)) is None
    assert (spent(opened.gate), held(opened.gate)) == ([0, 75, 0], [5, 5, 5])


def test_an_account_that_was_never_built_refuses(gate: BudgetGate) -> None:
    assert gate.hold(replace(ask("a", 1), account_id="acc_9")) == REBUILD
    assert gate.refresh("acc_9", {}) is False


def test_rebuilding_ends_all_holds_and_takes_what_it_is_told_also_less(gate: BudgetGate) -> None:
    gate.refresh(ACCOUNT, {NAMES[0]: 90})
    gate.hold(ask("a", 10))
    gate.rebuild(ACCOUNT, {NAMES[0]: 30})  # 60 were paid back
    assert (spent(gate), held(gate)) == ([30, 0, 0], [0, 0, 0])
    gate.release(ask("a", 10))
    gate.settle(ACCOUNT, "a", {})
    assert held(gate) == [0, 0, 0]


def test_generations_rise_with_holds_refreshes_and_rebuilds(gate: BudgetGate) -> None:
    generations = [gate.usage(ACCOUNT, []).generation]
    steps = (
        lambda: gate.hold(ask("a", 1)),
        lambda: gate.refresh(ACCOUNT, {}),
        lambda: gate.rebuild(ACCOUNT, {}),
    )
    for step in steps * 2:
        step()
        generations.append(gate.usage(ACCOUNT, []).generation)
    assert generations == sorted(set(generations))
    assert generations[0] > 0


def test_what_was_forgotten_is_0_and_no_hold_makes_it_less(gate: BudgetGate) -> None:
    gate.refresh(ACCOUNT, {NAMES[0]: 20})
    gate.hold(ask("a", 10))
    gate.forget(ACCOUNT, NAMES[:1])
    gate.release(ask("a", 10))
    usage = gate.usage(ACCOUNT, NAMES)
    assert (usage.spent[NAMES[0]], usage.held[NAMES[0]]) == (0, 0)


def test_the_largest_amounts_are_exact(gate: BudgetGate) -> None:
    level = (BudgetLevel("a", MOST_MICROS),)
    gate.refresh(ACCOUNT, {"a": 1})
    assert gate.hold(HoldRequest(ACCOUNT, "a", level, MOST_MICROS, "cpa")) is not None
    assert gate.hold(HoldRequest(ACCOUNT, "a", level, MOST_MICROS - 1, "cpa")) is None
    assert gate.hold(HoldRequest(ACCOUNT, "b", level, 1, "cpa")) is not None
    assert gate.usage(ACCOUNT, ["a"]).held == {"a": MOST_MICROS - 1}


steps = st.lists(
    st.tuples(
        st.sampled_from(["hold", "release", "charge", "refresh"]), st.integers(0, 5), st.integers(1, 40)
    ),
    max_size=30,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_spent_and_held_never_exceed_a_cap_and_are_what_was_asked_for(opened: Opened, steps: object) -> None:
    gate, caps = opened.gate, (100, 80, 60)
    gate.rebuild(ACCOUNT, {})
    holds: dict[str, int] = {}
    paid = 0
    for kind, number, cost in steps:  # type: ignore[attr-defined]
        hold_id = str(number)
        if kind == "hold" and hold_id not in holds:
            refusal = gate.hold(ask(hold_id, cost, caps))
            fits = paid + sum(holds.values()) + cost <= 60  # the least of the caps
            assert (refusal is None) == fits
            if fits:
                holds[hold_id] = cost
        elif kind == "release":
            gate.release(ask(hold_id, 1))
            holds.pop(hold_id, None)
        elif kind == "charge" and hold_id in holds:
            paid += holds.pop(hold_id)
            gate.settle(ACCOUNT, hold_id, dict.fromkeys(NAMES, paid))
        elif kind == "refresh":
            gate.refresh(ACCOUNT, dict.fromkeys(NAMES, max(paid - cost, 0)))
        assert (spent(gate), held(gate)) == ([paid] * 3, [sum(holds.values())] * 3)
        assert paid + sum(holds.values()) <= min(caps)


def test_fifty_threads_fill_small_budgets_and_overspend_none(opened: Opened) -> None:
    """Five campaigns of one account, each of two lines; every hold that is granted is charged in full."""
    gate, ledger, lock = opened.gate, dict[str, int](), threading.Lock()
    caps = {"account": 700, **{f"cmp_{n}": 190 for n in range(5)}, **{f"lin_{n}": 99 for n in range(10)}}

    def serve(worker: int) -> int:
        granted = 0
        for turn in range(40):
            line = (worker * 7 + turn) % 10
            names = ("account", f"cmp_{line // 2}", f"lin_{line}")
            levels = tuple(BudgetLevel(name, caps[name]) for name in names)
            request = HoldRequest(ACCOUNT, f"{worker}-{turn}", levels, 3, "cpc")
            if gate.hold(request) is not None:
                continue
            granted += 1
            if turn % 4 == 0:
                gate.release(request)
                continue
            with lock:  # the database's transaction
                for name in names:
                    ledger[name] = ledger.get(name, 0) + 3
                after = {name: ledger[name] for name in names}
            gate.settle(ACCOUNT, request.hold_id, after)
        return granted

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(serve, range(50))) >= 233
    usage = gate.usage(ACCOUNT, list(caps))
    assert usage.spent == {name: ledger.get(name, 0) for name in caps}
    assert {name: micros for name, micros in ledger.items() if micros > caps[name]} == {}
    assert ledger["account"] == 699  # 233 x 3: full, and not a micro over 700
    assert set(usage.held.values()) == {0}


@pytest.mark.parametrize("name", ["", "a b", "a\n", " a"])
def test_a_level_has_a_name_without_blanks(name: str) -> None:
    with pytest.raises(DataError, match="blanks or no name"):
        BudgetLevel(name, 1)


@pytest.mark.parametrize("cap", [-1, MOST_MICROS + 1])
def test_a_cap_is_within_the_bounds_of_money(cap: int) -> None:
    with pytest.raises(DataError, match=str(cap)):
        BudgetLevel("a", cap)


@pytest.mark.parametrize("cost", [0, -1, MOST_MICROS + 1])
def test_a_hold_costs_something(cost: int) -> None:
    with pytest.raises(DataError, match=f"a hold of {cost} is not"):
        ask("a", cost)


def test_a_price_is_within_the_bounds_of_money() -> None:
    for price in (-1, MOST_MICROS + 1):
        with pytest.raises(DataError, match=f"price of {price} "):
            replace(ask("a", 1), price_micros=price)


def test_a_hold_names_each_level_once_and_one_at_least() -> None:
    for levels in ((), (BudgetLevel("a", 1), BudgetLevel("a", 2))):
        with pytest.raises(DataError, match="Name each budget once"):
            HoldRequest(ACCOUNT, "a", levels, 1, "cpc")


def test_a_gate_that_is_away_is_an_error_of_ours() -> None:
    fake = FakeBudgetGate(time.monotonic, SECONDS)
    fake.away = True
    with closing(RedisBudgetGate(lambda: open_url("redis://127.0.0.1:1/0", 0.1), SECONDS)) as real:
        for each in (fake, real):
            with pytest.raises(StoreUnavailableError):
                each.hold(ask("a", 1))
