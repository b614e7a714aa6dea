"""Windows cut from stored actions against the rows of user_history and against the plain reference."""

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from recsys import columns
from recsys.features.event_log import read_log
from recsys.features.history_windows import HistoryWindows
from recsys.features.user_actions import (
    KIND_CODE,
    UNDONE_AT,
    USER_ACTIONS_SCHEMA,
    UserInstants,
    user_actions,
    windows_until,
)
from recsys.features.user_history import user_history
from recsys.instants import NEVER, to_micros
from tests.features.reference import user_history_as_of
from tests.features.worlds import EVENTS, FAR, event, known, numbered, table

HISTORY = (columns.HISTORY_ITEMS, columns.HISTORY_KINDS, columns.HISTORY_AT)


def opened(block: pa.Table) -> tuple[list[str], UserInstants]:
    users = block[columns.USER_ID].to_pylist()
    names = list(dict.fromkeys(users))
    first = np.array([*(users.index(name) for name in names), len(users)])
    return names, UserInstants(first, block[columns.EVENT_TIMESTAMP].cast(pa.int64()).to_numpy())


def cut(block: pa.Table, ends: np.ndarray) -> list[dict[str, list[int]]]:
    """The features of the rows of user_history that end before `ends`."""
    _, rows = opened(block)
    undone = block[UNDONE_AT].cast(pa.int64()).fill_null(NEVER).to_numpy()
    kinds = block[KIND_CODE].to_numpy().astype(np.int64)
    windows = windows_until(rows, block[columns.ITEM_KEY].to_numpy(), kinds, undone, ends)
    return [features_of(windows, number) for number in range(len(windows))]


def features_of(windows: HistoryWindows, number: int) -> dict[str, list[int]]:
    place = windows.place[windows.offsets[number] : windows.offsets[number + 1]]
    values = (windows.item_keys, windows.kinds, windows.at_seconds)
    return {name: each[place].tolist() for name, each in zip(HISTORY, values, strict=True)}


@pytest.mark.parametrize("length", [2, 50])
@settings(deadline=None)
@given(rows=EVENTS)
def test_all_rows_of_user_history_can_be_cut_from_its_actions(
    length: int, rows: list[dict[str, Any]]
) -> None:
    log = read_log(table(numbered(rows)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "HISTORY_LENGTH", length)
        patch.setattr("recsys.features.user_actions.BLOCK_ROWS", 3)
        got = []
        for block in user_actions(log, created_at=7):
            names, stored = opened(block)
            ends = stored.ends_of_instants()
            got += [
                {
                    columns.USER_ID: names[stored.user[end - 1]],
                    columns.EVENT_TIMESTAMP: int(stored.at[end - 1]),
                }
                | features
                for end, features in zip(ends, cut(block, ends), strict=True)
            ]
        expected = [
            {name: row[name] for name in (columns.USER_ID, *HISTORY)}
            | {columns.EVENT_TIMESTAMP: to_micros(row[columns.EVENT_TIMESTAMP])}
            for row in user_history(log, created_at=7).to_pylist()
        ]
    expected.sort(key=lambda row: (row[columns.USER_ID], row[columns.EVENT_TIMESTAMP]))
    assert got == expected


@settings(deadline=None)
@given(rows=EVENTS, at=FAR)
def test_a_window_as_of_an_instant_is_what_the_definition_says(
    rows: list[dict[str, Any]], at: datetime
) -> None:
    rows = numbered(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "HISTORY_LENGTH", 3)
        blocks = list(user_actions(read_log(table(rows)), created_at=0))
        for user in ("u1", "u2"):
            found = None
            for block in blocks:
                names, stored = opened(block)
                if user in names:
                    place = np.array([names.index(user)])
                    ends = stored.ends_as_of(place, np.array([to_micros(at)]))
                    found = cut(block, ends)[0] if ends[0] > stored.first[place[0]] else None
            reference = user_history_as_of(rows, user, at)
            assert known(found, reference) == reference


@settings(deadline=None)
@given(rows=EVENTS)
def test_no_user_is_in_two_blocks_and_blocks_are_sorted(rows: list[dict[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recsys.features.user_actions.BLOCK_ROWS", 1)
        blocks = list(user_actions(read_log(table(numbered(rows))), created_at=0))
    keys = [(row[columns.USER_ID], row[columns.EVENT_TIMESTAMP]) for b in blocks for row in b.to_pylist()]
    assert keys == sorted(keys)
    assert all(len(set(block[columns.USER_ID].to_pylist())) == 1 for block in blocks)
    assert all(block.schema == USER_ACTIONS_SCHEMA for block in blocks)


def test_an_action_is_one_row_however_long_the_history(start: datetime) -> None:
    rows = numbered([event(columns.VIEW, start) for _ in range(500)])
    (block,) = user_actions(read_log(table(rows)), created_at=0)
    assert len(block) == 500


def test_no_events_give_no_block() -> None:
    assert list(user_actions(read_log(table([])), created_at=0)) == []


def test_the_last_row_within_bounds_counts_both_ends() -> None:
    rows = UserInstants(np.array([0, 3, 5]), np.array([10, 20, 20, 5, 30]))
    assert rows.ends_within(20, 29).tolist() == [3]
    assert rows.ends_within(5, 30).tolist() == [3, 5]
    assert rows.ends_within(11, 19).tolist() == []
    assert rows.ends_of_instants().tolist() == [1, 3, 4, 5]
