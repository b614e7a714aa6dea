"""Files and stream tell of one item: the newer of what they tell counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from recsys.catalog import Item
from recsys.dataset.catalog_rows import items_of, items_table
from recsys.dataset.streamed_versions import dated_after_stream

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LIVE = datetime(2026, 2, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
FAN = Item("fan", "Fan", "Fan", price_micros=7_000_000, at=FIRST)
STREAMED = replace(FAN, price_micros=8_000_000, at=LIVE)
NONE = items_table([])


def dates(imported: Item, known: list[Item], unlisted: set[str] | None = None) -> datetime:
    rows = items_table([imported])
    found = dated_after_stream(rows, items_table([STREAMED]), items_table(known), unlisted or set(), NOW)
    (row,) = items_of(found)
    assert row == replace(imported, at=row.at)
    return row.at


def test_files_that_tell_another_price_of_a_streamed_item_are_newer() -> None:
    assert dates(FAN, []) == NOW


def test_files_that_tell_the_same_are_no_version() -> None:
    assert dates(replace(STREAMED, at=FIRST), []) == FIRST


def test_an_item_that_only_events_name_stays_as_the_stream_told() -> None:
    assert dates(Item("fan", "fan", "", at=FIRST), [], {"fan"}) == FIRST


def test_an_item_that_did_not_change_in_the_files_stays_as_the_stream_told() -> None:
    assert dates(FAN, [FAN]) == FIRST


def test_where_versions_begin_anew_the_stream_does_not_come_back() -> None:
    after = LIVE + timedelta(days=1)
    assert dates(FAN, [FAN, replace(FAN, price_micros=9_000_000, at=after)]) == after
