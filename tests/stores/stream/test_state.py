"""The workers' state: one step counts once, whoever is killed and whatever is delivered again."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recsys import columns
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.errors import StoreUnavailableError
from recsys.instants import CLOCK_TOLERANCE, DAY, NEVER
from recsys.stores.stream.state import STATE_FILE, SqliteStreamState
from recsys.streaming.state import DUE, InitialState, ItemState, Step, UserState

NOW = 1_700_000_000_000_000
TODAY = NOW // DAY


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteStreamState]:
    state = SqliteStreamState(tmp_path)
    state.begin(InitialState("epoch", 1, {}, (), (), np.zeros(0, np.int64)))
    yield state
    state.close()


def step(before: int, after: int, **more: object) -> Step:
    return Step("epoch", {0: before}, {0: after}, **more)  # type: ignore[arg-type]


def events(*ids: str) -> pa.Table:
    rows = [
        {
            columns.EVENT_ID: each,
            columns.KIND: "view",
            columns.USER_ID: "u",
            columns.AT: NOW,
            columns.SEQUENCE: place,
            columns.WEIGHT: 1.0,
        }
        for place, each in enumerate(ids)
    ]
    return pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)


def hashes(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_a_step_that_began_from_other_offsets_changes_nothing(state: SqliteStreamState) -> None:
    assert state.commit(step(0, 5, users={"u": UserState(0, b"first")}), NOW) is not None
    assert state.commit(step(0, 5, users={"u": UserState(0, b"again")}, counts={"kept": 1}), NOW) is None
    assert state.users(["u"])["u"].log == b"first"
    assert state.offsets([0, 1]) == {0: 5, 1: 0}
    assert state.counters() == {}


def test_a_step_from_before_a_new_import_changes_nothing(state: SqliteStreamState) -> None:
    state.pause()
    assert state.commit(step(0, 1), NOW) is None
    state.begin(InitialState("another", 1, {0: 7}, (), (), hashes()))
    assert state.commit(step(7, 8), NOW) is None
    assert state.offsets([0]) == {0: 7}


def test_what_two_steps_say_of_one_item_adds_up(state: SqliteStreamState) -> None:
    def plus(amount: int) -> object:
        def merge(stored: dict[str, ItemState], created: int) -> dict[str, ItemState]:
            before = int(stored["i"].counters or b"0") if "i" in stored else 0
            return {"i": ItemState(b"%d" % (before + amount))}

        return merge

    state.commit(Step("epoch", {0: 0}, {0: 1}, items=["i"], merge=plus(2)), NOW)  # type: ignore[arg-type]
    second = state.commit(Step("epoch", {1: 0}, {1: 1}, items=["i"], merge=plus(3)), NOW)  # type: ignore[arg-type]
    assert second is not None
    assert second.items["i"].counters == b"5"
    assert state.items(["i", "unknown"]) == {"i": ItemState(b"5", NEVER)}


def test_created_timestamps_grow_even_if_the_clock_goes_back(state: SqliteStreamState) -> None:
    first = state.commit(step(0, 1), NOW)
    second = state.commit(step(1, 2), NOW - 1_000_000)
    assert first is not None
    assert second is not None
    assert (first.created, second.created, state.stamp(NOW + 1 - CLOCK_TOLERANCE)) == (NOW, NOW + 1, NOW + 2)


def test_after_a_clock_that_ran_ahead_everything_is_due_again(
    state: SqliteStreamState,
) -> None:
    ahead = NOW + CLOCK_TOLERANCE + 1
    users = {"ann": UserState(0, b"log", NOW + 9 * DAY)}
    assert state.commit(step(0, 1, users=users), ahead) is not None
    assert state.due_users([0], NOW, 9) == {}
    assert state.stamp(NOW) == NOW
    assert list(state.due_users([0], NOW, 9)) == ["ann"]
    assert state.counters()["clock_ahead"] == 1


def test_an_event_id_that_another_worker_saw_meanwhile_stops_the_step(state: SqliteStreamState) -> None:
    assert state.commit(step(0, 1, seen=hashes(-5, 7)), NOW) is not None
    assert state.seen(hashes(7, 8, -5)).tolist() == [True, False, True]
    assert state.commit(step(1, 2, seen=hashes(7)), NOW) is None
    assert state.offsets([0]) == {0: 1}


def test_event_ids_are_forgotten_by_the_day_on_which_they_came(state: SqliteStreamState) -> None:
    state.commit(step(0, 1, seen=hashes(-(1 << 62), 3)), NOW)
    state.commit(step(1, 2, seen=hashes(9)), NOW + DAY)
    for _ in range(64):
        state.forget(TODAY + 1)
    assert state.seen(hashes(-(1 << 62), 3, 9)).tolist() == [False, False, True]


def test_events_keep_the_name_of_their_file_until_they_are_in_the_lake(state: SqliteStreamState) -> None:
    state.commit(step(0, 1, events=events("a")), NOW)
    state.commit(step(1, 2, events=events("b")), NOW)
    ((name, table),) = state.waiting()
    assert table[columns.EVENT_ID].to_pylist() == ["a", "b"]
    state.commit(step(2, 3, events=events("c")), NOW)
    again = state.waiting()  # as the next worker asks whose predecessor was killed while it wrote
    assert next((each, len(rows)) for each, rows in again) == (name, 2)
    state.flushed(name)
    ((other, rest),) = state.waiting()
    assert other != name
    assert rest[columns.EVENT_ID].to_pylist() == ["c"]


def test_one_worker_writes_to_the_lake_at_a_time(state: SqliteStreamState, tmp_path: Path) -> None:
    with state.flushing() as mine, SqliteStreamState(tmp_path).flushing() as others:
        assert (mine, others) == (True, False)


def test_a_step_is_pending_until_its_rows_are_online(state: SqliteStreamState, tmp_path: Path) -> None:
    first = state.commit(step(0, 1, users={"u": UserState(0, b"")}), NOW)
    assert first is not None
    (pending,) = SqliteStreamState(tmp_path).pending([0, 3])
    assert (pending.users, pending.items) == (("u",), ())
    assert state.pending([3]) == []
    state.written(first.batch)
    assert state.pending([0]) == []
    state.commit(step(1, 2), NOW)
    assert SqliteStreamState(tmp_path).pending([0]) == []


def test_due_users_are_those_of_own_partitions_whose_midnight_has_come(state: SqliteStreamState) -> None:
    users = {"a": UserState(0, b"a", 10), "b": UserState(1, b"b", 10), "c": UserState(0, b"c", 30)}
    state.commit(step(0, 1, users=users), NOW)
    assert state.due_users([0], 9, 5) == {}
    assert set(state.due_users([0], 30, 5)) == {"a", "c"}
    assert len(state.due_users([0, 1], 30, 2)) == 2
    state.commit(step(1, 1, expiries={"a": 50}), NOW)
    assert state.due_users([0], 20, 5) == {}
    assert state.users(["a"])["a"] == UserState(0, b"a", 50)


def test_numbers_are_reserved_once(state: SqliteStreamState, tmp_path: Path) -> None:
    assert (state.reserve(10), SqliteStreamState(tmp_path).reserve(10), state.reserve(1)) == (1, 11, 21)


def test_a_state_that_cannot_be_written_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreUnavailableError, match=r"state\.db .*not a database.*nothing is lost"):
        SqliteStreamState(tmp_path)


def test_a_full_disk_leaves_the_state_as_it_was(state: SqliteStreamState, tmp_path: Path) -> None:
    state.commit(step(0, 1, users={"u": UserState(0, b"before")}), NOW)
    pages = state._db.execute("PRAGMA page_count").fetchone()[0]
    state._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailableError, match="full"):
        state.commit(step(1, 2, users={"u": UserState(0, bytes(1 << 20))}), NOW)
    state._db.execute("PRAGMA max_page_count = 1000000")
    assert state.users(["u"])["u"].log == b"before"
    assert state.commit(step(1, 2, users={"u": UserState(0, b"after")}), NOW) is not None


def test_a_crash_between_two_statements_leaves_nothing_behind(
    state: SqliteStreamState, tmp_path: Path
) -> None:
    def dies(stored: object, created: int) -> dict[str, ItemState]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        state.commit(Step("epoch", {0: 0}, {0: 1}, items=["i"], merge=dies), NOW)  # type: ignore[arg-type]
    assert state.offsets([0]) == {0: 0}
    with sqlite3.connect(tmp_path / STATE_FILE) as other:
        assert other.execute("SELECT COUNT(*) FROM pending").fetchone() == (0,)


def test_a_state_of_an_earlier_version_is_opened_and_its_queries_are_filled_in_once(tmp_path: Path) -> None:
    state = SqliteStreamState(tmp_path)
    known = {"u": UserState(0, b"log", NOW)}
    state.begin(InitialState("epoch", 1, {}, known.items(), (), hashes()))
    state.close()
    with closing(sqlite3.connect(tmp_path / STATE_FILE)) as db:  # as that version left it
        db.execute("ALTER TABLE users DROP COLUMN searches")
        db.execute("DELETE FROM meta WHERE name = 'searches'")
        db.commit()
    state = SqliteStreamState(tmp_path)
    assert state.users(["u"]) == known
    assert state.lacks_searches()
    filled = {"u": UserState(0, b"none", DUE, b"tea"), "v": UserState(1, b"none", DUE, b"rye")}
    state.fill_searches(filled.items())
    assert not state.lacks_searches()
    assert state.users(["u", "v"]) == {"u": UserState(0, b"log", DUE, b"tea"), "v": filled["v"]}
    state.close()


def test_a_state_that_was_never_begun_lacks_nothing(tmp_path: Path) -> None:
    state = SqliteStreamState(tmp_path)
    assert not state.lacks_searches()
    state.close()
