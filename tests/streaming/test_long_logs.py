"""Logs in parts: the rows online are those of the batch tables, whatever is in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from recsys import columns
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.instants import DAY, to_micros
from recsys.streaming.aggregate import Aggregated, aggregate, expire, user_rows
from recsys.streaming.item_counters import decode_counters
from recsys.streaming.state import LogParts, UserState
from recsys.streaming.user_logs import known_logs
from recsys.streaming.user_logs.known_logs import WorkerLogs
from recsys.streaming.user_logs.log import LOG_DTYPE, decode_logs
from tests.features.worlds import EVENTS, START, category_keys, event
from tests.streaming.replayed import EVERYTHING, Replayed, Row, canonical
from tests.streaming.test_stream_equals_batch import CUTS, DELAYS, LATER, arriving, assert_equal, batches
from tests.streaming.worker_world import World, differences, drain, rows_at

NOON = START + timedelta(hours=12)
LATE = NOON + timedelta(days=3)


@dataclass
class LongReplayed(Replayed):
    """A stream whose state has long logs in parts, as a worker's has; `restart` empties its memory."""

    states: dict[str, UserState] = field(default_factory=dict)
    parts: dict[str, list[bytes]] = field(default_factory=dict)
    version: int = 0
    read: int = 0

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.known = WorkerLogs(self.stored, self.rules, category_keys, lambda: self.version)

    def stored(self, user: str) -> Sequence[bytes]:
        self.read += 1
        return self.parts[user]

    def users(self, rows: Sequence[Mapping[str, Any]], now: datetime) -> Aggregated:
        self.created += 1
        accepted = [to_micros(row.get("arrives", now)) for row in rows]
        events = canonical(rows)
        before = {user: self.states[user] for user in {row[columns.USER_ID] for row in rows} & {*self.states}}
        known = self.known.read(before, events, self.bots)
        step = aggregate(
            events,
            known.logs,
            searches=known.searches,
            categories=category_keys,
            rules=self.rules,
            now=to_micros(now),
            created=self.created,
            bots=self.bots,
            lateness=self.lateness,
            accepted_at=np.array(accepted, np.int64),
            beside=known.beside,
        )
        self.bots |= step.bots
        states, parts = self.known.changed(before, known, step, 1, self.bots)
        self.commit(states, parts)
        self.user_expires |= step.rows.expires
        self._write(columns.USER_ACTIVITY, columns.USER_ID, step.rows.activity)
        self._write(columns.USER_HISTORY, columns.USER_ID, step.rows.history)
        self._write(columns.USER_SEARCHES, columns.USER_ID, step.rows.searches)
        return step

    def commit(self, states: Mapping[str, UserState], parts: Mapping[str, LogParts]) -> None:
        self.states |= states
        for user, changed in parts.items():
            self.parts[user] = [*(self.parts.get(user, ()) if changed.keep else ()), *changed.new]
        self.known.committed()
        assert all(len(self.parts.get(user, ())) == state.parts for user, state in self.states.items())

    def tick(self, now: datetime) -> None:
        self.created += 1
        users = {user for user, at in self.user_expires.items() if at is not None and at <= to_micros(now)}
        if users:
            known = self.known.read({user: self.states[user] for user in users})
            rows = expire(
                known.logs,
                categories=category_keys,
                now=to_micros(now),
                created=self.created,
                beside=known.beside,
            )
            self.user_expires |= rows.expires
            self._write(columns.USER_ACTIVITY, columns.USER_ID, rows.activity)
        items = {item for item, at in self.item_expires.items() if at is not None and at <= to_micros(now)}
        self._write_items(decode_counters({item: self.counters[item] for item in items}), now)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of more than three rows is a long one, a part has two."""
    monkeypatch.setattr(known_logs, "LONG_ROWS", 3)
    monkeypatch.setattr(known_logs, "PART_ROWS", 2)


def same_as_short(
    rows: list[Row],
    cuts: list[bool],
    ticks: list[bool],
    later: timedelta,
    rules: CleaningRules,
    lateness: int,
) -> tuple[LongReplayed, Replayed]:
    """The same batches into a state with long logs and into one with short ones."""
    long, short = LongReplayed(rules, lateness), Replayed(rules, lateness)
    for part, tick in zip(batches(rows, cuts), ticks, strict=False):
        now = part[-1]["arrives"]
        if tick:
            long.restart()
            long.tick(now)
            short.tick(now)
        ours, theirs = long.process(part, now), short.process(part, now)
        assert ours.rejected.equals(theirs.rejected)
        assert ours.kept.equals(theirs.kept)
        assert long.bots == short.bots
    at = rows[-1]["arrives"] + later
    long.tick(at)
    short.tick(at)
    assert long.online == short.online
    assert long.counters == short.counters
    return long, short


@pytest.mark.parametrize("length", [2, 200])
@settings(deadline=None, max_examples=80)
@given(events=EVENTS, delays=DELAYS, cuts=CUTS, ticks=CUTS, later=LATER)
def test_logs_in_parts_give_the_rows_of_the_batch_tables(
    length: int,
    events: list[dict[str, Any]],
    delays: list[timedelta],
    cuts: list[bool],
    ticks: list[bool],
    later: timedelta,
) -> None:
    rows = arriving(events, delays)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "HISTORY_LENGTH", length)
        long, _ = same_as_short(rows, cuts, ticks, later, EVERYTHING, to_micros(START))
        assert_equal(long, rows, rows[-1]["arrives"] + later)


@settings(deadline=None, max_examples=60)
@given(events=EVENTS, delays=DELAYS, cuts=CUTS, ticks=CUTS, later=LATER)
def test_logs_in_parts_are_cleaned_like_others(
    events: list[dict[str, Any]],
    delays: list[timedelta],
    cuts: list[bool],
    ticks: list[bool],
    later: timedelta,
) -> None:
    spaced = {columns.VIEW: 3600.0, columns.CLICK: 86_400.0, columns.SEARCH: 60.0}
    rules = CleaningRules(bot_events_per_minute=0, bot_events_per_day=4, near_duplicate_seconds=spaced)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "HISTORY_LENGTH", 2)
        same_as_short(arriving(events, delays), cuts, ticks, later, rules, 7 * 86_400_000_000)


def views(count: int, first: int = 0) -> list[Row]:
    rows = [
        event(columns.VIEW, NOON + number * timedelta(minutes=1)) for number in range(first, first + count)
    ]
    return [{**row, columns.SEQUENCE: first + place} for place, row in enumerate(rows)]


def test_a_batch_writes_what_is_new_of_a_long_log_and_reads_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_logs, "PART_ROWS", 100)
    stream = LongReplayed()
    stream.process(views(1000), LATE)
    assert [len(part) for part in stream.parts["u1"]] == [1 + 1000 * LOG_DTYPE.itemsize]
    for number in range(1000, 1050):
        stream.process(views(1, number), LATE)
        assert len(stream.states["u1"].log) == 1 + (number - 999) * LOG_DTYPE.itemsize
    assert stream.read == 1
    stream.process(views(50, 1050), LATE)  # the tail becomes a part
    lengths = [(len(part) - 1) // LOG_DTYPE.itemsize for part in stream.parts["u1"]]
    assert (lengths, len(stream.states["u1"].log)) == ([1000, 100], 1)
    activity, _ = stream.features(columns.USER_ACTIVITY, "u1")
    assert activity is not None
    assert activity["view_count_90d"] == 1100


def test_a_long_log_of_which_little_is_left_is_a_short_one_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "HISTORY_LENGTH", 1)
    monkeypatch.setattr(known_logs, "LONG_ROWS", 4)
    stream = LongReplayed()
    stream.process(views(10), LATE)
    assert stream.states["u1"].parts == 1
    later = NOON + timedelta(days=200)
    stream.process([{**row, columns.AT: later} for row in views(1, 10)], later)
    stream.process(
        [{**row, columns.AT: later + timedelta(hours=1)} for row in views(1, 11)], later + timedelta(days=1)
    )
    assert (stream.states["u1"].parts, stream.parts["u1"]) == (0, [])
    assert decode_logs(["u1"], {"u1": stream.states["u1"].log}).rows["sequence"].tolist() == [10, 11]


def test_another_catalog_changes_the_categories_of_a_long_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "HISTORY_LENGTH", 1)
    stream = LongReplayed()
    stream.process(views(10), LATE)
    before = stream.known.read(stream.states).beside["u1"].categories.keys[:, 1]
    assert len(before) == 1
    stream.known._categories = lambda keys: category_keys(keys) + 1
    stream.version += 1
    found = stream.known.read(stream.states).beside["u1"].categories.keys[:, 1]
    assert found.tolist() == (before + 1).tolist()


def test_money_that_does_not_add_up_within_int64_is_added_from_the_whole_log() -> None:
    stream = LongReplayed()
    rows = [{**row, columns.KIND: columns.PURCHASE, columns.VALUE_MICROS: 2**51} for row in views(3000)]
    stream.process(rows[:2999], LATE)
    stream.process(rows[2999:], LATE)
    activity, _ = stream.features(columns.USER_ACTIVITY, "u1")
    assert activity is not None
    assert activity["purchase_value_micros_90d"] == 3000 * 2**51
    assert len(decode_logs(["u1"], stream.known.read(stream.states).logs)) == 3000


def test_all_rows_of_a_long_log_are_those_of_a_short_one() -> None:
    stream, short = LongReplayed(), Replayed()
    for row in views(20):
        stream.process([row], LATE)
        short.process([row], LATE)
    known = stream.known.read(stream.states)
    at = to_micros(LATE)
    ours = user_rows(
        known.logs, known.searches, categories=category_keys, now=at, created=0, beside=known.beside
    )
    theirs = user_rows(short.logs, {}, categories=category_keys, now=at, created=0)
    assert ours.activity.equals(theirs.activity)
    assert ours.history.equals(theirs.history)
    assert ours.expires == theirs.expires


def test_workers_go_on_with_long_logs_of_each_other(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number in range(8):
        kinds = (columns.VIEW, columns.PURCHASE, columns.CANCEL if number % 3 else columns.CART)
        world.send(
            *(world.event(kind, "ann", "tea-1", ago=hours * 3600.0) for hours, kind in enumerate(kinds))
        )
        if number % 2 == 0:  # another one, which reads the parts
            worker = world.worker()
        drain([worker])
        world.clock.now += DAY
    worker.close()
    state = world.state()
    assert state.users(["ann"])["ann"].parts == len(state.log_parts("ann")) > 1
    drain([world.worker()])  # moves windows on
    assert differences(world.online.rows, rows_at(world.lake.read(), world.clock.now)) == []
    world.close()
