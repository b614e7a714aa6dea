"""Rows of items that the files date, and prices that events tell: what was known of an item, and when."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from recsys import columns
from recsys.home import HomePaths
from recsys.ingest.imported import ShopFiles
from recsys.ingest.mapping.files import parse_mapping
from recsys.jobs.data.import_shop import run_import
from recsys.stores.lake.dataset_files import load_item_versions, load_items

MAPPING = """
name = "dated"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "events.csv"
user = "who"
item = "what"
time = "at"
kind = "purchase"
value = "paid"
[items]
files = "properties.csv"
id = "item"
title = "{title}"
brand = "brand"
long = { name = "property", value = "value", time = "since" }
"""
PRICED = MAPPING + 'price = { from = "events" }\n'
EVENTS = """who,what,at,paid
ann,tea,2026-01-02,4
bob,tea,2026-01-20,6
ann,tea,2026-02-10,6
bob,oil,2026-02-11,3
"""
PROPERTIES = """item,property,value,since
tea,title,Tea,2025-12-01
tea,brand,Leaf,2025-12-01
tea,title,Green tea,2026-01-15
tea,brand,Leaf,2026-01-20
oil,title,Oil,2026-02-01
salt,title,Salt,
"""
KNOWN = "2026-01-01 23:59"  # a second before the first event
Version = tuple[str, str, str, str | None, int | None]


@pytest.fixture
def paths(tmp_path: Path) -> HomePaths:
    return HomePaths(tmp_path / "home")


def imported(
    paths: HomePaths, mapping: str, events: str = EVENTS, properties: str = PROPERTIES
) -> list[Version]:
    """Item, minute from which, title, brand and price of every version."""
    source = paths.home.parent / "source"
    source.mkdir(exist_ok=True)
    (source / "events.csv").write_text(events)
    (source / "properties.csv").write_text(properties)
    shop = ShopFiles(parse_mapping(mapping, "dated.toml"), "0" * 64, source)
    run_import(paths, shop, mapping, datetime(2026, 3, 1, tzinfo=UTC))
    return [
        (
            row[columns.ITEM_ID],
            f"{row[columns.AT]:%Y-%m-%d %H:%M}",
            row[columns.TITLE],
            row[columns.BRAND],
            None if row[columns.PRICE_MICROS] is None else row[columns.PRICE_MICROS] // 1_000_000,
        )
        for row in load_item_versions(paths).to_pylist()
    ]


def test_a_value_of_a_long_table_counts_from_its_own_date_on(paths: HomePaths) -> None:
    found = imported(paths, MAPPING)
    assert found == [
        ("oil", KNOWN, "oil", None, None),  # known by its id alone until the files tell of it
        ("oil", "2026-02-01 00:00", "Oil", None, None),
        ("salt", KNOWN, "Salt", None, None),  # without a date it was always so
        ("tea", "2025-12-01 00:00", "Tea", "Leaf", None),
        ("tea", "2026-01-15 00:00", "Green tea", "Leaf", None),  # the brand told again changes nothing
    ]
    assert load_items(paths)[columns.TITLE].to_pylist() == ["Oil", "Salt", "Green tea"]
    assert imported(paths, MAPPING) == found  # the same files again give the same home


def test_a_later_import_adds_versions_by_their_own_dates(paths: HomePaths) -> None:
    before = imported(paths, MAPPING)
    found = imported(paths, MAPPING, properties=PROPERTIES + "tea,title,Black tea,2026-02-20\n")
    assert found == [*before, ("tea", "2026-02-20 00:00", "Black tea", "Leaf", None)]


def test_prices_from_events_are_versions_of_what_the_files_say(paths: HomePaths) -> None:
    found = imported(paths, PRICED)
    assert [version for version in found if version[0] == "tea"] == [
        ("tea", "2025-12-01 00:00", "Tea", "Leaf", None),
        ("tea", "2026-01-02 00:00", "Tea", "Leaf", 4),
        ("tea", "2026-01-15 00:00", "Green tea", "Leaf", 4),
        ("tea", "2026-02-11 00:00", "Green tea", "Leaf", 6),  # the lower median moves at the log's end
    ]
    assert load_items(paths)[columns.PRICE_MICROS].to_pylist() == [3_000_000, None, 6_000_000]
    assert imported(paths, PRICED) == found


def test_more_events_change_no_price_of_before(paths: HomePaths) -> None:
    def of_january(versions: list[Version]) -> list[Version]:
        return [version for version in versions if version[1] < "2026-02-01"]

    before = of_january(imported(paths, PRICED))
    more = EVENTS + "bob,tea,2026-02-25,9\nann,tea,2026-02-25,9\n"
    assert of_january(imported(paths, PRICED, events=more)) == before
