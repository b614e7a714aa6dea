"""A charge worker waits for the first advertiser, whatever is away."""

import logging
from pathlib import Path
from threading import Event, Thread

import pytest

from recsys.ads.campaigns.account import Account
from recsys.config import Settings
from recsys.jobs.ads.charging import first_account
from recsys.jobs.ads.charging.first_account import wait_for_account
from recsys.stores.ads.records import Author
from recsys.stores.ads.store import AdsStore


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_account, "ACCOUNT_SECONDS", 0.02)


def test_it_returns_with_the_first_account_and_says_once_that_it_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings, found = Settings(home=tmp_path / "home"), []
    waiting = Thread(target=lambda: found.append(wait_for_account(settings, Event())))
    waiting.start()
    with AdsStore.open(settings) as store:
        store.add_account(Account("acc_1", "acme", "UTC"), Author("ann"))
    waiting.join(30)
    assert found == [True]
    assert caplog.messages.count("ready: waits for the first account of an advertiser") <= 1


def test_told_to_stop_it_ends_without_one(tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    assert wait_for_account(Settings(home=tmp_path / "home"), stop) is False


def test_a_database_that_is_away_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    url = "postgresql://nobody@127.0.0.1:1/shop"
    settings = Settings.model_validate({"home": tmp_path / "home", "database_url": url})
    stop = Event()
    waiting = Thread(target=wait_for_account, args=(settings, stop))
    waiting.start()
    stop.wait(0.5)
    stop.set()
    waiting.join(30)
    assert not waiting.is_alive()
    assert "the database failed" in caplog.text
