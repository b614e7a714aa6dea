"""`recsys search queries` over a lake: what is counted, and how it is printed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from recsys import columns
from recsys.cli.app import app
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.home import HomePaths
from recsys.jobs.search.queries import QueryReport, report_queries
from recsys.stores.lake.event_lake import EventLake

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def event(number: int, kind: str, hours_ago: float, user: str = "ann", **more: Any) -> dict[str, Any]:
    return {
        columns.EVENT_ID: f"e{number}",
        columns.KIND: kind,
        columns.USER_ID: user,
        columns.AT: NOW - timedelta(hours=hours_ago),
        columns.SEQUENCE: number,
        columns.WEIGHT: 0.0,
        **more,
    }


ROWS = [
    event(1, "search", 5, query="Oat Milk", query_id="r1", request_id="r1", results=3),
    event(2, "search", 4.99, query="oat milk", query_id="r1", request_id="r2", results=3),  # its page 2
    event(3, "click", 4.98, item_id="oat", request_id="r2"),
    event(4, "search", 4, "bob", query="oat  milk", query_id="r3", request_id="r3", results=3),
    event(5, "search", 3, query="chiken", query_id="r4", request_id="r4", results=0),
    event(6, "search", 2.99, query="chicken", query_id="r5", request_id="r5", results=9),
    event(7, "click", 2.9, item_id="wing", request_id="r5"),
    event(8, "search", 2, "bob", query="lamp", query_id="r6", request_id="r6"),  # does not say how many
    event(9, "search", 24 * 40, query="old", query_id="r7", request_id="r7", results=0),
    event(10, "view", 1, item_id="oat"),
]


@pytest.fixture
def paths(tmp_path: Path) -> HomePaths:
    paths = HomePaths(tmp_path)
    EventLake(paths.live).append(pa.Table.from_pylist(ROWS, schema=EVENT_SCHEMA))
    return paths


def names(report: QueryReport) -> list[str]:
    return [row.query for row in report.rows]


def test_the_whole_is_told_with_what_is_not_known_apart(paths: HomePaths) -> None:
    report = report_queries(paths, "top", NOW)
    # oat milk twice, chiken, chicken and lamp; two of the five were chosen from
    assert (report.searches, report.queries, report.users) == (5, 4, 2)
    assert (report.zero, report.unknown, report.clicked) == (1, 1, 2)
    assert names(report) == ["oat milk", "chicken", "chiken", "lamp"]
    row = report.table()[0]
    assert (row["searches"], row["users"], row["click_through"], row["zero_share"]) == (2, 2, 1 / 2, 0 / 2)
    lamp = report.table()[3]
    assert (lamp["unknown"], lamp["zero"], lamp["zero_share"]) == (1, 0, None)


def test_zero_lists_what_found_nothing_and_not_what_does_not_say(paths: HomePaths) -> None:
    assert names(report_queries(paths, "zero", NOW)) == ["chiken"]
    assert names(report_queries(paths, "zero", NOW, days=41)) == ["chiken", "old"]


def test_no_click_lists_what_found_something_that_nobody_chose(paths: HomePaths) -> None:
    assert names(report_queries(paths, "no-click", NOW)) == ["lamp"]


def test_reformulated_lists_what_was_asked_instead(paths: HomePaths) -> None:
    (row,) = report_queries(paths, "reformulated", NOW).table()
    assert row == {
        "query": "chiken",
        "next_query": "chicken",
        "times": 1,
        "users": 1,
        "clicked": 0,
        "next_clicked": 1,
        "click_through": 0.0,
        "next_click_through": 1.0,
    }


def test_as_many_rows_as_were_asked_for(paths: HomePaths) -> None:
    assert names(report_queries(paths, "top", NOW, count=1)) == ["oat milk"]
    assert report_queries(paths, "top", NOW, count=1).queries == 4


def test_a_home_without_searches_has_nothing_to_show(tmp_path: Path) -> None:
    report = report_queries(HomePaths(tmp_path), "top", NOW)
    assert (report.searches, report.rows) == (0, ())


def test_it_is_said_where_no_click_names_an_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    searches = [row for row in ROWS if row["kind"] == "search"]
    EventLake(HomePaths(tmp_path).live).append(pa.Table.from_pylist(searches, schema=EVENT_SCHEMA))
    report_queries(HomePaths(tmp_path), "no-click", NOW)
    assert "no click names the answer of a search" in caplog.text


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HomePaths:
    monkeypatch.setenv("RECSYS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recsys.toml").write_text("")
    paths = HomePaths(tmp_path / "home")
    recent = [{**row, columns.AT: row[columns.AT] + (datetime.now(UTC) - NOW)} for row in ROWS]
    EventLake(paths.live).append(pa.Table.from_pylist(recent, schema=EVENT_SCHEMA))
    return paths


def test_the_command_prints_tables_or_json(shop: HomePaths) -> None:
    shown = CliRunner().invoke(app, ["search", "queries", "--zero"], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "chiken" in shown.stdout
    done = CliRunner().invoke(app, ["search", "queries", "--reformulated", "--json"], catch_exceptions=False)
    document = json.loads(done.stdout)
    assert (document["view"], document["searches"], document["unknown"]) == ("reformulated", 5, 1)
    assert [row["next_query"] for row in document["rows"]] == ["chicken"]


def test_two_views_at_once_are_refused(shop: HomePaths) -> None:
    done = CliRunner().invoke(app, ["search", "queries", "--zero", "--top"])
    assert done.exit_code == 2
    assert "one at a time" in done.output
