"""Prices that events tell, beside the versions of a catalog."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from recsys import columns
from recsys.dataset.price_versions import catalog_versions, with_event_prices
from recsys.dataset.row_versions import ImportedVersions
from recsys.dataset.schemas import INSTANT, ITEM_SCHEMA

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def items(*rows: tuple[str, int, str]) -> pa.Table:
    """Item, day, title."""
    return pa.Table.from_pylist(
        [
            {
                columns.ITEM_ID: item,
                columns.AT: day(at),
                columns.TITLE: title,
                columns.AVAILABLE: True,
                columns.ATTRIBUTES: "{}",
            }
            for item, at, title in rows
        ],
        schema=ITEM_SCHEMA,
    )


def prices(*rows: tuple[str, int, int]) -> pa.Table:
    item, at, price = zip(*rows, strict=True)
    instants = pa.array([day(each) for each in at], INSTANT)
    return pa.table({columns.ITEM_ID: item, columns.AT: instants, columns.PRICE_MICROS: price})


def told(table: pa.Table) -> list[tuple[str, int, str, int | None]]:
    return [
        (row[columns.ITEM_ID], (row[columns.AT] - START).days, row[columns.TITLE], row[columns.PRICE_MICROS])
        for row in table.to_pylist()
    ]


EARLIER, NEWEST = items(("tea", 0, "Tea")), items(("oil", 0, "Oil"), ("tea", 10, "Green tea"))
VERSIONS = ImportedVersions(NEWEST, EARLIER, 1, 0, 0)


def test_a_version_begins_where_the_catalog_or_the_price_changes() -> None:
    found = with_event_prices(
        VERSIONS, prices(("tea", 5, 4), ("tea", 31, 6), ("new", 3, 1)), NEWEST.slice(0, 0)
    )
    assert told(found.newest) == [("oil", 0, "Oil", None), ("tea", 31, "Green tea", 6)]
    assert told(found.earlier) == [
        ("tea", 0, "Tea", None),  # nobody had bought it
        ("tea", 5, "Tea", 4),
        ("tea", 10, "Green tea", 4),
    ]


def test_the_next_import_finds_the_catalog_as_it_was_without_prices() -> None:
    found = with_event_prices(VERSIONS, prices(("tea", 5, 4), ("oil", 31, 6)), NEWEST.slice(0, 0))
    earlier, newest = catalog_versions(found.earlier, found.newest)
    assert told(earlier) == told(EARLIER)
    assert told(newest) == told(NEWEST)


def test_a_streamed_item_keeps_its_price_until_the_catalog_is_newer() -> None:
    moved = prices(("oil", 5, 2), ("oil", 31, 3), ("tea", 5, 4), ("tea", 31, 6))
    streamed = items(("oil", 20, "Oil"), ("tea", 8, "Tea"))
    found = with_event_prices(VERSIONS, moved, streamed)
    assert told(found.newest) == [("oil", 5, "Oil", 2), ("tea", 31, "Green tea", 6)]
