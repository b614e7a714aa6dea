"""Entries become canonical events; what is none is told apart, and nothing is lost."""

import json

from hypothesis import given
from hypothesis import strategies as st

from recsys import columns
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.ingest.mapping.schema import DEFAULT_WEIGHTS
from recsys.streaming.parsing import parse_entries
from recsys.streaming.stream import Entry, partition_of

AT = "2026-01-31T12:00:00.000001Z"
PARTITIONS = 4


def entry(offset: int, body: bytes, partition: int | None = None) -> Entry:
    user = json.loads(body)["user_id"] if partition is None else ""
    return Entry(
        partition_of(user, PARTITIONS) if partition is None else partition, offset, body, 100 + offset
    )


def body(**fields: object) -> bytes:
    row = {"kind": "view", "event_id": "e", "user_id": "u", "item_id": "i", "at": AT}
    return json.dumps({**row, **fields}).encode()


def test_an_event_has_the_columns_of_the_lake() -> None:
    bought = body(kind="purchase", event_id="p", quantity=2, value_micros=5, session_id="s")
    parsed = parse_entries([entry(1, body()), entry(2, bought)], PARTITIONS, DEFAULT_WEIGHTS, 40)
    assert parsed.events.schema == EVENT_SCHEMA
    view, purchase = parsed.events.to_pylist()
    assert view[columns.AT].isoformat() == "2026-01-31T12:00:00.000001+00:00"
    assert (view[columns.SEQUENCE], purchase[columns.SEQUENCE]) == (40, 41)
    assert (view[columns.QUANTITY], view[columns.SESSION_ID]) == (None, None)
    assert (purchase[columns.QUANTITY], purchase[columns.VALUE_MICROS]) == (2000, 5)
    assert abs(view[columns.WEIGHT] - DEFAULT_WEIGHTS["view"]) < 1e-6
    assert parsed.accepted_at.tolist() == [101, 102]
    assert parsed.poison == []


def test_a_purchase_that_says_no_quantity_is_of_one_piece() -> None:
    bodies = [body(kind=kind) for kind in ("cart", "purchase", "cancel", "view")]
    entries = [entry(place, each) for place, each in enumerate(bodies, start=1)]
    parsed = parse_entries(entries, PARTITIONS, DEFAULT_WEIGHTS, 1)
    assert parsed.events[columns.QUANTITY].to_pylist() == [1000, 1000, None, None]


def test_poison_is_told_apart_with_its_reason() -> None:
    wrong = (partition_of("u", PARTITIONS) + 1) % PARTITIONS
    entries = [
        entry(1, b"{no json", 0),
        entry(2, b"[1]", 0),
        entry(3, body(kind="dance", user_id="u")),
        entry(4, body(), wrong),
        entry(5, json.dumps({"kind": "item_upsert", "event_id": "x", "item_id": "i", "at": AT}).encode(), 0),
        entry(6, body()),
    ]
    parsed = parse_entries(entries, PARTITIONS, DEFAULT_WEIGHTS, 1)
    assert len(parsed.events) == 1
    reasons = {each.offset: reason for each, reason in parsed.poison}
    assert "not an object" in reasons[2]
    assert "dance" in reasons[3]
    assert f"belongs to partition {partition_of('u', PARTITIONS)}" in reasons[4]
    assert "catalog" in reasons[5]
    assert sorted(reasons) == [1, 2, 3, 4, 5]


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([body(), body(kind="click")]))))
def test_every_entry_is_an_event_or_poison(bodies: list[bytes]) -> None:
    partition = partition_of("u", PARTITIONS)
    entries = [entry(place, each, partition) for place, each in enumerate(bodies, 1)]
    parsed = parse_entries(entries, PARTITIONS, DEFAULT_WEIGHTS, 1)
    assert len(parsed.events) + len(parsed.poison) == len(bodies)
    assert len(parsed.id_hashes) == len(parsed.accepted_at) == len(parsed.events)
