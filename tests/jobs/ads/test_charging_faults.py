"""What budgets come to when a charge worker stops under load, or Redis loses what it had."""

import random
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from recsys.ads.campaigns.bidding import Budget
from recsys.ads.pacing.budget_gate import (
    BudgetLevel,
    HoldRequest,
    Refusal,
    RefusalReason,
    expected_cost_micros,
)
from recsys.config import Settings
from recsys.jobs.ads.budget_keeping import BudgetKeeper
from recsys.service_settings import AdsSettings
from recsys.stores.ads_gate.gate import RedisBudgetGate
from recsys.stores.redis import server as redis_server
from recsys.stores.redis.client import open_url
from tests.jobs.ads.charging_shop import PRICE, ChargingShop, campaign, charging_shop, served
from tests.stores.ads.books_shop import NOON

P_CLICK = 0.05
ADS_A_SECOND, CLICK_SECONDS, STOPPED_SECONDS = 10, 30, 60
CLICKS = 500  # that the budget pays
CAP = CLICKS * PRICE
TODAY, TOTAL = "cmp_cpc/2026-05-01", "cmp_cpc/total"
REBUILD = Refusal(RefusalReason.REBUILD)


@dataclass
class Load:
    """Ads served and clicked second by second, by the clock of the shop.

    A click comes up to half a minute after its ad. Nothing paces: every ad that the gate holds is shown.
    """

    shop: ChargingShop
    rng: random.Random

    def __post_init__(self) -> None:
        self.clicks: deque[tuple[float, str]] = deque()
        self.shown = 0
        self.second = 0

    def serve(self) -> None:
        """One second of it."""
        self.shop.clock.now = NOON + timedelta(seconds=self.second)
        cost = expected_cost_micros("cpc", PRICE, P_CLICK)
        for number in range(ADS_A_SECOND):
            slot = f"s{self.second}-{number}"
            levels = (BudgetLevel(TODAY, CAP),)
            request = HoldRequest("acc_1", slot, levels, cost, "cpc", price_micros=PRICE)
            if self.shop.gate.hold(request) is None:
                self.shown += 1
                if self.rng.random() < P_CLICK:
                    self.clicks.append((self.second + self.rng.uniform(1, CLICK_SECONDS), slot))
        for due, slot in [each for each in self.clicks if each[0] <= self.second]:
            self.clicks.remove((due, slot))
            self.shop.send(served(slot, at=self.shop.clock.now), seconds=self.second)
        self.second += 1


@pytest.mark.slow
@pytest.mark.parametrize("stopped_at", [400, 950])
def test_a_worker_that_is_stopped_for_a_minute_under_load_overspends_nothing(
    tmp_path: Path, stopped_at: int
) -> None:
    """Ten ads a second at p = .05 and a budget of 500 clicks: it lasts about 1,000 seconds.

    The second stop is when hardly any of it is left.
    """
    ads = AdsSettings(hold_seconds=120, velocity_clicks=10_000)
    with charging_shop(
        Settings(home=tmp_path / "home"), campaign("cpc", Budget(day_micros=CAP)), ads=ads
    ) as shop:
        load = Load(shop, random.Random(1))
        shop.keeper.keep()
        free = charged = 0
        while load.second < 1300 or load.clicks:
            load.serve()
            if stopped_at <= load.second < stopped_at + STOPPED_SECONDS or load.second % 5:
                continue
            counts = shop.charge()
            shop.keeper.keep()
            charged, free = charged + counts["charged"], free + counts["over_budget"]
        spent = shop.spent("cmp_cpc", "2026-05-01")
        assert spent == charged * PRICE
        assert CAP * 0.99 <= spent <= CAP
        assert free <= 0.01 * (charged + free), (free, charged)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis_server.Address]:
    settings = Settings(home=tmp_path_factory.mktemp("redis") / "home")
    redis_server.start_server(settings)
    found = redis_server._read_address(settings)
    assert found is not None
    yield found
    redis_server.stop_server(settings)


@pytest.fixture
def shop(tmp_path: Path, address: redis_server.Address) -> Iterator[ChargingShop]:
    """A shop whose gate is in a real Redis."""
    with (
        charging_shop(Settings(home=tmp_path / "home"), campaign("cpc", Budget(day_micros=CAP))) as opened,
        closing(RedisBudgetGate(lambda: open_url(address.url, 10.0), opened.ads)) as gate,
    ):
        opened.gate = gate  # type: ignore[assignment]
        opened.begin()
        yield opened


def dumped(client: redis.Redis) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for key in client.scan_iter("*"):
        value = client.dump(key)
        assert isinstance(value, bytes)
        found[key] = value
    return found


def hold(shop: ChargingShop, slot: str, cost: int = 1) -> Refusal | None:
    return shop.gate.hold(HoldRequest("acc_1", slot, (BudgetLevel(TODAY, CAP),), cost, "cpc"))


def click(shop: ChargingShop, first: int, count: int) -> None:
    for number in range(first, first + count):
        assert hold(shop, f"r{number}") is None
        shop.send(served(f"r{number}"), seconds=number)
    shop.charge()


@pytest.mark.parametrize("is_lost", [False, True], ids=["rolled back", "lost"])
@pytest.mark.parametrize(
    "begins_anew", [False, True], ids=["seen by the process", "seen by an earlier process"]
)
def test_a_redis_that_is_rolled_back_or_lost_is_rebuilt_from_the_books_before_an_ad_is_held(
    shop: ChargingShop, address: redis_server.Address, is_lost: bool, begins_anew: bool
) -> None:
    with open_url(address.url) as client:
        client.flushall()
        shop.keeper.keep()
        click(shop, 0, 3)
        shop.keeper.keep()
        before = dumped(client)
        for second in range(10):  # of a second each: a click is charged and the budgets are kept
            click(shop, 3 + second, 1)
            shop.keeper.keep()
        client.flushall()
        for key, value in before.items() if not is_lost else ():
            client.restore(key, 0, value)
    with closing(RedisBudgetGate(lambda: open_url(address.url, 10.0), shop.ads)) as other:
        if begins_anew:  # all processes were started again
            shop.gate = other  # type: ignore[assignment]
            shop.begin()
            other.expect("acc_1", shop.books.generation("acc_1"))  # as a service does when it starts
        assert hold(shop, "x") == REBUILD
        assert shop.keeper.keep() == 1
        assert shop.gate.usage("acc_1", [TODAY, TOTAL]).spent == dict.fromkeys((TODAY, TOTAL), 13 * PRICE)
        assert hold(shop, "x", CAP - 13 * PRICE + 1) == Refusal(RefusalReason.BUDGET, TODAY)
        assert hold(shop, "x", CAP - 13 * PRICE) is None
        assert isinstance(shop.keeper, BudgetKeeper)
