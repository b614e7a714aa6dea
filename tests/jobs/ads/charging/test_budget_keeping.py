"""The gate is kept true to the books, and rebuilt where it lost something."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from recsys.ads.pacing.budget_gate import BudgetLevel, HoldRequest, Refusal, RefusalReason
from recsys.config import Settings
from tests.jobs.ads.charging.charging_shop import PRICE, ChargingShop, campaign, charging_shop, served
from tests.stores.ads.books_shop import NOON

TOTAL, TODAY = "cmp_cpc/total", "cmp_cpc/2026-05-01"
REBUILD = Refusal(RefusalReason.REBUILD)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ChargingShop]:
    with charging_shop(Settings(home=tmp_path / "home"), campaign("cpc")) as opened:
        yield opened


def hold(shop: ChargingShop, slot_id: str, cost: int, cap: int = 1000) -> Refusal | None:
    return shop.gate.hold(HoldRequest("acc_1", slot_id, (BudgetLevel(TOTAL, cap),), cost, "cpc"))


def test_a_gate_is_closed_until_it_was_built_from_the_books(shop: ChargingShop) -> None:
    shop.send(served("a"))
    shop.charge()
    assert hold(shop, "b", 1) == REBUILD
    assert shop.keeper.keep() == 1
    assert hold(shop, "b", 1000 - PRICE) is None
    assert hold(shop, "c", 1) == Refusal(RefusalReason.BUDGET, TOTAL)
    assert shop.keeper.keep() == 0


def test_a_gate_that_lost_everything_is_rebuilt_from_the_books_before_an_ad_is_held(
    shop: ChargingShop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    shop.keeper.keep()
    shop.send(served("a"))
    shop.charge()
    shop.gate.lose_everything()
    assert hold(shop, "b", 1) == REBUILD
    assert shop.keeper.keep() == 1
    assert shop.gate.usage("acc_1", [TOTAL, TODAY]).spent == {TOTAL: PRICE, TODAY: PRICE}
    assert "rebuilt from the books" in caplog.text


def test_the_newest_generation_is_kept_and_a_new_process_expects_it(shop: ChargingShop) -> None:
    shop.keeper.keep()
    for slot in range(5):
        hold(shop, str(slot), 1)
    shop.keeper.keep()
    assert shop.books.generation("acc_1") == shop.gate.usage("acc_1", ()).generation > 5
    shop.books.note_generation("acc_1", 3)
    shop.books.note_generation("acc_1", 1_000_000)  # another gate was here: this one is older
    shop.begin()
    assert shop.keeper.keep() == 1
    assert shop.books.generation("acc_1") > 1_000_000


def test_days_that_are_over_are_forgotten_and_yesterday_is_not(shop: ChargingShop) -> None:
    shop.send(served("a"))
    shop.charge()
    shop.keeper.keep()
    for days, spent in ((1, PRICE), (2, 0)):
        shop.clock.now = NOON + timedelta(days=days)
        shop.keeper.keep()
        assert shop.gate.usage("acc_1", [TODAY, TOTAL]).spent == {TODAY: spent, TOTAL: PRICE}


def test_a_shop_without_accounts_has_nothing_to_keep(tmp_path: Path) -> None:
    from recsys.jobs.ads.charging.charge_worker import drain_charges

    settings = Settings(home=tmp_path / "empty")
    assert set(drain_charges(settings).to_json().values()) == {0}
