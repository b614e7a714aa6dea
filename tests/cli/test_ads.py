"""`recsys ads account | campaign`: what they print, and what they leave behind."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recsys.ads.delivery.counts import CountedHour, hour_of
from recsys.ads.delivery.steps import Step
from recsys.cli.app import app
from recsys.config import load_settings
from recsys.errors import RequestError
from recsys.instants import utc_now
from recsys.stores.ads.delivery import DeliveryStore
from tests.jobs.ads.ads_shop import make_shop

CREATE = ("campaign", "create", "--account", "acme", "--name", "summer", "--bid", "0.40")


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["ads", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def answer(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


@pytest.fixture(autouse=True)
def shop(home: Path) -> None:
    make_shop(home)
    made = answer("account", "create", "acme", "--time-zone", "Asia/Shanghai", "--budget-per-day", "500.00")
    assert (made["name"], made["time_zone"], made["budget_day_micros"]) == (
        "acme",
        "Asia/Shanghai",
        500_000_000,
    )


def test_accounts_are_listed_shown_and_changed() -> None:
    assert [each["name"] for each in answer("account", "list")] == ["acme"]
    table = run("account", "list")
    assert "Asia/Shanghai" in table
    assert "500.00 EUR" in table
    assert answer("account", "edit", "acme", "--budget-per-day", "none")["budget_day_micros"] is None
    assert "by bill" in run("account", "show", "acme")
    changes = answer("account", "history", "acme")
    assert [each["action"] for each in changes] == ["create", "change"]
    assert changes[1]["before"]["budget_day_micros"] == 500_000_000


def test_a_campaign_is_made_listed_shown_changed_and_ended() -> None:
    made = answer(*CREATE, "--items", "1,2", "--budget-per-day", "50.00", "--target", "category=Pasta")
    assert (made["state"], made["bidding"]["bid_micros"]) == ("running", 400_000)
    assert made["lines"][0]["items"] == ["1", "2"]
    assert made["targets"]["categories"] == ["Pasta"]
    assert answer("campaign", "list", "--account", "acme") == [answer("campaign", "show", "summer")] == [made]
    table = run("campaign", "list")
    assert "0.40 EUR" in table
    assert "50.00 EUR a day" in table
    assert "Pasta" in run("campaign", "show", made["campaign_id"])
    assert answer("campaign", "edit", "summer", "--cap", "3/1d")["frequency_cap"] == {
        "count": 3,
        "window_seconds": 86_400,
    }
    assert "3/1d" in run("campaign", "show", "summer")
    for action, state in (("pause", "paused"), ("resume", "running"), ("archive", "archived")):
        assert answer("campaign", action, "summer")["state"] == state
    assert answer("campaign", "list") == []
    assert len(answer("campaign", "list", "--archived")) == 1
    assert [each["action"] for each in answer("campaign", "history", "summer")] == [
        *("create", "change", "pause", "resume", "archive")
    ]


def test_what_keeps_ads_away_is_told_when_made_and_when_asked() -> None:
    words = [*CREATE, "--items", "1", "--start", "2099-01-01"]
    result = CliRunner().invoke(app, ["ads", *words], catch_exceptions=False)
    assert "not shown yet: it starts on 2099-01-01 in Asia/Shanghai" in result.stderr
    (obstacle,) = answer("campaign", "why-not", "summer")["obstacles"]
    assert (obstacle["step"], obstacle["blocks"]) == ("dates", True)
    assert "all ads" in run("campaign", "why-not", "summer")
    run("campaign", "edit", "summer", "--start", "none")
    assert answer("campaign", "why-not", "summer")["obstacles"] == []


def test_a_report_has_a_row_for_each_day_and_a_picture(tmp_path: Path) -> None:
    run(*CREATE, "--items", "1")
    found = answer("campaign", "report", "summer", "--from", "2026-05-01", "--to", "2026-05-02")
    assert [each["day"] for each in found["days"]] == ["2026-05-01", "2026-05-02"]
    assert (found["total"]["requests"], found["total"]["spend_micros"]) == (0, 0)
    table = run("campaign", "report", "summer", "--picture", str(tmp_path / "waterfall.png"))
    assert "total" in table
    assert (tmp_path / "waterfall.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(RequestError, match="cannot be written: No such file"):
        run("campaign", "report", "summer", "--picture", str(tmp_path / "none" / "waterfall.png"))


def test_a_forecast_is_made_before_a_campaign_is() -> None:
    words = ("campaign", "forecast", "--account", "acme", "--bid", "0.40", "--items", "1")
    found = answer(*words, "--budget-per-day", "5.00")
    assert found["campaign"] == "campaign 1"
    assert found["a_day"]["matched"] == {"expected": 0, "low": 0, "high": 0}
    assert "there was no request yet" in found["a_day"]["assumptions"]
    assert answer("campaign", "list") == []
    run(*CREATE, "--items", "1")
    assert "spend" in run("campaign", "forecast", "summer", "--bid", "0.60")
    with pytest.raises(RequestError, match="Give --account"):
        run("campaign", "forecast")


def test_what_serving_saw_is_told_beside_what_keeps_ads_away(home: Path) -> None:
    run(*CREATE, "--items", "1")
    campaign_id = answer("campaign", "show", "summer")["campaign_id"]
    steps = {(campaign_id, Step.OUTBID): 3, (campaign_id, Step.WON): 1}
    with DeliveryStore.open(load_settings()) as store:
        store.add("one", 1, [CountedHour(hour_of(utc_now()), "home", False, 4, steps)])
    found = answer("campaign", "why-not", "summer")
    assert found["obstacles"] == []
    assert (found["last_24_hours"]["won"], found["last_24_hours"]["largest_loss"]) == (1, "outbid")
    result = CliRunner().invoke(app, ["ads", "campaign", "why-not", "summer"], catch_exceptions=False)
    assert "of 4 requests of the last 24 hours it was shown in 1" in result.stderr
    assert "3 of the 4 requests that came so far: others ranked before it. Raise --bid" in result.stderr


def test_a_rejection_is_told_with_its_reason() -> None:
    run(*CREATE, "--items", "1")
    assert answer("campaign", "review", "summer", "--reject", "No logo")["review"] == {
        "state": "rejected",
        "reason": "No logo",
    }
    assert "rejected: No logo" in run("campaign", "show", "summer")
    assert answer("campaign", "review", "summer")["state"] == "running"


def test_keywords_come_back_as_they_are_written() -> None:
    made = answer(*CREATE, "--items", "1", "--keywords", 'milk,[penne],-"oat milk"')
    assert made["targets"]["keywords"] == ["milk", "[penne]", '-"oat milk"']
    assert 'milk, [penne], -"oat milk"' in run("campaign", "show", "summer")


def test_a_mistake_names_the_option_and_the_remedy() -> None:
    with pytest.raises(RequestError, match=r"the catalog does not have: '77'"):
        run(*CREATE, "--items", "77")
