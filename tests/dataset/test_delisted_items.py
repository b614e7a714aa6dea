"""An item that leaves the catalog keeps what is known of it and is not for sale, though events name it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from recsys.catalog import Item
from recsys.dataset.catalog_rows import items_of, items_table
from recsys.dataset.delisted_items import with_delisted_items

THEN, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
TEA = Item("tea", "Tea", "Tea", price_micros=2_000_000, at=THEN)
CUP = Item("cup", "Cup", "Cup", price_micros=5_000_000, at=THEN, vectors={"image": (1.0, 0.5)})
BARE = Item("cup", "cup", "", at=NOW)  # what events say of it


def test_it_keeps_its_content_and_cannot_be_bought() -> None:
    found, delisted = with_delisted_items(
        items_table([BARE, TEA]), {"cup"}, items_table([CUP, TEA]), priced_by_events=False
    )
    gone = replace(CUP, available=False, at=NOW)
    assert (items_of(found), delisted) == ([gone, TEA], 1)


def test_the_next_import_says_nothing_new_of_it() -> None:
    gone = replace(CUP, available=False)
    found, delisted = with_delisted_items(items_table([BARE]), {"cup"}, items_table([gone]), False)
    assert (items_of(found), delisted) == ([replace(gone, at=NOW)], 0)


def test_it_is_back_when_the_catalog_has_it() -> None:
    back = replace(CUP, at=NOW)
    gone = replace(CUP, available=False)
    found, delisted = with_delisted_items(items_table([back]), set(), items_table([gone]), False)
    assert (items_of(found), delisted) == ([back], 0)


@pytest.mark.parametrize("price", [None, 7_000_000])
def test_an_item_that_no_catalog_had_stays_for_sale(price: int | None) -> None:
    known, now = replace(BARE, at=THEN, price_micros=6_000_000), replace(BARE, price_micros=price)
    found, delisted = with_delisted_items(items_table([now]), {"cup"}, items_table([known]), True)
    assert (items_of(found), delisted) == ([now], 0)


def test_a_price_tells_an_item_of_the_catalog_where_events_tell_none() -> None:
    known = replace(BARE, at=THEN, price_micros=6_000_000)
    found, delisted = with_delisted_items(items_table([BARE]), {"cup"}, items_table([known]), False)
    assert (items_of(found), delisted) == ([replace(known, available=False, at=NOW)], 1)
