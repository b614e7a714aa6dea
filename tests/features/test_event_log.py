"""Which events features count, in which order, and which purchases are undone."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from recsys import columns
from recsys.errors import SchemaMismatchError
from recsys.features.event_log import read_log
from recsys.instants import NEVER
from tests.features.worlds import event, numbered, table

SECOND = timedelta(seconds=1)


def test_weightless_actions_searches_and_events_without_an_item_are_left_out(start: datetime) -> None:
    rows = numbered(
        [
            event(columns.VIEW, start),
            event(columns.VIEW, start, weight=0.0),
            event(columns.SEARCH, start),
            event(columns.IMPRESSION, start, weight=0.0),
            event(columns.LIKE, start, item=None),
        ]
    )
    kinds = [columns.KINDS[code - 1] for code in read_log(table(rows)).kind]
    assert kinds == [columns.VIEW, columns.IMPRESSION]


def test_events_are_sorted_by_instant_and_then_by_arrival(start: datetime) -> None:
    rows = numbered([event(columns.VIEW, start, item="i1"), event(columns.VIEW, start, item="i2")])
    late = event(columns.VIEW, start - SECOND, item="i3", sequence=99)
    log = read_log(table([rows[1], rows[0], late]))
    assert [log.items[index] for index in log.item] == ["i3", "i1", "i2"]


def test_a_cancel_undoes_the_latest_purchase_of_its_user_and_item_that_stands(start: datetime) -> None:
    rows = numbered(
        [
            event(columns.PURCHASE, start),
            event(columns.PURCHASE, start + SECOND),
            event(columns.PURCHASE, start + SECOND, user="u2"),
            event(columns.PURCHASE, start + SECOND, item="i2"),
            event(columns.CANCEL, start + 2 * SECOND),
            event(columns.CANCEL, start + 3 * SECOND),
            event(columns.CANCEL, start + 4 * SECOND),
        ]
    )
    log = read_log(table(rows))
    at = log.at
    assert log.undone_at.tolist() == [at[5], at[4], NEVER, NEVER, NEVER, NEVER, NEVER]


def test_an_unknown_quantity_is_one_and_an_unknown_value_is_marked(start: datetime) -> None:
    log = read_log(table(numbered([event(columns.PURCHASE, start, quantity_thousandths=None)])))
    assert (log.quantity.tolist(), log.value.tolist()) == ([1000], [-1])


def test_a_missing_column_is_named() -> None:
    with pytest.raises(SchemaMismatchError, match="'weight'"):
        read_log(table([]).drop_columns([columns.WEIGHT]))


def test_keys_of_items_are_those_of_the_catalog(start: datetime) -> None:
    from recsys.catalog import stable_key

    log = read_log(table(numbered([event(columns.VIEW, start, item="tea")])))
    np.testing.assert_array_equal(log.item_keys, [stable_key("tea")])
