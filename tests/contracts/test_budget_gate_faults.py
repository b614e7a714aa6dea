"""The gate of budgets in Redis when its server loses what it had, and what it leaves there."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import redis
from redis.crc import key_slot

from recsys.ads.campaigns.campaign import FrequencyCap
from recsys.ads.pacing.budget_gate import BudgetLevel, HoldRequest, Refusal, RefusalReason, UserCap
from recsys.service_settings import AdsSettings
from recsys.stores.ads_gate.gate import RedisBudgetGate
from recsys.stores.ads_gate.keys import account_keys, seen_key
from recsys.stores.redis.client import open_url
from recsys.stores.redis.server import Address

ACCOUNT = "acc_1"
KEYS = account_keys(ACCOUNT)
REBUILD = Refusal(RefusalReason.REBUILD)
CAP = UserCap("u1", "cmp_1", FrequencyCap(3, 3600))


@contextmanager
def process(address: Address, hold_seconds: float = 300.0) -> Iterator[RedisBudgetGate]:
    """What one process of a service has: a gate with a memory of its own."""
    with closing(
        RedisBudgetGate(lambda: open_url(address.url, 10.0), AdsSettings(hold_seconds=hold_seconds))
    ) as gate:
        yield gate


def ask(hold_id: str, cost: int = 1, cap: int = 1000, user_cap: UserCap | None = None) -> HoldRequest:
    return HoldRequest(ACCOUNT, hold_id, (BudgetLevel("acc_1/total", cap),), cost, "cpc", user_cap)


@pytest.fixture
def gate(redis_client: redis.Redis, redis_address: Address) -> Iterator[RedisBudgetGate]:
    with process(redis_address) as opened:
        opened.rebuild(ACCOUNT, {"acc_1/total": 10})
        yield opened


def roll_back(client: redis.Redis, dumps: dict[str, bytes]) -> None:
    client.flushall()
    for key, dump in dumps.items():
        client.restore(key, 0, dump)


def dumped(client: redis.Redis) -> dict[str, bytes]:
    return {key: dump for key in KEYS if (dump := client.dump(key)) is not None}  # type: ignore[misc]


def test_a_server_rolled_back_by_ten_seconds_is_refused_until_rebuilt(
    gate: RedisBudgetGate, redis_client: redis.Redis
) -> None:
    gate.hold(ask("a", 100))
    kept = dumped(redis_client)
    for second in range(10):
        assert gate.refresh(ACCOUNT, {"acc_1/total": 10 + 90 * second}) is True
    roll_back(redis_client, kept)  # 10 are spent there, 820 in the database
    assert gate.hold(ask("b", 500)) == REBUILD
    assert gate.refresh(ACCOUNT, {"acc_1/total": 820}) is False
    assert gate.usage(ACCOUNT, ["acc_1/total"]).generation == 0
    gate.rebuild(ACCOUNT, {"acc_1/total": 820})
    assert gate.hold(ask("b", 181)) is not None  # 820 + 181 > 1,000
    assert gate.hold(ask("b", 180)) is None


def test_a_server_that_lost_one_hold_is_refused_by_the_process_that_was_granted_it(
    gate: RedisBudgetGate, redis_client: redis.Redis
) -> None:
    kept = dumped(redis_client)
    assert gate.hold(ask("a", 100)) is None
    roll_back(redis_client, kept)
    assert gate.hold(ask("b", 1)) == REBUILD


def test_a_process_that_saw_nothing_itself_is_told_which_generation_to_expect(
    gate: RedisBudgetGate, redis_client: redis.Redis, redis_address: Address
) -> None:
    kept = dumped(redis_client)
    gate.refresh(ACCOUNT, {})
    newest = gate.usage(ACCOUNT, []).generation
    roll_back(redis_client, kept)
    with process(redis_address) as other:
        other.expect(ACCOUNT, newest)
        assert other.hold(ask("a")) == REBUILD


def test_what_one_process_rebuilt_is_open_to_all_whatever_they_saw(
    gate: RedisBudgetGate, redis_client: redis.Redis, redis_address: Address
) -> None:
    for _ in range(20):
        gate.refresh(ACCOUNT, {})
    redis_client.flushall()
    with process(redis_address) as fresh:
        fresh.rebuild(ACCOUNT, {"acc_1/total": 10})
        assert fresh.hold(ask("a")) is None
    assert gate.hold(ask("b")) is None


def test_a_flush_of_the_scripts_is_not_noticed(gate: RedisBudgetGate, redis_client: redis.Redis) -> None:
    assert gate.hold(ask("a")) is None
    redis_client.script_flush()
    assert gate.hold(ask("b")) is None


def test_many_holds_that_are_due_end_in_the_calls_that_follow_and_leave_nothing(
    redis_client: redis.Redis, redis_address: Address
) -> None:
    with process(redis_address, hold_seconds=0.5) as gate:
        gate.rebuild(ACCOUNT, {})
        for number in range(450):
            assert gate.hold(ask(str(number), 2)) is None
        time.sleep(0.55)
        held = [gate.usage(ACCOUNT, ["acc_1/total"]).held["acc_1/total"] for _ in range(3)]
        # 900 were held, and a call ends 200 holds; some may have ended before the last was made.
        assert held[0] <= 500
        assert held[2] == 0
    assert redis_client.exists(*KEYS[1:]) == 0, "ids of holds are left"


def test_a_hold_that_is_asked_for_again_after_a_lost_reply_counts_once(
    gate: RedisBudgetGate, redis_client: redis.Redis
) -> None:
    for _ in range(3):
        assert gate.hold(ask("a", user_cap=CAP)) is None
    assert redis_client.zcard(seen_key(CAP)) == 1
    assert gate.usage(ACCOUNT, ["acc_1/total"]).held == {"acc_1/total": 1}


def test_what_a_user_saw_goes_with_its_window(gate: RedisBudgetGate, redis_client: redis.Redis) -> None:
    gate.hold(ask("a", user_cap=CAP))
    assert 3590 < redis_client.ttl(seen_key(CAP)) <= 3600  # type: ignore[operator]


@pytest.mark.parametrize("account_id", ["acc_1", "acc_abcdef", "acc_2"])
def test_the_keys_of_an_account_share_a_hash_slot(account_id: str) -> None:
    assert {key_slot(key.encode()) for key in account_keys(account_id)} == {key_slot(account_id.encode())}


def test_no_user_writes_into_the_keys_of_an_account_or_of_another_user() -> None:
    users = ["u1", "u1}:cmp_1", "acc_1", "{acc_1}", "", "}", "u1:cmp_1"]
    keys = {seen_key(UserCap(user, "cmp_1", CAP.cap)) for user in users}
    assert len(keys) == len(users)
    assert not keys & {key for user in users for key in account_keys(user)}
