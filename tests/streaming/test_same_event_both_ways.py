"""One event in a file and over HTTP: the same canonical row, or rejected both times."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.ingest.imported import ShopFiles
from recsys.ingest.importer import import_shop
from recsys.ingest.mapping.files import parse_mapping
from recsys.ingest.mapping.schema import DEFAULT_WEIGHTS, ShopMapping
from recsys.ingest.tables.events import canonical_events
from recsys.ingest.tables.live_rejects import live_rejects
from recsys.instants import to_micros
from recsys.streaming.aggregate import aggregate
from recsys.streaming.intake import accept_rows
from recsys.streaming.parsing import parse_entries
from recsys.streaming.stream import Entry
from tests.ingest.shop_folder import Rows

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
MAPPING = """
name = "shop"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "events.jsonl"
event_id = "id"
user = "customer"
item = "sku"
session = "visit"
query = "words"
time = "when"
quantity = "count"
value = { column = "paid", scale = 0.000001 }
query_id = "search"
results = "hits"
filters = "narrowed"
surface = "box"
page = "leaf"
visible_ms = "ms"
viewable = "seen"
token = "ad"
[events.kind]
column = "what"
values = { buy = "purchase", refund = "cancel", look = "view", find = "search", show = "impression" }
[[events.reject]]
reason = "staff"
when = [{ column = "customer", in = ["till-1", "till-2"] }, { column = "what", in = ["buy"] }]
[[events.reject]]
reason = "bulk"
when = [{ column = "count", above = 500 }]
"""
SHOP = parse_mapping(MAPPING, "shop.toml")
KINDS = {"purchase": "buy", "cancel": "refund", "view": "look", "search": "find", "impression": "show"}
RAW = {
    "event_id": "id",
    "user_id": "customer",
    "item_id": "sku",
    "session_id": "visit",
    "query": "words",
    "at": "when",
    "quantity": "count",
    "value_micros": "paid",
    "query_id": "search",
    "results": "hits",
    "filters": "narrowed",
    "surface": "box",
    "page": "leaf",
    "visible_ms": "ms",
    "viewable": "seen",
    "token": "ad",
}
COMPARED = [name for name in columns.EVENT_COLUMNS if name != columns.SEQUENCE]
AT = "2026-03-04T11:00:00+00:00"
EVENT = {"kind": "purchase", "event_id": "e1", "user_id": "ann", "item_id": "tea", "at": AT}
OTHER = {**EVENT, "kind": "view", "event_id": "other", "user_id": "bob"}


def from_file(row: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    """The canonical row that an import keeps."""
    lines = [{RAW[name]: value for name, value in each.items() if name != "kind"} for each in (OTHER, row)]
    for line, each in zip(lines, (OTHER, row), strict=True):
        line["what"] = KINDS[each["kind"]]
        if "filters" in each:  # a file has them as text
            line["narrowed"] = json.dumps(each["filters"])
    for name in RAW.values():
        lines[0].setdefault(name, None)
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    lake = Rows()
    import_shop(ShopFiles(SHOP, "0" * 64, folder), NOW, lake, Rows(), folder / "scratch")
    kept = [each for each in lake.rows() if each["user_id"] != "bob"]
    return kept[0] if kept else None


def from_stream(row: Mapping[str, Any], shop: ShopMapping = SHOP) -> dict[str, Any] | None:
    """The canonical row that a worker writes to the lake."""
    intake = accept_rows([dict(row)], 1, CleaningRules(), NOW, lambda: "made")
    entries = [Entry(0, 1, body, to_micros(NOW)) for _, body in intake.rows]
    parsed = parse_entries(entries, 1, DEFAULT_WEIGHTS, 0)
    assert not parsed.poison
    done = aggregate(
        parsed.events,
        {},
        categories=lambda keys: np.zeros(len(keys), np.int64),
        rules=shop.cleaning,
        now=to_micros(NOW),
        created=1,
        bots=frozenset(),
        lateness=10**15,
        rejects=live_rejects(shop.events),
    )
    kept = done.kept.to_pylist()
    return kept[0] if kept else None


def both_ways(row: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    """The row of both, which must be one; a purchase's quantity that is not said is one piece."""
    if row["kind"] == "search":
        row = {name: value for name, value in row.items() if name != "item_id"}
    imported, live = (
        None if found is None else {name: found[name] for name in COMPARED}
        for found in (from_file(row, folder), from_stream(row))
    )
    if imported and imported[columns.KIND] == columns.PURCHASE:
        imported[columns.QUANTITY] = imported[columns.QUANTITY] or 1000
    assert imported == live
    return live


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"user_id": " ann\t"},
        {"item_id": "\u00a0tea \n"},
        {"event_id": " e1 "},
        {"session_id": " s "},
        {"session_id": ""},
        {"session_id": " "},
        {"user_id": "12358.0"},
        {"user_id": "ä" * 256},
        {"quantity": 0.25},
        {"quantity": 1.0004},
        {"quantity": 2},
        {"value_micros": 2**51},
        {"value_micros": 0},
        {"kind": "search", "query": "  green tea "},
        {"user_id": "till-1", "kind": "view"},
        {"query_id": "r1"},
        {"kind": "search", "query": "tea", "query_id": " r1 ", "results": 0, "surface": "top", "page": 2},
        {
            "kind": "search",
            "query": "tea",
            "filters": {"brands": ["B", "A"], "attributes": {"size": {"min": 1}}},
        },
        {"kind": "search", "query": "tea", "filters": {}, "results": 2**53},
        {"kind": "impression", "surface": "home", "visible_ms": 1500, "viewable": True},
        {"kind": "impression", "viewable": True, "token": "WzEsInMiXQ.c2ln"},
        {"token": "no token of this shop"},
        {"token": " padded "},
        {"token": " "},
        {"token": "ä" * 4096},
        {"kind": "impression", "surface": "", "visible_ms": 0, "viewable": False},
    ],
)
def test_what_one_way_keeps_the_other_keeps_alike(tmp_path: Path, change: dict[str, Any]) -> None:
    row = {**EVENT, **change}
    assert both_ways(row, tmp_path) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": ""},
        {"user_id": "  "},
        {"user_id": "a\x00b"},
        {"item_id": "a\nb"},
        {"event_id": "a\x7fb"},
        {"item_id": "a\x1fb"},
        {"user_id": "u" * 257},
        {"session_id": "s\x00"},
        {"quantity": 0},
        {"quantity": -1},
        {"quantity": 0.0004},
        {"quantity": 3e12},
        {"value_micros": 2**51 + 1},
        {"value_micros": -1},
        {"at": "2027-01-01T00:00:00+00:00"},
        {"at": "1969-01-01T00:00:00+00:00"},
        {"user_id": "till-1"},
        {"quantity": 501},
        {"kind": "search", "query": "tea", "results": -1},
        {"kind": "search", "query": "tea", "filters": ["brands"]},
        {"kind": "search", "query": "tea", "filters": {"brands": ["b" * 20_000]}},
        {"kind": "search", "query": "tea", "surface": "a\x00b"},
        {"kind": "impression", "visible_ms": -5},
        {"kind": "impression", "viewable": 7},
        {"token": "ä" * 4097},
    ],
)
def test_what_one_way_rejects_the_other_rejects(tmp_path: Path, change: dict[str, Any]) -> None:
    assert both_ways({**EVENT, **change}, tmp_path) is None


def test_each_of_many_rules_rejects() -> None:
    rule = '[[events.reject]]\nreason = "blocked"\nwhen = [{{ column = "sku", in = ["item-{}"] }}]\n'
    shop = parse_mapping(MAPPING + "".join(map(rule.format, range(300))), "shop.toml")
    for number in (117, 200, 244, 299):  # 9 reasons of cleaning and 2 rules stand before these
        assert from_stream({**EVENT, "item_id": f"item-{number}"}, shop) is None
    assert from_stream({**EVENT, "item_id": "item-300"}, shop) is not None


TEXTS = st.text(st.sampled_from("ab .0-\t\x00\x1f\u00a0\u3000é"), min_size=0, max_size=6)


@settings(deadline=None, max_examples=40)
@given(TEXTS, st.floats(-1e13, 1e13) | st.integers(-3, 3), st.integers(-(2**53), 2**53) | st.just(2**51))
def test_any_event_fares_alike(text: str, quantity: float, value: int) -> None:
    for change in ({"user_id": text}, {"item_id": text}, {"quantity": quantity}, {"value_micros": value}):
        row = {**EVENT, **change}
        assert (from_stream(row) is not None) == bool(len(staged(row)))


def staged(row: Mapping[str, Any]) -> pa.Table:
    """The canonical row of a file's row, without the cleaning."""
    cells = {name: pa.array([row.get(field)]) for field, name in RAW.items()}
    raw = pa.table({**cells, "what": pa.array([KINDS[row["kind"]]])})
    return canonical_events(raw, SHOP.events[0], DEFAULT_WEIGHTS, 0).events


def test_what_nobody_said_of_a_search_or_an_impression_stays_null(tmp_path: Path) -> None:
    searched = both_ways({**EVENT, "kind": "search", "query": "tea"}, tmp_path)
    shown = both_ways({**EVENT, "kind": "impression"}, tmp_path)
    assert searched is not None
    assert shown is not None
    unsaid = (columns.QUERY_ID, columns.RESULTS, columns.FILTERS, columns.SURFACE, columns.PAGE)
    assert [searched[name] for name in unsaid] == [None] * 5
    assert [shown[name] for name in (columns.SURFACE, columns.VISIBLE_MS, columns.VIEWABLE)] == [None] * 3


def test_filters_are_kept_as_text_with_sorted_keys(tmp_path: Path) -> None:
    filters = {"price_min_micros": 5, "brands": ["B", "A"]}
    kept = both_ways({**EVENT, "kind": "search", "query": "tea", "filters": filters}, tmp_path)
    assert kept is not None
    assert kept[columns.FILTERS] == '{"brands":["B","A"],"price_min_micros":5}'


@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_of_what_a_cancellation_says_is_dropped(tmp_path: Path, sign: int) -> None:
    row = {**EVENT, "kind": "cancel", "quantity": sign * 0.5, "value_micros": sign * 5_000_000}
    live = from_stream(row)
    assert live is not None
    assert (live[columns.QUANTITY], live[columns.VALUE_MICROS]) == (500, 5_000_000)
