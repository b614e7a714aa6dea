"""The catalog's worker on fakes: every upsert has its effect once, wherever the worker was killed."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.catalog import Item, User
from recsys.errors import ConfigError, StoreUnavailableError
from recsys.models.bundle_update import ItemChange
from recsys.streaming.catalog_worker import CatalogDeps, CatalogWorker
from tests.fake_stream import FakeEventStream, FakeProgress

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
NOON_MICROS = int(NOON.timestamp() * 1e6)
PARTITION = 2


class Power:
    """Kills the process after so many writes: the write happens and nobody hears of it."""

    def __init__(self) -> None:
        self.writes_left = 10**9

    def wrote(self) -> None:
        self.writes_left -= 1
        if self.writes_left < 0:
            raise Killed


class Killed(BaseException):
    pass


class FakeLog:
    """`CatalogLog` in memory, over one imported item: tea for 2."""

    def __init__(self, power: Power) -> None:
        self.power = power
        self.imported = {"tea": Item("tea", "Tea", "Tea", price_micros=2, at=NOON - timedelta(days=1))}
        self.rows: list[tuple[int, Item]] = []
        self.user_rows: list[tuple[int, User]] = []

    def items(self, item_ids: Sequence[str]) -> dict[str, Item]:
        known = self.imported | {item.item_id: item for _, item in self.rows}
        return {item_id: known[item_id] for item_id in item_ids if item_id in known}

    def users(self, user_ids: Sequence[str]) -> dict[str, User]:
        return {user.user_id: user for _, user in self.user_rows if user.user_id in user_ids}

    def items_with_new_text(self, item_ids: Sequence[str]) -> set[str]:
        texts = {item_id: item.text for item_id, item in self.imported.items()}
        return {item.item_id for _, item in self.rows if texts.get(item.item_id) != item.text} & set(item_ids)

    def changed_after(self, version: int) -> list[tuple[int, list[str]]]:
        last = {item.item_id: changed for changed, item in self.rows}
        versions = sorted({changed for changed in last.values() if changed > version})
        return [(found, [item for item, changed in last.items() if changed == found]) for found in versions]

    def last_version(self) -> int:
        return max([0, *(version for version, _ in [*self.rows, *self.user_rows])])

    def append(self, items: Sequence[Item], users: Sequence[User], version: int) -> None:
        self.user_rows += [(version, user) for user in users]
        self.rows += [(version, item) for item in items]
        self.power.wrote()


class FakeOnline:
    """Rows by view and item: the latest by event, then by created timestamp."""

    def __init__(self, power: Power) -> None:
        self.power = power
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.away = False

    def write(self, tables: Mapping[str, pa.Table]) -> None:
        if self.away:
            raise StoreUnavailableError("redis", "write rows", 1.0)
        for view, table in tables.items():
            for row in table.to_pylist():
                old = self.rows.get((view, row[columns.ITEM_ID]))
                if old is None or _stamps(row) > _stamps(old):
                    self.rows[view, row[columns.ITEM_ID]] = row
            self.power.wrote()

    def content(self, item_id: str) -> dict[str, Any]:
        return self.rows[columns.ITEM_CONTENT, item_id]


def _stamps(row: dict[str, Any]) -> tuple[datetime, datetime]:
    return row[columns.EVENT_TIMESTAMP], row[columns.CREATED_TIMESTAMP]


class FakeFeed:
    """`Feed` in memory; `published` keeps the version of every publication."""

    def __init__(self, power: Power) -> None:
        self.power = power
        self.newest: dict[str, ItemChange] = {}
        self.published: list[int] = []
        self.encoder = ""

    def version(self, encoder: str) -> int:
        return self.published[-1] if self.published and self.encoder == encoder else 0

    def publish(self, changes: Sequence[ItemChange], version: int, encoder: str) -> None:
        self.newest |= {change.item.item_id: change for change in changes}
        self.published.append(version)
        self.encoder = encoder
        self.power.wrote()

    def clear(self) -> None:
        self.newest, self.published = {}, []


class FakeTexts:
    """A text's vector is its length."""

    def __init__(self) -> None:
        self.encoder = "minilm"
        self.encoded: list[str] = []
        self.broken = False

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        if self.broken:
            raise ConfigError("no encoder of that name")
        self.encoded += texts
        return np.array([[len(text)] for text in texts], np.float32)


class World:
    """Everything that outlives a worker."""

    def __init__(self) -> None:
        self.power = Power()
        self.stream, self.progress = FakeEventStream(PARTITION), FakeProgress()
        self.log, self.online, self.feed = FakeLog(self.power), FakeOnline(self.power), FakeFeed(self.power)
        self.texts = FakeTexts()
        self.now = NOON_MICROS
        self.sent = 0

    def worker(self) -> CatalogWorker:
        deps = CatalogDeps(self.stream, self.log, self.online, self.feed, self.texts, self.progress)
        return CatalogWorker(deps, self._tick)

    def _tick(self) -> int:
        self.now += 1000
        return self.now

    def send(self, kind: str = columns.ITEM_UPSERT, minutes: float = 0, **fields: Any) -> None:
        self.sent += 1
        at = (NOON + timedelta(minutes=minutes)).isoformat()
        row = {"kind": kind, "event_id": f"e{self.sent}", "at": at, **fields}
        self.stream.append([(PARTITION, json.dumps(row).encode())], self.now)

    def drain(self) -> None:
        worker = self.worker()
        while worker.run_once():
            pass


@pytest.fixture
def world() -> World:
    return World()


def test_a_changed_price_is_logged_written_online_and_told_without_encoding(world: World) -> None:
    world.send(item_id="tea", price_micros=5)
    world.drain()
    assert [item.price_micros for _, item in world.log.rows] == [5]
    assert world.online.content("tea")[columns.PRICE_MICROS] == 5
    assert world.online.content("tea")[columns.EVENT_TIMESTAMP] == NOON
    told = world.feed.newest["tea"]
    assert (told.item.price_micros, told.text_vector) == (5, None)
    assert world.texts.encoded == []
    assert (world.stream.committed[PARTITION], world.progress.visible) == (1, {PARTITION: 1})


def test_a_new_item_is_encoded_and_told_with_its_vector(world: World) -> None:
    world.send(item_id="chai", title="Chai", category="drinks")
    world.drain()
    assert world.feed.newest["chai"].text_vector == pytest.approx([4.0])
    assert world.online.rows[columns.ITEM_TEXT, "chai"][columns.TEXT_VECTOR] == [4.0]
    assert world.online.content("chai")[columns.CATEGORY] == "drinks"


def test_a_ready_vector_is_logged_written_online_and_told_and_stays_with_the_item(world: World) -> None:
    world.send(item_id="chai", title="Chai", vectors={"image": [0.6, 0.8]})
    world.send(item_id="chai", price_micros=3, minutes=1)
    world.drain()
    assert [item.vectors for _, item in world.log.rows][-1] == {"image": (0.6, 0.8)}
    told = world.feed.newest["chai"].item
    assert (told.price_micros, told.vectors) == (3, {"image": (0.6, 0.8)})
    row = world.online.rows[columns.ITEM_VECTORS, "chai"]
    assert row["ready_vector"] == pytest.approx([0.6, 0.8])
    assert row["vector_layout"] == "image:2"


def test_an_item_whose_text_was_ever_changed_is_always_told_with_a_vector(world: World) -> None:
    world.send(item_id="tea", text="Green tea")
    world.send(
        item_id="tea", text="Tea", minutes=1
    )  # back to what was imported: a service may know the other
    world.drain()
    world.send(item_id="tea", price_micros=9, minutes=2)
    world.drain()
    assert world.feed.newest["tea"].text_vector == pytest.approx([3.0])


def test_every_version_of_a_batch_is_logged_and_only_the_newest_told(world: World) -> None:
    for minute in range(3):
        world.send(item_id="tea", price_micros=10 + minute, minutes=minute)
    world.drain()
    assert [item.price_micros for _, item in world.log.rows] == [10, 11, 12]
    assert world.online.content("tea")[columns.PRICE_MICROS] == 12
    assert len(world.feed.published) == 1


def test_users_are_kept_too(world: World) -> None:
    world.send(columns.USER_UPSERT, user_id="ann", attributes={"city": "Rome"})
    world.drain()
    assert [user.attributes for _, user in world.log.user_rows] == [{"city": "Rome"}]
    assert world.feed.published == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "unexpected end of data"),
        (b"[1]", "not an object"),
        (
            b'{"kind":"view","event_id":"e","at":"2025-06-01T12:00:00Z","user_id":"u","item_id":"i"}',
            "belongs to a user's partition",
        ),
        (
            b'{"kind":"item_upsert","event_id":"e","at":"2025-06-01T12:00:00Z","item_id":"new"}',
            "needs a title",
        ),
        (
            b'{"kind":"item_upsert","event_id":"e","at":"2025-06-01T13:00:00Z","item_id":"tea"}',
            "in the future",
        ),
    ],
)
def test_what_cannot_be_merged_is_put_aside_with_its_reason_and_the_rest_goes_on(
    world: World, body: bytes, reason: str
) -> None:
    world.stream.append([(PARTITION, body)], world.now)
    world.send(item_id="tea", price_micros=5)
    world.drain()
    (dead_letter,) = world.stream.dead_letters()
    assert reason in dead_letter.reason
    assert world.feed.newest["tea"].item.price_micros == 5


def test_without_an_encoder_everything_but_the_vector_acts(world: World) -> None:
    world.texts.broken = True
    world.send(item_id="chai", title="Chai", price_micros=3)
    world.drain()
    assert world.online.content("chai")[columns.PRICE_MICROS] == 3
    assert world.feed.newest["chai"].text_vector is None


def test_another_encoder_gets_everything_published_again(world: World) -> None:
    world.send(item_id="chai", title="Chai")
    world.drain()
    world.texts.encoder = "another"
    world.drain()
    assert world.feed.encoder == "another"
    assert world.texts.encoded == ["Chai", "Chai"]


def test_an_empty_server_gets_everything_again_and_no_version_is_cut_through(world: World) -> None:
    for name in ("chai", "cocoa", "milk"):
        world.send(item_id=name, title=name)
        world.drain()
    told = dict(world.feed.newest)
    world.feed.clear()
    world.online.rows.clear()
    world.drain()
    assert world.feed.newest == told
    assert world.online.content("cocoa")[columns.TITLE] == "cocoa"
    assert world.feed.published[-1] == world.log.last_version()


def test_a_feed_of_another_home_is_forgotten(world: World) -> None:
    stranger = ItemChange(Item("stranger", "S", "S", at=NOON))
    world.feed.publish([stranger], world.now + 10**12, "minilm")
    world.drain()
    assert world.feed.newest == {}


def test_a_store_that_is_away_loses_nothing(world: World) -> None:
    worker = world.worker()
    world.send(item_id="tea", price_micros=5)
    world.online.away = True
    with pytest.raises(StoreUnavailableError):
        worker.run_once()
    assert world.stream.committed[PARTITION] == 0
    world.online.away = False
    worker.run_once()
    assert world.online.content("tea")[columns.PRICE_MICROS] == 5
    assert world.stream.committed[PARTITION] == 1
    assert len(world.log.rows) == 1


def test_it_works_until_it_is_told_to_stop(world: World) -> None:
    stop = Event()
    thread = Thread(target=world.worker().run, args=(stop,))
    thread.start()
    world.send(item_id="tea", price_micros=5)
    deadline = time.monotonic() + 60
    while not world.progress.visible.get(PARTITION) and time.monotonic() < deadline:
        stop.wait(0.01)
    stop.set()
    thread.join(60)
    assert world.feed.newest["tea"].item.price_micros == 5


upserts = st.lists(
    st.fixed_dictionaries(
        {"item_id": st.sampled_from(["tea", "chai", "cocoa"]), "minutes": st.integers(-3, 4)},
        optional={
            "title": st.sampled_from(["Tea", "Chai"]),
            "price_micros": st.integers(0, 3),
            "available": st.booleans(),
        },
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(upserts, st.lists(st.integers(0, 6), max_size=5))
def test_killed_after_any_write_it_ends_like_one_that_never_was(
    events: list[dict[str, Any]], kills: list[int]
) -> None:
    calm, rough = World(), World()
    for event in events:
        calm.send(**event)
        rough.send(**event)
    calm.drain()
    for writes in kills:
        rough.power.writes_left = writes
        worker = rough.worker()
        try:
            while worker.run_once():
                pass
        except Killed:
            pass
    rough.power.writes_left = 10**9
    rough.drain()
    for name in ("tea", "chai", "cocoa"):
        assert rough.log.items([name]) == calm.log.items([name])
        assert ((columns.ITEM_CONTENT, name) in rough.online.rows) == (
            (columns.ITEM_CONTENT, name) in calm.online.rows
        )
        if (columns.ITEM_CONTENT, name) in calm.online.rows:
            ours, theirs = rough.online.content(name), calm.online.content(name)
            assert {**ours, columns.CREATED_TIMESTAMP: 0} == {**theirs, columns.CREATED_TIMESTAMP: 0}
    assert rough.feed.newest == calm.feed.newest
    assert {dead_letter.reason for dead_letter in rough.stream.dead_letters()} == {
        dead_letter.reason for dead_letter in calm.stream.dead_letters()
    }
    assert rough.stream.committed == calm.stream.committed
