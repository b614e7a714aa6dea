"""Every cleaning rule on its own, and the promise that batches give what the whole gives."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.ingest.cleaning.clean import Cleaned, CleaningState, clean
from recsys.ingest.cleaning.event_ids import with_event_ids
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.instants import DAY, SECOND

RULES = CleaningRules()
NOW = 1_800_000_000_000_000
NULLABLE = pa.schema([pa.field(field.name, field.type) for field in EVENT_SCHEMA])


def table(*rows: dict[str, Any]) -> pa.Table:
    """Events at second `t` before NOW minus a day; a row says only what it is about."""
    filled = []
    for place, row in enumerate(rows):
        t = row.pop("t", place * 10)
        filled.append(
            {
                columns.KIND: columns.VIEW,
                columns.USER_ID: "u",
                columns.ITEM_ID: "i",
                columns.AT: NOW - DAY + round(t * SECOND),
                columns.SEQUENCE: place,
                columns.WEIGHT: 1.0,
                **row,
            }
        )
    return pa.Table.from_pylist(filled, schema=NULLABLE)


def reasons(cleaned: Cleaned) -> dict[int, str]:
    rejected = cleaned.rejected
    return dict(zip(rejected[columns.SEQUENCE].to_pylist(), rejected["reason"].to_pylist(), strict=True))


def run(*rows: dict[str, Any], rules: CleaningRules = RULES) -> Cleaned:
    return clean(table(*rows), rules, NOW)


def test_clean_events_pass_with_an_id_each() -> None:
    cleaned = run({}, {"t": 60})
    assert reasons(cleaned) == {}
    assert cleaned.kept[columns.EVENT_ID].null_count == 0
    assert len(set(cleaned.kept[columns.EVENT_ID].to_pylist())) == 2


def test_clocks_ahead_of_ours_or_absurd_are_refused() -> None:
    day = 86_400
    cleaned = run({"t": day + 299}, {"t": day + 301}, {"t": -60 * 365 * day})
    assert reasons(cleaned) == {1: "future_time", 2: "absurd_time"}


def test_data_without_a_clock_has_no_wrong_instants() -> None:
    assert reasons(clean(table({"t": 10**6}), RULES, None)) == {}


def test_a_repeated_event_id_is_a_duplicate_whatever_the_row_says() -> None:
    cleaned = run({"event_id": "a"}, {"event_id": "a", "user_id": "other", "t": -5}, {"event_id": "b"})
    assert reasons(cleaned) == {1: "duplicate"}  # the first to arrive stays


@pytest.mark.parametrize(
    "name", ["user_id", "item_id", "session_id", "query", "value_micros", "quantity_thousandths"]
)
def test_rows_without_an_id_are_duplicates_only_if_everything_is_equal(name: str) -> None:
    row: dict[str, Any] = {"kind": "purchase", "t": 0}
    different = {**row, name: 7 if name in ("value_micros", "quantity_thousandths") else "x"}
    assert reasons(run(dict(row), dict(row), different)) == {1: "duplicate"}


def test_the_id_of_a_row_does_not_depend_on_the_rows_around_it() -> None:
    plain, searched = {"t": 0}, {"t": 0, "query": "tea"}
    alone = with_event_ids(table(dict(plain)), RULES)[columns.EVENT_ID][0]
    beside = with_event_ids(table(dict(searched), dict(plain)), RULES)[columns.EVENT_ID][1]
    assert alone == beside


def test_files_keep_the_ids_that_earlier_versions_gave_them() -> None:
    common = {columns.USER_ID: "ann", columns.AT: datetime(2026, 1, 30, 12, tzinfo=UTC), columns.WEIGHT: 1.0}
    line = {"session_id": "s", "quantity_thousandths": 2000, "value_micros": 5_000_000}
    rows: list[dict[str, Any]] = [
        {**common, "kind": "purchase", "item_id": "tea", "sequence": 0, **line},
        {**common, "kind": "search", "sequence": 1, "query": "green tea", "request_id": "r1"},
        {**common, "kind": "click", "item_id": "tea", "sequence": 2, "request_id": "r1", "position": 3},
    ]
    table = pa.Table.from_pylist(rows, schema=NULLABLE)
    apart, summed = (
        with_event_ids(table, CleaningRules(repeated_lines=way))[columns.EVENT_ID].to_pylist()
        for way in ("duplicate", "sum")
    )
    assert apart == ["swv3wg5kf6slyhaw", "adyv7smvcdmg4oa3", "wdfa2s7e6xr5wpdz"]
    assert summed == ["y3ks647dllmq4tf5", "adyv7smvcdmg4oa3", "wdfa2s7e6xr5wpdz"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("query_id", "q"),
        ("results", 0),
        ("filters", "{}"),
        ("surface", "s"),
        ("page", 2),
        ("visible_ms", 0),
        ("viewable", False),
        ("token", "t"),
    ],
)
def test_rows_that_differ_in_what_they_say_of_an_answer_are_two_events(name: str, value: Any) -> None:
    row = {columns.USER_ID: "ann", columns.KIND: "search", columns.AT: datetime(2026, 1, 30, tzinfo=UTC)}
    table = pa.Table.from_pylist([row, {**row, name: value}], schema=NULLABLE)
    one, other = with_event_ids(table, CleaningRules())[columns.EVENT_ID].to_pylist()
    assert one != other


def test_the_same_text_in_another_column_is_another_event() -> None:
    ids = with_event_ids(table({"t": 0, "session_id": "x"}, {"t": 0, "request_id": "x"}), RULES)
    assert len(set(ids[columns.EVENT_ID].to_pylist())) == 2


def test_repeated_lines_can_be_scans_that_add_up() -> None:
    line = {"kind": "purchase", "session_id": "b", "t": 0}
    rules = CleaningRules(repeated_lines="sum")
    cleaned = run(
        {**line, "quantity_thousandths": 1000, "value_micros": 5},
        {**line, "quantity_thousandths": 2000, "value_micros": 10},
        {**line, "quantity_thousandths": 1000, "value_micros": 5, "session_id": "c"},
        rules=rules,
    )
    assert reasons(cleaned) == {1: "merged"}
    assert cleaned.kept["quantity_thousandths"].to_pylist() == [3000, 1000]
    assert cleaned.kept["value_micros"].to_pylist() == [15, 5]


def test_a_double_click_is_a_near_duplicate_and_a_second_purchase_is_not() -> None:
    cleaned = run(
        {"t": 0, "kind": "click"},
        {"t": 0.5, "kind": "click"},
        {"t": 1.4, "kind": "click"},  # 0.9 s after the one before: still the same burst
        {"t": 2.5, "kind": "click"},
        {"t": 0.2, "kind": "click", "item_id": "j"},
        {"t": 0.2, "kind": "view"},
        {"t": 0, "kind": "purchase"},
        {"t": 0.1, "kind": "purchase"},
    )
    assert reasons(cleaned) == {1: "near_duplicate", 2: "near_duplicate"}


def test_a_machine_is_refused_from_the_event_that_betrays_it() -> None:
    rules = CleaningRules(bot_events_per_minute=3)
    burst = [{"t": step * 2, "item_id": str(step)} for step in range(5)]
    later = [{"t": 900, "kind": "purchase"}, {"t": 8, "user_id": "human"}]
    assert reasons(run(*burst, *later, rules=rules)) == {3: "bot", 4: "bot", 5: "bot"}


def test_a_basket_rung_up_at_once_is_no_machine() -> None:
    rules = CleaningRules(bot_events_per_minute=3)
    lines = [{"t": 0, "kind": "purchase", "item_id": str(step)} for step in range(50)]
    assert reasons(run(*lines, rules=rules)) == {}


def test_limits_of_zero_are_no_limits() -> None:
    rules = CleaningRules(bot_events_per_minute=0, bot_events_per_day=0)
    assert reasons(run(*[{"t": s / 100, "item_id": str(s)} for s in range(500)], rules=rules)) == {}


def test_a_cancel_takes_back_the_latest_earlier_purchase() -> None:
    cleaned = run(
        {"t": 0, "kind": "purchase"},
        {"t": 10, "kind": "purchase"},
        {"t": 20, "kind": "cancel"},
        {"t": 30, "kind": "purchase"},
    )
    assert reasons(cleaned) == {1: "cancelled", 2: "cancellation"}


def test_a_cancel_of_a_part_leaves_the_rest() -> None:
    cleaned = run(
        {"t": 0, "kind": "purchase", "quantity_thousandths": 3000, "value_micros": 900},
        {"t": 10, "kind": "cancel", "quantity_thousandths": 1000},
    )
    assert reasons(cleaned) == {1: "cancellation"}
    assert (cleaned.kept["quantity_thousandths"].to_pylist(), cleaned.kept["value_micros"].to_pylist()) == (
        [2000],
        [600],
    )


def test_a_cancel_of_more_reaches_further_back() -> None:
    cleaned = run(
        {"t": 0, "kind": "purchase", "quantity_thousandths": 2000, "value_micros": 20},
        {"t": 10, "kind": "purchase", "quantity_thousandths": 1000, "value_micros": 12},
        {"t": 20, "kind": "cancel", "quantity_thousandths": 2000},
    )
    assert reasons(cleaned) == {1: "cancelled", 2: "cancellation"}
    assert cleaned.kept["value_micros"].to_pylist() == [10]


def test_a_cancel_of_nothing_is_refused() -> None:
    cleaned = run(
        {"t": 0, "kind": "cancel"},
        {"t": 10, "kind": "purchase"},
        {"t": 20, "kind": "cancel", "item_id": "j"},
        {"t": 20, "kind": "cancel", "user_id": "v"},
    )
    assert set(reasons(cleaned).values()) == {"cancel_without_purchase"}
    assert len(cleaned.kept) == 1


def test_a_later_batch_cancels_what_an_earlier_one_kept() -> None:
    first = clean(table({"kind": "purchase", "value_micros": 7}), RULES, NOW, None, 3600)
    second = clean(table({"kind": "cancel", "t": 20}), RULES, NOW, first.state, 3600)
    assert reasons(second) == {0: "cancellation"}
    assert second.undone["value_micros"].to_pylist() == [7]
    assert second.undone["event_id"].to_pylist() == first.kept["event_id"].to_pylist()
    third = clean(table({"kind": "view", "t": 30}), RULES, NOW, second.state, 3600)
    assert len(third.undone) == 0  # taken back once


def test_what_repeats_a_machine_is_a_near_duplicate_in_any_batch() -> None:
    rules = CleaningRules(bot_events_per_minute=1, near_duplicate_seconds={"view": 5})
    rows = [
        {"t": 0},
        {"t": 6},
        {"t": 7},  # 1 s after what betrayed it
        {"t": 11},  # 4 s after that near duplicate
        {"t": 17},
        {"t": 18},
    ]
    expected = {1: "bot", 2: "near_duplicate", 3: "near_duplicate", 4: "bot", 5: "near_duplicate"}
    events = table(*rows)
    assert reasons(clean(events, rules, NOW)) == expected
    state: CleaningState | None = None
    found: dict[int, str] = {}
    for place in range(len(rows)):
        part = clean(events.slice(place, 1), rules, NOW, state, 86_400)
        state = part.state
        found |= reasons(part)
    assert found == expected


def test_near_duplicates_whose_first_is_forgotten_betray_nobody() -> None:
    rules = CleaningRules(bot_events_per_minute=1, bot_events_per_day=0, near_duplicate_seconds={"view": 60})
    burst = table(
        {"t": 0, "item_id": "i"},
        {"t": 50, "item_id": "i"},
        {"t": 65, "item_id": "j"},  # in the second minute the only one that is new
        {"t": 100, "item_id": "i"},
        {"t": 115, "item_id": "j"},
    )
    first = clean(burst, rules, NOW, None, 200)
    assert reasons(first) == {1: "near_duplicate", 3: "near_duplicate", 4: "near_duplicate"}
    second = clean(table({"t": 290, "item_id": "k"}), rules, NOW, first.state, 200)
    assert second.state is not None
    assert second.state.recent["item_id"].to_pylist() == ["i", "j", "k"]  # from second 90 on
    assert reasons(clean(table({"t": 310, "item_id": "l"}), rules, NOW, second.state, 200)) == {}


ROWS = st.fixed_dictionaries(
    {
        "t": st.integers(0, 200),
        "kind": st.sampled_from(["view", "click", "purchase", "cancel", "like"]),
        "user_id": st.sampled_from(["u", "v"]),
        "item_id": st.sampled_from(["i", "j"]),
        "event_id": st.sampled_from([*"abcdefgh", *(f"e{number}" for number in range(50))]),
        "quantity_thousandths": st.sampled_from([None, 1000, 2000, 2500]),
        "value_micros": st.sampled_from([None, 10, 999]),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=40), st.integers(1, 9))
def test_cleaning_in_batches_gives_what_cleaning_at_once_gives(rows: list[dict[str, Any]], size: int) -> None:
    rules = CleaningRules(bot_events_per_minute=4, near_duplicate_seconds={"view": 5, "click": 5})
    rows = sorted(rows, key=lambda row: (int(row["t"]), row["kind"] == "cancel"))
    whole = clean(table(*[dict(row) for row in rows]), rules, NOW)
    events = table(*[dict(row) for row in rows])
    state: CleaningState | None = None
    fates: dict[int, str] = {}
    value = 0
    for start in range(0, len(rows), size):
        part = clean(events.slice(start, size), rules, NOW, state, 86_400)
        state = part.state
        fates.update(dict.fromkeys(part.kept["sequence"].to_pylist(), ""))
        fates.update(reasons(part))
        value += sum(
            part.kept["value_micros"].to_pylist() and [v or 0 for v in part.kept["value_micros"].to_pylist()]
        )
        value -= sum(part.undone["value_micros"].to_pylist())
    expected = dict.fromkeys(whole.kept["sequence"].to_pylist(), "") | reasons(whole)
    # A purchase that a later batch takes back was kept when its own batch came.
    late = {row: reason for row, reason in expected.items() if reason == "cancelled" and not fates[row]}
    assert fates | late == expected
    assert value == sum(v or 0 for v in whole.kept["value_micros"].to_pylist())


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, max_size=30))
def test_every_row_is_kept_or_rejected_and_never_both(rows: list[dict[str, Any]]) -> None:
    cleaned = clean(table(*[dict(row) for row in rows]), RULES, NOW)
    found = cleaned.kept["sequence"].to_pylist() + cleaned.rejected["sequence"].to_pylist()
    assert sorted(found) == list(range(len(rows)))
