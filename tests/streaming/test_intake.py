"""Rows of clients: each gets one verdict, and what is accepted is what the worker will read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import MalformedBodyError, RequestError
from recsys.events import parse_event
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.streaming.intake import GENERATED, Intake, accept_rows, read_rows
from recsys.streaming.stream import partition_of

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
P = 4
VIEW = {"kind": "view", "event_id": "e1", "user_id": "ann", "item_id": "apple", "at": NOW.isoformat()}
UPSERT = {"kind": "item_upsert", "event_id": "e2", "item_id": "apple", "price_micros": 5}


def taken(*rows: Any, rules: CleaningRules | None = None) -> Intake:
    numbers = iter(range(10_000))
    return accept_rows(rows, P, rules or CleaningRules(), NOW, lambda: f"made-{next(numbers)}")


def refusal(row: Any, **rules: Any) -> str:
    intake = taken(row, rules=CleaningRules(**rules))
    assert (intake.rows, intake.refused) == ((), 1)
    (verdict,) = intake.verdicts
    assert (verdict.index, verdict.verdict) == (0, "refused")
    return verdict.message


def without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


good = st.sampled_from([VIEW, UPSERT, without(VIEW, "at"), {**VIEW, "kind": "like"}])
nameless = st.just(without(VIEW, "event_id"))
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
bent = st.builds(
    lambda name, value: {**VIEW, name: value}, st.sampled_from([*VIEW, "colour", "position"]), json
)


@given(st.lists(good | nameless | bent | json, max_size=30))
def test_every_row_gets_exactly_one_verdict(rows: list[Any]) -> None:
    intake = taken(*rows)
    assert len(intake.rows) + intake.refused == len(rows)
    places = [verdict.index for verdict in intake.verdicts]
    assert places == sorted(set(places))
    assert sum(verdict.verdict == "refused" for verdict in intake.verdicts) == intake.refused
    for row, place in ((rows[place], place) for place in range(len(rows)) if place not in places):
        assert row["event_id"], f"row {place} was accepted as it was: it had an id"
    for partition, body in intake.rows:
        event = parse_event(orjson.loads(body))
        assert partition == (P if event.kind.endswith("upsert") else partition_of(event.user_id, P))


@given(st.lists(good | bent, max_size=10))
def test_rows_are_judged_one_by_one(rows: list[Any]) -> None:
    def judged(*some: Any) -> Intake:
        return accept_rows(some, P, CleaningRules(), NOW, lambda: "made")

    assert judged(*rows).rows == tuple(each for row in rows for each in judged(row).rows)


def test_a_row_without_an_instant_happened_now() -> None:
    ((_, body),) = taken(without(VIEW, "at")).rows
    assert parse_event(orjson.loads(body)).at == NOW


def test_a_row_without_an_id_gets_one_and_is_told_so() -> None:
    intake = taken(VIEW, without(VIEW, "event_id"))
    assert [parse_event(orjson.loads(body)).event_id for _, body in intake.rows] == ["e1", "made-0"]
    (verdict,) = intake.verdicts
    assert (verdict.index, verdict.verdict, verdict.event_id) == (1, "generated", "made-0")
    assert verdict.message == GENERATED


def test_events_of_one_user_share_a_partition_and_upserts_have_their_own() -> None:
    rows = taken(VIEW, {**VIEW, "kind": "like"}, UPSERT, {**UPSERT, "kind": "user_upsert"}).rows
    assert [partition for partition, _ in rows[:3]] == [partition_of("ann", P)] * 2 + [P]


def test_clocks_that_cannot_be_true_are_refused_while_somebody_can_be_told() -> None:
    ahead = (NOW + timedelta(seconds=301)).isoformat()
    assert "is 301 s ahead of the service's clock" in refusal({**VIEW, "at": ahead})
    assert taken({**VIEW, "at": (NOW + timedelta(seconds=300)).isoformat()}).refused == 0
    assert taken({**VIEW, "at": ahead}, rules=CleaningRules(future_tolerance_seconds=400)).refused == 0
    assert "which cannot be true" in refusal({**VIEW, "at": "1970-01-01T00:00:00Z"})


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({**VIEW, "kind": "glance"}, "kind 'glance' is unknown. Use one of: search"),
        ({**VIEW, "colour": "red"}, "view has no field 'colour'. It takes: at, event_id"),
        (without(VIEW, "item_id"), "view needs item_id."),
        ({**VIEW, "event_id": 7}, "event_id must be a text that is not empty (got 7)."),
        ({**VIEW, "at": 7}, "at 7 has no time zone. Write for example"),
        ("view", "an event is an object (got 'view')."),
        ([VIEW], "an event is an object"),
    ],
)
def test_a_refusal_names_field_value_and_remedy(row: Any, words: str) -> None:
    assert words in refusal(row)


def test_lines_and_arrays_and_one_object_are_the_same_rows() -> None:
    rows = [VIEW, UPSERT]
    assert read_rows(orjson.dumps(rows), lines=False) == rows
    assert read_rows(b"\r\n".join(map(orjson.dumps, rows)) + b"\n\n", lines=True) == rows
    assert read_rows(orjson.dumps(VIEW), lines=False) == [VIEW]
    assert read_rows(b"", lines=True) == []


def test_a_line_that_is_not_json_is_refused_alone() -> None:
    intake = taken(*read_rows(b'{"kind":\n' + orjson.dumps(VIEW), lines=True))
    assert (len(intake.rows), intake.refused) == (1, 1)
    assert "the line is not JSON" in intake.verdicts[0].message


@pytest.mark.parametrize(
    "body", [b"", b"[", b"\xff", b"NaN", orjson.dumps(VIEW) + b"\n" + orjson.dumps(VIEW)]
)
def test_a_body_that_is_not_json_is_told_apart_from_a_wrong_one(body: bytes) -> None:
    with pytest.raises(MalformedBodyError, match="x-ndjson"):
        read_rows(body, lines=False)


def test_a_thousand_rows_are_taken_and_not_one_more() -> None:
    assert len(read_rows(orjson.dumps([7] * 1000), lines=False)) == 1000
    for body, lines in ((orjson.dumps([7] * 1001), False), (b"7\n" * 1001, True)):
        with pytest.raises(RequestError, match="1001 events; 1000 are taken"):
            read_rows(body, lines)
