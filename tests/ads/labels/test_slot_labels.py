"""Labels of served ads: windows, the denominator, and a name for each event that makes no label."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys import columns
from recsys.ads.delivery.served_slot import ServedSlot
from recsys.ads.labels.fates import EventFate
from recsys.ads.labels.slot_labels import SlotLabels, label_slots
from recsys.ads.labels.token_events import LABEL_COLUMNS, LabelWindows, event_window
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.errors import DataError
from recsys.instants import NEVER, SECOND, from_micros, to_micros
from tests.ads.delivery.served_slots import NOW, served_slot
from tests.ads.labels.reference import reference_labels

MINUTE = 60.0
DAY = 86_400.0
SCHEMA = pa.schema([EVENT_SCHEMA.field(name).with_nullable(True) for name in LABEL_COLUMNS])
LATER = NOW + timedelta(days=30)
_numbers = count()


def event(
    kind: str, seconds: float, slot: str | None = "s1", item: str = "tea", **more: Any
) -> dict[str, Any]:
    """An event `seconds` after NOW with the token of a slot; None = organic."""
    return {
        columns.EVENT_ID: f"e{next(_numbers)}",
        columns.KIND: kind,
        columns.USER_ID: "ann",
        columns.ITEM_ID: item,
        columns.AT: NOW + timedelta(seconds=seconds),
        columns.TOKEN: None if slot is None else f"token-of-{slot}",
        **more,
    }


def seen(slot: str = "s1", seconds: float = 1.0, viewable: bool | None = True) -> dict[str, Any]:
    return event("impression", seconds, slot, viewable=viewable)


def decode(token: str) -> str | None:
    return token.removeprefix("token-of-") if token.startswith("token-of-") else None


def labels(
    events: Sequence[dict[str, Any]],
    slots: Sequence[ServedSlot] = (served_slot("s1"),),
    now: datetime = LATER,
    invalid: Collection[str] = (),
    windows: LabelWindows | None = None,
) -> SlotLabels:
    table = pa.Table.from_pylist(list(events), schema=SCHEMA)
    return label_slots(slots, table, decode, now, windows, invalid)


def fates(found: SlotLabels, kind: str) -> dict[EventFate, int]:
    return dict(found.fates.get(kind, {}))


def test_a_click_with_the_token_of_a_viewable_slot_is_a_label() -> None:
    found = labels([seen(), event("click", 5)])
    assert found.clicked.tolist() == [True]
    assert found.in_clicks.tolist() == [True]
    assert found.clicked_at.tolist() == [to_micros(NOW) + 5 * SECOND]
    assert found.served_at.tolist() == [to_micros(NOW)]  # features are joined at the answer


def test_views_carts_likes_and_clicks_without_a_token_are_no_labels() -> None:
    found = labels([seen(), *(event(kind, 5) for kind in ("view", "cart", "like")), event("click", 5, None)])
    assert found.clicked.tolist() == [False]
    assert found.in_clicks.tolist() == [True]
    assert set(found.fates) == {"impression"}


@pytest.mark.parametrize(
    ("seconds", "fate"),
    [
        (-601, EventFate.EARLY),
        (-600, EventFate.COUNTED),  # clocks may differ by ten minutes
        (30 * MINUTE, EventFate.COUNTED),
        (30 * MINUTE + 1e-6, EventFate.LATE),
    ],
)
def test_a_click_counts_for_thirty_minutes(seconds: float, fate: EventFate) -> None:
    found = labels([seen(), event("click", seconds)])
    assert fates(found, "click") == {fate: 1}
    assert found.clicked.tolist() == [fate is EventFate.COUNTED]


@pytest.mark.parametrize(
    ("impressions", "viewable", "denominator"),
    [
        ([], -1, False),
        ([None], -1, False),
        ([False], 0, False),
        ([True], 1, True),
        ([False, True, None], 1, True),
        ([None, False], 0, False),
    ],
)
def test_the_denominator_is_what_an_impression_says_was_viewable(
    impressions: list[bool | None], viewable: int, denominator: bool
) -> None:
    found = labels([seen(viewable=said) for said in impressions])
    assert found.viewable.tolist() == [viewable]
    assert found.reported.tolist() == [bool(impressions)]
    assert found.in_clicks.tolist() == [denominator]
    assert sum(fates(found, "impression").values()) == len(impressions)


@pytest.mark.parametrize(
    ("impressions", "fate"),
    [([], EventFate.NO_IMPRESSION), ([None], EventFate.UNMEASURED), ([False], EventFate.UNSEEN)],
)
def test_a_click_on_what_is_not_in_the_denominator_is_named(
    impressions: list[bool | None], fate: EventFate
) -> None:
    found = labels([*(seen(viewable=said) for said in impressions), event("click", 5)])
    assert fates(found, "click") == {fate: 1}
    assert not found.clicked.any()


def test_the_first_click_counts_and_the_others_are_duplicates() -> None:
    twice = event("click", 9)
    found = labels([event("click", 7), seen(), event("click", 5), twice, twice])
    assert fates(found, "click") == {EventFate.COUNTED: 1, EventFate.DUPLICATE: 3}
    assert found.clicked_at.tolist() == [to_micros(NOW) + 5 * SECOND]


def test_ghosts_are_apart() -> None:
    ghost = served_slot("ghost", arm="holdout")
    found = labels([seen("ghost"), event("click", 5, "ghost")], [served_slot("s1"), ghost])
    assert [slot.slot_id for slot in found.slots] == ["s1"]
    assert found.ghosts == 1
    assert fates(found, "click") == {EventFate.GHOST: 1}


def test_what_is_not_about_a_slot_of_ours_is_named() -> None:
    forged = event("click", 5, **{columns.TOKEN: "made up"})
    found = labels([seen(), forged, event("click", 5, "elsewhere"), event("click", 5, item="mug")])
    assert fates(found, "click") == {
        EventFate.FOREIGN: 1,
        EventFate.OTHER_SLOT: 1,
        EventFate.OTHER_ITEM: 1,
    }
    assert not found.clicked.any()


def test_each_distinct_token_is_decoded_once() -> None:
    asked: list[str] = []
    table = pa.Table.from_pylist([seen(), event("click", 5), event("click", 6)], schema=SCHEMA)
    label_slots([served_slot("s1")], table, lambda token: asked.append(token), NOW)
    assert asked == ["token-of-s1"]


def test_invalid_traffic_teaches_nothing_whether_its_slot_or_an_event_is_named() -> None:
    slots = [served_slot(name) for name in ("s1", "s2", "s3")]
    late_bot = event("click", DAY, "s2")
    events = [seen("s1"), event("click", 5, "s1"), seen("s2"), event("click", 5, "s2"), late_bot, seen("s3")]
    found = labels(events, slots, invalid={"s1", late_bot[columns.EVENT_ID]})
    assert found.invalid.tolist() == [True, True, False]
    assert found.in_clicks.tolist() == [False, False, True]
    assert not found.clicked.any()
    assert fates(found, "click") == {EventFate.INVALID: 3}


def test_a_slot_whose_clicks_may_still_come_is_not_settled() -> None:
    young = served_slot("s2", served_at=NOW + timedelta(seconds=1))
    found = labels(
        [seen("s1"), seen("s2", 2)], [served_slot("s1"), young], NOW + timedelta(minutes=30, seconds=1)
    )
    assert found.settled.tolist() == [True, False]
    assert found.in_clicks.tolist() == [True, False]


def test_purchases_after_the_click_count_and_add_up() -> None:
    bought = {columns.VALUE_MICROS: 3_000_000}
    events = [
        seen(),
        event("purchase", 4, **bought),  # before the click
        event("click", 5),
        event("purchase", 5, **bought),
        event("purchase", 7 * DAY, **bought),
        event("purchase", 7 * DAY + 1, **bought),
        event("purchase", 9),  # nobody said for how much
    ]
    found = labels(events)
    assert found.purchased.tolist() == [True]
    assert found.value_micros.tolist() == [6_000_000]
    assert fates(found, "purchase") == {
        EventFate.COUNTED: 3,
        EventFate.LATE: 1,
        EventFate.NO_CLICK: 1,
    }


def test_a_purchase_that_was_returned_is_no_conversion_and_a_part_of_it_is_worth_less() -> None:
    slots = [served_slot("s1"), served_slot("s2", item_id="mug")]
    two = {columns.QUANTITY: 2000, columns.VALUE_MICROS: 8_000_000}
    events = [
        seen("s1"),
        event("click", 5, "s1"),
        event("purchase", 6, "s1", **two),
        event("impression", 1, "s2", "mug", viewable=True),
        event("click", 5, "s2", "mug"),
        event("purchase", 6, "s2", "mug", **two),
        event("cancel", 60, None, "tea"),  # organic: it says no more than user and item
        event("cancel", 60, "s2", "mug", **{columns.QUANTITY: 1000}),
    ]
    found = labels(events, slots)
    assert found.purchased.tolist() == [False, True]
    assert found.value_micros.tolist() == [0, 4_000_000]
    assert fates(found, "purchase") == {EventFate.RETURNED: 1, EventFate.COUNTED: 1}


def test_a_row_is_mature_once_no_purchase_can_count() -> None:
    old = served_slot("s2", served_at=NOW - timedelta(seconds=1))
    found = labels([seen("s1"), seen("s2")], [served_slot("s1"), old], NOW + timedelta(days=7))
    assert found.mature.tolist() == [False, True]
    assert found.in_purchases.tolist() == [False, True]


def test_the_age_of_a_click_says_how_much_may_still_come_of_it() -> None:
    found = labels([seen("s1"), event("click", 5), seen("s2")], [served_slot("s1"), served_slot("s2")])
    assert found.click_age.tolist() == [30 * 86_400 * SECOND - 5 * SECOND, -1]


def test_a_slot_that_was_read_twice_is_refused() -> None:
    with pytest.raises(DataError, match="slot_id 's1' was served twice"):
        labels([], [served_slot("s1"), served_slot("s1")])


@pytest.mark.parametrize(("seconds", "days"), [(0, 7), (1800, 0)])
def test_windows_that_cannot_be_are_refused(seconds: int, days: int) -> None:
    with pytest.raises(DataError, match="cannot count"):
        LabelWindows(seconds, days)


def test_the_events_of_a_time_are_those_from_ten_minutes_before_it_to_the_last_purchase() -> None:
    assert event_window(NOW, LATER, LabelWindows()) == (
        NOW - timedelta(minutes=10),
        LATER + timedelta(days=7),
    )


def test_no_slots_and_no_events_are_no_labels() -> None:
    assert len(labels([], [])) == 0
    assert fates(labels([event("click", 1)], []), "click") == {EventFate.OTHER_SLOT: 1}


names = st.sampled_from(["s1", "s2", "s3", "s4"])
served = st.builds(
    lambda name, minutes, item, arm: served_slot(
        name, served_at=NOW + timedelta(minutes=minutes), item_id=item, arm=arm
    ),
    names,
    st.integers(-40, 40),
    st.sampled_from(["tea", "mug"]),
    st.sampled_from([None, "treatment", "holdout"]),
)
happened = st.builds(
    lambda kind, minutes, slot, item, viewable: event(kind, minutes * MINUTE, slot, item, viewable=viewable),
    st.sampled_from(["impression", "impression", "click", "click", "purchase", "view"]),
    st.integers(-60, 120) | st.integers(0, 4000),
    st.none() | names,
    st.sampled_from(["tea", "mug"]),
    st.none() | st.booleans(),
)


@given(
    slots=st.lists(served, unique_by=lambda slot: slot.slot_id),
    events=st.lists(happened, max_size=25),
    hours=st.integers(0, 200),
    bad=st.sets(st.integers(0, 24) | names, max_size=2),
)
def test_labels_are_those_of_a_plain_join(
    slots: list[ServedSlot], events: list[dict[str, Any]], hours: int, bad: set[int | str]
) -> None:
    for row in events:
        if row[columns.KIND] != "impression":
            row[columns.VIEWABLE] = None
    invalid = {
        each if isinstance(each, str) else events[each][columns.EVENT_ID]
        for each in bad
        if isinstance(each, str) or each < len(events)
    }
    now, windows = NOW + timedelta(hours=hours), LabelWindows(1800, 2)
    found = labels(events, slots, now, invalid, windows)
    plain = [{**row, columns.AT: to_micros(row[columns.AT])} for row in events]
    ids = {f"token-of-{slot.slot_id}": slot.slot_id for slot in slots}
    wanted = reference_labels(slots, plain, ids, to_micros(now), 1800, 2, invalid)
    assert [slot.slot_id for slot in found.slots] == [row["slot_id"] for row in wanted]
    for place, row in enumerate(wanted):
        assert {1: True, 0: False, -1: None}[int(found.viewable[place])] is row["viewable"]
        assert found.clicked_at[place] == (NEVER if row["clicked_at"] is None else row["clicked_at"])
        for name in ("purchased", "settled", "mature", "invalid"):
            assert getattr(found, name)[place] == row[name], name
    with_token = [row for row in events if row[columns.TOKEN] and row[columns.KIND] != "view"]
    assert sum(number for by in found.fates.values() for number in by.values()) == len(with_token)
    assert from_micros(found.now) == now
