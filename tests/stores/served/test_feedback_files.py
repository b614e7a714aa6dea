"""Feedback off the disk: impressions and actions of the lake, slates of the service's log."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from recsys import columns
from recsys.config import Settings
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.instants import to_micros
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.served.feedback_files import open_feedback, read_slates

DAY = datetime(2025, 5, 1, 12, tzinfo=UTC)
ITEMS = Vocabulary.of(["mug", "tea"])


def micros(days: float) -> int:
    return to_micros(DAY + timedelta(days=days))


def event(number: int, kind: str, days: float, item: str, request: str | None) -> dict:
    return {
        columns.EVENT_ID: f"e{number}",
        columns.KIND: kind,
        columns.USER_ID: "ann",
        columns.ITEM_ID: item,
        columns.AT: DAY + timedelta(days=days),
        columns.SEQUENCE: number,
        columns.REQUEST_ID: request,
        columns.WEIGHT: 1.0,
    }


def served(paths: Path, *slates: tuple[str, float, str | None]) -> None:
    paths.mkdir(parents=True)
    lines = [
        {
            "request_id": request,
            "at": (DAY + timedelta(days=days)).isoformat(),
            "user_id": user,
            "items": [{"item_id": "tea", "position": 1}, {"item_id": "mug", "position": 2}],
        }
        for request, days, user in slates
    ]
    content = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    (paths / "slates-000001.jsonl").write_bytes(content + b'{"request_id": "half')


def test_slates_are_joined_with_what_the_lake_says_was_done_with_them(tmp_path: Path) -> None:
    paths = Settings(home=tmp_path).paths
    served(paths.served, ("r1", 1, "ann"), ("r2", 2, "ann"), ("r3", 2, None), ("r4", 9, "ann"))
    rows = [
        event(1, columns.CLICK, 1.1, "mug", "r1"),
        event(2, columns.PURCHASE, 2.5, "tea", None),
        event(3, columns.PURCHASE, 5, "mug", None),  # after the end: it has not happened yet
    ]
    EventLake(paths.live).append(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA))
    found = open_feedback(paths, ITEMS, micros(0), micros(4))
    assert found.request_ids == ("r1", "r2")  # r3 is a visitor's, r4 lies after the end
    assert [ITEMS.ids[item] for item in found.item_index] == ["tea", "mug", "tea", "mug"]
    assert found.clicked.tolist() == [False, True, False, False]
    assert found.purchased.tolist() == [False, False, True, False]


def test_searches_in_the_log_are_shown_items_and_lines_of_losses_are_none(tmp_path: Path) -> None:
    paths = Settings(home=tmp_path).paths
    served(paths.served, ("r1", 1, "ann"))
    at = (DAY + timedelta(days=2)).isoformat()
    shown = {"kind": "search", "request_id": "q1", "at": at, "user_id": "ann", "query": "tea"}
    items = [{"item_id": "tea", "position": 1, "score": 0.5}]
    lost = {"kind": "lost", "since": at, "at": at, "dropped": 3, "left_out": 0}
    with (paths.served / "slates-000001.jsonl").open("ab") as file:
        file.write(b"\n" + orjson.dumps({**shown, "items": items}) + b"\n" + orjson.dumps(lost) + b"\n")
    found = read_slates(paths.served)
    assert found[columns.REQUEST_ID].tolist() == ["r1", "r1", "q1"]


def test_a_home_that_never_served_has_no_feedback(tmp_path: Path) -> None:
    paths = Settings(home=tmp_path).paths
    assert len(read_slates(paths.served)) == 0
    assert len(open_feedback(paths, ITEMS, micros(0), micros(4))) == 0


def test_answers_that_the_log_had_no_room_for_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = Settings(home=tmp_path).paths
    served(paths.served, ("r1", 1, "ann"))
    at = (DAY + timedelta(days=2)).isoformat()
    lost = {"kind": "lost", "since": at, "at": at, "dropped": 3, "left_out": 9}
    with (paths.served / "slates-000001.jsonl").open("ab") as file:
        file.write(b"\n" + orjson.dumps(lost) + b"\n")
    assert len(open_feedback(paths, ITEMS, micros(3), micros(4))) == 0
    assert caplog.text == ""
    assert len(open_feedback(paths, ITEMS, micros(0), micros(4))) == 1
    assert "the log of answers lacks 3 answers of this time" in caplog.text


def test_an_answer_without_a_surface_is_of_its_kind_of_request(tmp_path: Path) -> None:
    paths = Settings(home=tmp_path).paths
    served(paths.served, ("r1", 1, "ann"))
    items = [{"item_id": "tea", "position": 1}]
    named = {"kind": "search", "request_id": "q1", "at": DAY.isoformat(), "user_id": "ann", "items": items}
    with (paths.served / "slates-000001.jsonl").open("ab") as file:
        file.write(b"\n" + orjson.dumps(named) + b"\n")
        file.write(orjson.dumps({**named, "request_id": "q2", "surface": "top"}) + b"\n")
    assert read_slates(paths.served)[columns.SURFACE].tolist() == [None, None, "search", "top"]
