"""Merging upserts: the last by its own instant counts, absent fields stay, a repetition says nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import Item, User
from recsys.errors import InvalidEventError
from recsys.events import ItemUpsert, UserUpsert
from recsys.streaming.upserts import merged_item, merged_user

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
TEA = Item("tea", "Tea", "Tea", "drinks", "leaf", 2_000_000, True, {"size": 500.0}, NOON)


def upsert(minutes: int = 1, item_id: str = "tea", **fields: Any) -> ItemUpsert:
    """An upsert of `tea`, so many minutes after noon."""
    return ItemUpsert(event_id="e", item_id=item_id, at=NOON + timedelta(minutes=minutes), **fields)


def test_absent_fields_stay() -> None:
    later = upsert(price_micros=3_000_000, available=False)
    assert merged_item(TEA, later) == replace(TEA, price_micros=3_000_000, available=False, at=later.at)


def test_attributes_are_one_field() -> None:
    assert merged_item(TEA, upsert(attributes={"colour": "green"})).attributes == {"colour": "green"}


def test_product_path_and_first_instant_are_fields_like_others() -> None:
    placed = merged_item(TEA, upsert(product_id="teas", category_path="Food/Tea", first_at=NOON))
    assert (placed.product_id, placed.category_path, placed.first_at) == ("teas", "Food/Tea", NOON)
    moved = merged_item(placed, upsert(minutes=2, category_path="Drinks"))
    assert (moved.product_id, moved.category_path, moved.first_at) == ("teas", "Drinks", NOON)


def test_an_older_upsert_changes_nothing() -> None:
    assert merged_item(TEA, upsert(minutes=-1, price_micros=1)) is TEA


def test_of_two_with_one_instant_the_one_that_came_later_counts() -> None:
    first = merged_item(TEA, upsert(price_micros=1_000_000))
    assert merged_item(first, upsert(price_micros=5_000_000)).price_micros == 5_000_000


def test_an_upsert_that_says_what_is_known_still_bars_older_ones() -> None:
    confirmed = merged_item(TEA, upsert(minutes=3, price_micros=2_000_000))
    assert merged_item(confirmed, upsert(minutes=2, price_micros=9_000_000)).price_micros == 2_000_000


def test_the_text_is_the_title_unless_one_is_given() -> None:
    new = merged_item(None, upsert(title="Green tea"))
    assert (new.title, new.text) == ("Green tea", "Green tea")
    renamed = merged_item(new, upsert(minutes=2, title="White tea"))
    assert (renamed.title, renamed.text) == ("White tea", "White tea")
    described = merged_item(renamed, upsert(minutes=3, text="White tea in a tin"))
    assert merged_item(described, upsert(minutes=4, title="Tea")).text == "White tea in a tin"


def test_a_title_for_an_item_that_had_none_becomes_its_text() -> None:
    nameless = Item("tea", "tea", None, at=NOON)
    assert merged_item(nameless, upsert(price_micros=1)).text is None
    named = merged_item(nameless, upsert(title="Green tea"))
    assert (named.title, named.text) == ("Green tea", "Green tea")


def test_a_new_item_without_a_title_is_refused_by_name() -> None:
    with pytest.raises(InvalidEventError, match=r"item 'tea' is new and needs a title"):
        merged_item(None, upsert(price_micros=1))


def test_a_new_item_has_what_it_was_given() -> None:
    new = merged_item(None, upsert(title="Tea", category="drinks", price_micros=7, attributes={"n": 2.0}))
    assert new == Item("tea", "Tea", "Tea", "drinks", None, 7, True, {"n": 2.0}, NOON + timedelta(minutes=1))


def test_users_are_merged_likewise() -> None:
    ann = UserUpsert(event_id="e", user_id="ann", at=NOON, attributes={"city": "Rome"})
    older = UserUpsert(event_id="f", user_id="ann", at=NOON - timedelta(days=1), attributes={"city": "Oslo"})
    known = merged_user(None, ann)
    assert known == User("ann", {"city": "Rome"}, NOON)
    assert merged_user(known, older) is known
    silent = UserUpsert(event_id="g", user_id="ann", at=NOON + timedelta(days=1))
    assert merged_user(known, silent) == User("ann", {"city": "Rome"}, NOON + timedelta(days=1))


upserts = st.lists(
    st.builds(
        upsert,
        minutes=st.integers(-2, 6),
        title=st.none() | st.sampled_from(["Tea", "Chai"]),
        text=st.none() | st.sampled_from(["hot", "cold"]),
        price_micros=st.none() | st.integers(0, 3),
        available=st.none() | st.booleans(),
        attributes=st.none() | st.just({"a": 1.0}) | st.just({}),
    ),
    max_size=8,
)


@given(upserts)
def test_it_ends_at_the_newest_instant_whatever_came_between(events: list[ItemUpsert]) -> None:
    item = TEA
    for event in events:
        item = merged_item(item, event)
    assert item.at == max([TEA.at, *(event.at for event in events)])


@given(upserts, st.data())
def test_a_redelivery_of_any_part_up_to_the_end_changes_nothing(
    events: list[ItemUpsert], data: st.DataObject
) -> None:
    item = TEA
    for event in events:
        item = merged_item(item, event)
    again = item
    for event in events[data.draw(st.integers(0, len(events))) :]:
        again = merged_item(again, event)
    assert again == item


@given(upserts, st.randoms())
def test_with_distinct_instants_only_late_ones_are_lost_by_their_order(
    events: list[ItemUpsert], rng: Any
) -> None:
    """In order of their instants all count; in any other, those that come after a newer one do not."""
    spread = [replace(event, at=NOON + timedelta(minutes=place + 1)) for place, event in enumerate(events)]
    shuffled = spread.copy()
    rng.shuffle(shuffled)
    in_time = [
        event
        for place, event in enumerate(shuffled)
        if all(event.at > early.at for early in shuffled[:place])
    ]
    item, expected = TEA, TEA
    for event in shuffled:
        item = merged_item(item, event)
    for event in in_time:
        expected = merged_item(expected, event)
    assert item == expected
