"""Rows of an import are dated by the import before: only what changed is newer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from recsys import columns
from recsys.catalog import Item, User
from recsys.dataset.catalog_rows import items_of, items_table, users_table
from recsys.dataset.row_versions import dated_versions

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
TEA = Item("tea", "Tea", "Tea", price_micros=2_000_000, at=FIRST)
CUP = Item("cup", "Cup", "Cup", price_micros=5_000_000, at=FIRST, vectors={"image": (1.0, 0.5)})
NONE = items_table([])


def table(*items: Item) -> pa.Table:
    return items_table(sorted(items, key=lambda item: item.item_id))


def test_only_what_changed_is_dated_at_the_import() -> None:
    dearer = replace(TEA, price_micros=3_000_000)
    found = dated_versions(table(dearer, CUP), table(TEA, CUP), NONE, NOW)
    assert items_of(found.newest) == [CUP, replace(dearer, at=NOW)]
    assert items_of(found.earlier) == [TEA]
    assert (found.changed, found.new, found.gone) == (1, 0, 0)


def test_the_same_rows_again_change_nothing() -> None:
    found = dated_versions(table(TEA, CUP), table(TEA, CUP), NONE, NOW)
    assert items_of(found.newest) == [CUP, TEA]
    assert len(found.earlier) == 0


def test_attributes_that_are_only_written_in_another_way_are_no_change() -> None:
    green = table(replace(TEA, attributes={"tags": ("green", "loose"), "grams": 100.0}))
    place = green.column_names.index(columns.ATTRIBUTES)
    blanks = pa.array(['{"tags":["green", "loose"],"grams": 100}'])
    before = green.set_column(place, green.schema.field(place), blanks)
    assert dated_versions(green, before, NONE, NOW).changed == 0


def test_a_changed_vector_and_a_lost_value_are_changes() -> None:
    turned = replace(CUP, vectors={"image": (1.0, 0.25)})
    unpriced = replace(TEA, price_micros=None)
    found = dated_versions(table(turned, unpriced), table(TEA, CUP), NONE, NOW)
    assert found.newest[columns.AT].to_pylist() == [NOW, NOW]


def test_a_new_item_keeps_the_date_that_it_came_with() -> None:
    assert items_of(dated_versions(table(TEA, CUP), table(TEA), NONE, NOW).newest) == [CUP, TEA]


def test_a_first_version_begins_with_the_earliest_events() -> None:
    longer = replace(TEA, at=FIRST - timedelta(days=30))
    assert items_of(dated_versions(table(longer), table(TEA), NONE, NOW).newest) == [longer]
    shorter = replace(TEA, at=FIRST + timedelta(days=30))
    assert items_of(dated_versions(table(shorter), table(TEA), NONE, NOW).newest) == [TEA]


def test_an_item_that_is_gone_is_unavailable_from_then_on_and_back_when_it_comes_again() -> None:
    gone = dated_versions(table(CUP), table(TEA, CUP), NONE, NOW)
    assert items_of(gone.earlier) == [TEA, replace(TEA, available=False, at=NOW)]
    still = dated_versions(table(CUP), gone.newest, gone.earlier, LATER)
    assert items_of(still.earlier) == items_of(gone.earlier)
    back = dated_versions(table(TEA, CUP), still.newest, still.earlier, LATER)
    assert items_of(back.newest) == [CUP, replace(TEA, at=LATER)]
    assert items_of(back.earlier) == items_of(gone.earlier)


def test_a_version_is_never_older_than_the_one_it_replaces() -> None:
    changed = dated_versions(table(replace(TEA, title="Teas")), table(TEA), NONE, NOW)
    again = dated_versions(table(TEA), changed.newest, changed.earlier, NOW - timedelta(days=9))
    assert again.newest[columns.AT].to_pylist() == [NOW + timedelta(microseconds=1)]


def test_users_have_versions_too() -> None:
    ann, bob = User("ann", {"town": "Ulm"}, FIRST), User("bob", {}, FIRST)
    moved = replace(ann, attributes={"town": "Rom"})
    found = dated_versions(users_table([moved]), users_table([ann, bob]), users_table([]), NOW)
    assert found.newest[columns.AT].to_pylist() == [NOW]
    assert found.earlier[columns.USER_ID].to_pylist() == ["ann", "bob"]
