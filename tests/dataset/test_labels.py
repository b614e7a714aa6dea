"""Which events become labelled actions, and in which order."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from recsys import columns
from recsys.dataset.labels import build_interactions
from recsys.errors import DataError, SchemaMismatchError
from recsys.instants import NEVER


def events(*rows: tuple[str | None, str | None, str, int, int, float | None]) -> pa.Table:
    """user, item, kind, second, sequence, weight."""
    user, item, kind, second, sequence, weight = zip(*rows, strict=True)
    return pa.table(
        {
            columns.USER_ID: pa.array(user, pa.string()),
            columns.ITEM_ID: pa.array(item, pa.string()),
            columns.KIND: pa.array(kind, pa.string()),
            columns.AT: pa.array(
                [datetime.fromtimestamp(s, UTC) for s in second], pa.timestamp("us", tz="UTC")
            ),
            columns.SEQUENCE: pa.array(sequence, pa.int64()),
            columns.WEIGHT: pa.array(weight, pa.float32()),
        }
    )


ITEMS = pa.table({columns.ITEM_ID: ["c", "a", "b"]})


def test_actions_come_by_user_then_instant_then_arrival() -> None:
    found = build_interactions(
        events(
            ("v", "a", "view", 5, 4, 1.0),
            ("u", "b", "view", 9, 3, 1.0),
            ("u", "c", "view", 7, 2, 2.5),
            ("u", "a", "view", 7, 1, 1.0),
        ),
        ITEMS,
        ["view"],
    )
    assert found.users.ids == ("", "u", "v")
    assert found.items.ids == ("", "a", "b", "c")
    assert found.user_index.tolist() == [1, 1, 1, 2]
    assert found.item_index.tolist() == [1, 3, 2, 1]
    assert found.at.tolist() == [7_000_000, 7_000_000, 9_000_000, 5_000_000]
    assert found.weight.tolist() == [1.0, 2.5, 1.0, 1.0]
    assert set(found.kind.tolist()) == {columns.KIND_CODES["view"]}


def test_other_kinds_worthless_unknown_and_itemless_events_are_left_out() -> None:
    found = build_interactions(
        events(
            ("u", "a", "view", 1, 1, 1.0),
            ("u", "a", "click", 2, 2, 1.0),
            ("u", "a", "view", 3, 3, 0.0),
            ("u", "a", "view", 4, 4, None),
            ("u", "gone", "view", 5, 5, 1.0),
            ("u", None, "view", 6, 6, 1.0),
            (None, "a", "view", 7, 7, 1.0),
        ),
        ITEMS,
        ["view"],
    )
    assert found.at.tolist() == [1_000_000]


def test_the_whole_catalog_has_indexes_whether_it_was_acted_on_or_not() -> None:
    found = build_interactions(events(("u", "b", "view", 1, 1, 1.0)), ITEMS, ["view"])
    assert len(found.items) == 4
    assert found.item_index.tolist() == [found.items.index("b")]


def test_nothing_left_is_rejected_with_the_kinds_that_were_given() -> None:
    with pytest.raises(DataError, match="none of 1 events is a purchase"):
        build_interactions(events(("u", "a", "view", 1, 1, 1.0)), ITEMS, ["purchase"])


@pytest.mark.parametrize("kinds", [["viewed"], []])
def test_unknown_or_no_kinds_are_rejected_with_those_that_exist(kinds: list[str]) -> None:
    with pytest.raises(DataError, match="Use some of: search, impression"):
        build_interactions(events(("u", "a", "view", 1, 1, 1.0)), ITEMS, kinds)


def test_a_missing_column_is_named() -> None:
    table = events(("u", "a", "view", 1, 1, 1.0)).drop_columns([columns.WEIGHT])
    with pytest.raises(SchemaMismatchError, match="'weight'"):
        build_interactions(table, ITEMS, ["view"])


def test_a_purchase_that_was_taken_back_says_when_and_one_of_which_a_part_was_stands() -> None:
    table = events(
        ("u", "a", "purchase", 1, 1, 1.0),
        ("u", "b", "purchase", 2, 2, 1.0),
        ("v", "a", "purchase", 3, 3, 1.0),
        ("u", "a", "cancel", 4, 4, 0.0),
        ("u", "b", "cancel", 5, 5, 0.0),
        ("v", "b", "purchase", 6, 6, 1.0),
        ("v", "b", "cancel", 6, 7, 0.0),
    )
    quantity = pa.array([2000, 2000, None, None, 500, None, None], pa.int64())
    table = table.append_column(columns.QUANTITY, quantity)
    table = table.append_column(columns.VALUE_MICROS, pa.nulls(7, pa.int64()))
    found = build_interactions(table, ITEMS, ["purchase"])
    # The last one was undone at its own instant: it never stood.
    assert found.at.tolist() == [1_000_000, 2_000_000, 3_000_000]
    assert found.undone_at.tolist() == [4_000_000, NEVER, NEVER]
    assert found.known_at(4_000_000).at.tolist() == [1_000_000, 2_000_000, 3_000_000]
    assert found.known_at(4_000_001).at.tolist() == [2_000_000, 3_000_000]
