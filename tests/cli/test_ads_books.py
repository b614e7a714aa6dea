"""`recsys ads ledger` and payments: what they print, and with which code they end."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from recsys.ads.campaigns.bidding import Budget
from recsys.cli.app import app
from recsys.config import load_settings
from recsys.errors import RequestError, UnknownCampaignError
from recsys.stores.ads.traffic import AdsTraffic, InvalidEvent
from recsys.stores.registry.database import database_url, open_engine
from tests.stores.ads.books_shop import ACME, NOON, Clock, campaign, click, open_books


@pytest.fixture(autouse=True)
def shop(home: Path) -> None:
    with open_books(load_settings(), Clock(), campaign(1, ACME, Budget())) as books:
        lease = books.take_lease("acc_1", "worker", 60)
        assert lease is not None
        books.charge_all(lease, [click("a", 400), click("b", 7, occurred_at=NOON)])
        books.top_up(ACME, 100, "bank 7")


def test_the_bill_is_printed_with_its_lines_and_sums() -> None:
    words = ["ads", "ledger", "statement", "--account", "acme", "--from", "2026-05-01", "--to", "2026-05-31"]
    result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    bill = json.loads(result.stdout)
    assert (bill["billed_micros"], bill["paid_micros"], bill["closing_micros"]) == (407, 100, 307)
    assert bill["billed_micros"] == sum(line["micros"] for line in bill["lines"] if line["kind"] == "charge")
    table = CliRunner().invoke(app, words, catch_exceptions=False).stdout
    assert "0.000407" in table
    assert "-0.0001" in table
    assert "Asia/Shanghai" in table


def test_the_days_of_a_bill_are_checked() -> None:
    words = ["ads", "ledger", "statement", "--account"]
    for more, error, message in (
        (["nobody"], UnknownCampaignError, "no account 'nobody'"),
        (["acme", "--from", "1 May"], RequestError, "--from '1 May' is no day"),
        (["acme", "--from", "2026-05-02", "--to", "2026-05-01"], RequestError, "before its first day"),
    ):
        with pytest.raises(error, match=message):
            CliRunner().invoke(app, [*words, *more], catch_exceptions=False)


def test_right_books_end_with_0_and_wrong_ones_with_1_and_their_identity() -> None:
    right = CliRunner().invoke(app, ["ads", "ledger", "check"], catch_exceptions=False)
    assert right.exit_code == 0
    assert "every identity holds" in right.stderr
    engine = open_engine(database_url(load_settings()))
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE ads_budgets SET spent_micros = 406 WHERE entity_id = 'cmp_1' AND period = 'total'")
        )
    engine.dispose()
    wrong = CliRunner().invoke(app, ["ads", "ledger", "check", "--json"], catch_exceptions=False)
    assert wrong.exit_code == 1
    assert json.loads(wrong.stdout) == [
        {"identity": "spent", "subject": "cmp_1 total", "expected": 407, "found": 406, "difference": -1}
    ]
    assert "cmp_1 total" in CliRunner().invoke(app, ["ads", "ledger", "check"]).stdout


def run(*words: str) -> Any:
    return json.loads(CliRunner().invoke(app, ["ads", *words, "--json"], catch_exceptions=False).stdout)


def audit() -> list[tuple[str, str]]:
    return [(row["action"], row["remark"]) for row in run("account", "history", "acme")]


def test_a_payment_is_booked_once_whoever_repeats_it_and_is_in_the_audit() -> None:
    words = ("account", "top-up", "acme", "0.25", "--reference", "bank 8", "--remark", "May")
    first, again = run(*words), run(*words)
    assert (first["micros"], first["is_duplicate"], again["is_duplicate"]) == (250_000, False, True)
    run("account", "credit", "acme", "1", "--reference", "sorry")
    assert audit()[1:] == [("top up", "May"), ("credit", "")]
    with pytest.raises(RequestError, match="booked with"):
        run("account", "top-up", "acme", "0.26", "--reference", "bank 8")
    assert run("ledger", "check") == []


def test_charges_are_given_back_once_with_their_reason() -> None:
    assert run("ledger", "refund", "click:a")["micros"] == 400
    assert run("ledger", "write-off", "click:a")["is_duplicate"] is True
    assert run("ledger", "write-off", "click:b", "--remark", "a robot")["micros"] == 7
    assert audit()[1:] == [("refund", ""), ("write off", "a robot")]
    with pytest.raises(RequestError, match="no charge 'click:c'"):
        run("ledger", "refund", "click:c")
    assert run("ledger", "check") == []


def test_own_users_are_added_listed_and_removed() -> None:
    words = ("account", "own-users")
    assert run(*words, "list", "acme") == []
    assert run(*words, "add", "acme", "u2", "u1") == [{"user_id": "u1"}, {"user_id": "u2"}]
    assert run(*words, "add", "acme", "u1") == [{"user_id": "u1"}, {"user_id": "u2"}]
    assert run(*words, "remove", "acme", "u2", "u9", "--remark", "left") == [{"user_id": "u1"}]
    assert run(*words, "list", "acme") == [{"user_id": "u1"}]
    assert audit()[1:] == [("own users", ""), ("own users", "left")]
    with pytest.raises(UnknownCampaignError):
        run(*words, "list", "nobody")


def test_invalid_traffic_is_listed_by_account() -> None:
    assert run("ledger", "invalid") == []
    with AdsTraffic.open(load_settings()) as traffic:
        traffic.mark(
            [
                InvalidEvent("e1", "click", "forged", "u1", NOON),
                InvalidEvent("e2", "click", "velocity", "u2", NOON, "acc_1", "cmp_1", "lin_1", "t", 400_000),
            ]
        )
    assert [each["event_id"] for each in run("ledger", "invalid")] == ["e1", "e2"]
    (found,) = run("ledger", "invalid", "--account", "acme", "--from", "2026-05-01")
    assert (found["reason"], found["price_nanos"]) == ("velocity", 400_000)
    assert run("ledger", "invalid", "--from", "2026-05-02") == []
    shown = CliRunner().invoke(app, ["ads", "ledger", "invalid"], catch_exceptions=False).stdout
    assert "velocity" in shown
