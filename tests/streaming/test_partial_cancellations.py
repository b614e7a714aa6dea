"""A cancellation means the same in files, in the tables of the batch and in the stream, also of a part."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.amounts import MOST_MICROS
from recsys.features.event_log import read_log
from recsys.features.user_activity import user_activity
from recsys.ingest.cleaning.clean import clean
from recsys.instants import to_micros
from recsys.streaming.user_logs.log import decode_logs, encode_logs
from tests.features.worlds import START, category_keys, event, row_at, table
from tests.streaming.replayed import EVERYTHING, Replayed, canonical

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = START + 12 * HOUR
Row = dict[str, Any]


def numbered(rows: Sequence[Row]) -> list[Row]:
    return [{**row, columns.SEQUENCE: place} for place, row in enumerate(rows)]


def bought(at: Any = NOON, quantity: int | None = 3000, value: int | None = 9_000_000, **more: Any) -> Row:
    return event(columns.PURCHASE, at, quantity_thousandths=quantity, value_micros=value, **more)


def returned(at: Any = NOON + HOUR, quantity: int | None = None, value: int | None = None) -> Row:
    return event(columns.CANCEL, at, quantity_thousandths=quantity, value_micros=value, weight=0.0)


def money_of(rows: Sequence[Row], now: Any) -> tuple[int, int, int, int]:
    """Purchases, money of a day and of 90 days, and the average price, online after `rows`."""
    stream = Replayed()
    stream.process(rows, now)
    activity, _ = stream.features(columns.USER_ACTIVITY, "u1")
    assert activity is not None
    names = ("purchase_count_1d", "purchase_value_micros_1d", "purchase_value_micros_90d")
    return (*(activity[name] for name in names), activity[columns.AVERAGE_PRICE])


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        (returned(quantity=1000), (1, 6_000_000, 6_000_000, 3_000_000)),  # two of three for 9.00 stay
        (returned(quantity=500), (1, 7_500_000, 7_500_000, 3_000_000)),
        (returned(quantity=3000), (0, 0, 0, 0)),
        (returned(), (0, 0, 0, 0)),
        (returned(value=1_500_000), (1, 7_500_000, 7_500_000, 2_500_000)),  # three pieces for 7.50
        (returned(value=9_000_000), (0, 0, 0, 0)),
    ],
)
def test_what_a_cancellation_leaves_is_what_features_count(back: Row, expected: tuple[int, ...]) -> None:
    assert money_of(numbered([bought(), back]), NOON + 2 * HOUR) == expected


def test_what_comes_back_leaves_the_windows_with_its_purchase() -> None:
    rows = numbered([bought(), returned(at=NOON + DAY, quantity=1000)])
    log = read_log(table(rows))
    view = user_activity(log, category_keys(log.item_keys), 0)
    name = "purchase_value_micros_1d"
    found = [row_at(view, columns.USER_ID, "u1", at) for at in (NOON, NOON + DAY, NOON + 2 * DAY)]
    assert [row and row[name] for row in found] == [9_000_000, 6_000_000, 0]


def test_a_part_leaves_history_and_counters_of_the_item_as_they_are() -> None:
    stream = Replayed()
    stream.process(numbered([bought(), returned(quantity=1000)]), NOON + 2 * HOUR)
    history, _ = stream.features(columns.USER_HISTORY, "u1")
    item, _ = stream.features(columns.ITEM_ENGAGEMENT, "i1")
    assert history is not None
    assert item is not None
    assert (len(history[columns.HISTORY_ITEMS]), item["item_purchase_count_1d"]) == (1, 1)


def test_the_parts_of_a_purchase_undo_it_together_in_whatever_batches() -> None:
    rows = numbered([bought(), returned(quantity=1000), returned(NOON + 2 * HOUR, quantity=2000)])
    stream = Replayed()
    counts = []
    for row in rows:
        stream.process([row], NOON + 3 * HOUR)
        item, _ = stream.features(columns.ITEM_ENGAGEMENT, "i1")
        assert item is not None
        counts.append(item["item_purchase_count_1d"])
    assert counts == [1, 1, 0]


def test_money_of_a_user_ends_at_the_bound_of_int64() -> None:
    """4097 lines of the largest value are more than int64 holds, in the batch and in the stream."""
    rows = numbered([bought(NOON + place * timedelta(seconds=1), 1, MOST_MICROS) for place in range(4097)])
    now = NOON + 2 * HOUR
    largest = 2**63 - 1
    count, day, longest, price = money_of(rows, now)
    assert (count, day, longest) == (4097, largest, largest)
    assert price == largest // 4097
    log = read_log(table(rows))
    row = row_at(user_activity(log, category_keys(log.item_keys), 0), columns.USER_ID, "u1", now)
    assert row is not None
    assert (row["purchase_value_micros_90d"], row[columns.AVERAGE_PRICE]) == (largest, price)
    # What leaves a window leaves nothing behind.
    later = row_at(
        user_activity(log, category_keys(log.item_keys), 0), columns.USER_ID, "u1", now + 100 * DAY
    )
    assert later is not None
    assert later["purchase_value_micros_90d"] == 0


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "hours": st.sampled_from([0, 1, 2, 30, 31, 200]),
            columns.KIND: st.sampled_from([columns.PURCHASE, columns.PURCHASE, columns.CANCEL]),
            columns.ITEM_ID: st.sampled_from(["i1", "i2"]),
            columns.QUANTITY: st.sampled_from([None, 250, 1000, 2500]),
            columns.VALUE_MICROS: st.sampled_from([None, 0, 999, 2_000_000]),
        }
    ),
    min_size=1,
    max_size=25,
)


@settings(deadline=None, max_examples=80)
@given(ROWS)
def test_an_import_and_a_stream_count_the_same_purchases_and_money(found: list[Row]) -> None:
    rows = [event(row[columns.KIND], START + row.pop("hours") * HOUR) | row for row in found]
    rows = numbered(sorted(rows, key=lambda row: row[columns.AT]))
    now = START + 201 * HOUR
    kept = clean(canonical(rows), EVERYTHING, to_micros(now)).kept
    log = read_log(kept)
    view = user_activity(log, category_keys(log.item_keys), 0)
    imported = row_at(view, columns.USER_ID, "u1", now)
    stream = Replayed()
    stream.process(rows, now)
    live, _ = stream.features(columns.USER_ACTIVITY, "u1")
    names = [*columns.USER_COUNTS, *columns.USER_VALUES, columns.AVERAGE_PRICE]
    if live is not None:
        assert [live[name] for name in names] == [imported[name] if imported else 0 for name in names]


def test_a_log_that_an_earlier_version_stored_is_read() -> None:
    """It had quantities in pieces, and 1 in cancellations that said nothing: those undo a whole line."""
    stream = Replayed()
    stream.process(numbered([bought(quantity=2000), event(columns.VIEW, NOON)]), NOON)
    stored = stream.logs["u1"]
    logs = decode_logs(["u1"], {"u1": stored})
    rows = logs.rows
    assert logs.quantity().tolist() == [2000, 1000]
    assert rows["quantity"].tolist() == [2, 1]
    cancel = rows[:1].copy()
    cancel["kind"], cancel["quantity"], cancel["at"] = columns.KIND_CODES[columns.CANCEL], 1, cancel["at"] + 1
    earlier = decode_logs(["u1"], {"u1": stored + cancel.tobytes()})
    assert earlier.quantity().tolist() == [2000, 1000, 0]
    assert earlier.event_log().taken_back.undone.tolist() == [True]


def test_fractions_and_returns_are_stored_as_they_are() -> None:
    rows = numbered([bought(quantity=250), returned(quantity=1000), returned(NOON + 2 * HOUR)])
    stream = Replayed()
    stream.process(rows, NOON + 3 * HOUR)
    logs = decode_logs(["u1"], stream.logs)
    assert logs.quantity().tolist() == [250, 1000, 0]
    assert encode_logs(logs) == stream.logs
