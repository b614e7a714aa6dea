"""The keys that a process knows: how soon it learns of a change, and what it does while it cannot."""

import threading
import time
from datetime import datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from recsys.access.keys import KeySet
from recsys.service_settings import AccessSettings
from serving.access.key_watch import AWAY_SECONDS, KeyWatch
from serving.access.metrics import AccessMetrics
from tests.fake_keys import FakeKeyStore
from tests.fake_world import NOW, Clock

PATIENCE_SECONDS = 30.0


def watch_of(store: FakeKeyStore, **clocks: Clock) -> KeyWatch:
    return KeyWatch(store, AccessMetrics(CollectorRegistry()), 10, lambda: NOW, **clocks)


def test_a_watch_that_has_read_nothing_asks_for_a_key_and_knows_none() -> None:
    watch = watch_of(FakeKeyStore())
    assert watch.any_made is True
    assert watch.find("000000000000") is None
    assert "not read yet" in watch.problem
    watch.check()
    assert (watch.any_made, watch.problem) == (False, "")


def test_by_default_a_revoked_key_is_known_as_such_within_five_seconds() -> None:
    assert AccessSettings().poll_seconds == 1
    longest = AccessSettings.model_fields["poll_seconds"].metadata
    assert any(getattr(limit, "le", None) == 4 for limit in longest)


def test_a_watch_that_runs_sees_changes_also_after_the_database_was_away() -> None:
    store = FakeKeyStore()
    key_id = store.make().split("_")[1]
    watch = watch_of(store)
    watch.check()
    watch.start(0.01)
    try:
        store.away = True
        wait_until(lambda: watch.problem != "")
        assert watch.find(key_id) is not None
        looks = store.looks
        wait_until(lambda: store.looks > looks + 20)  # failures do not make it look more seldom
        store.away = False
        store.revoke(key_id, NOW, "ann")
        wait_until(lambda: watch.find(key_id) is None)
        assert watch.problem == ""
        assert all(task.failures == 0 for task in watch.tasks)
    finally:
        watch.stop()


def test_silence_is_a_problem_however_it_comes() -> None:
    clock = Clock()
    watch = watch_of(FakeKeyStore(), steady=clock)
    watch.check()
    clock.seconds += AWAY_SECONDS
    assert watch.problem == ""
    clock.seconds += 1
    assert watch.problem == "the last answer came 6 s ago"


def test_all_who_wait_for_a_new_key_share_one_look() -> None:
    store = FakeKeyStore()
    watch = watch_of(store)
    watch.check()
    asked_at = watch.moment()
    waiting = [threading.Thread(target=watch.check_for_new, args=(asked_at,)) for _ in range(20)]
    for each in waiting:
        each.start()
    for each in waiting:
        each.join()
    assert store.looks == 2


def test_looks_for_new_keys_are_apart() -> None:
    store = FakeKeyStore()
    watch = watch_of(store)
    started = time.monotonic()
    for _ in range(4):
        watch.check_for_new(watch.moment())
    assert time.monotonic() - started >= 0.3


def test_when_keys_were_used_is_written_now_and_then_and_kept_while_it_cannot_be() -> None:
    store = FakeKeyStore()
    key_id = store.make().split("_")[1]
    watch = watch_of(store)
    watch.check()
    known = watch.find(key_id)
    assert known is not None
    watch.note_use(known)
    assert store.all_keys()[0].last_used_at is None, "a request writes nothing"
    store.away = True
    with pytest.raises(Exception, match="fake keys"):
        watch.note_uses()
    store.away = False
    watch.note_uses()
    assert store.all_keys()[0].last_used_at == NOW
    watch.stop()


def test_a_store_that_breaks_in_another_way_is_a_failing_task_and_known_keys_go_on() -> None:
    class Broken(FakeKeyStore):
        broken = False

        def key_set(self, now: datetime) -> KeySet:
            if self.broken:
                raise ValueError("a row that nobody can read")
            return super().key_set(now)

    store = Broken()
    key_id = store.make(expires_at=NOW + timedelta(days=1)).split("_")[1]
    watch = watch_of(store)
    watch.check()
    store.broken = True
    watch.check()
    assert watch.find(key_id) is not None
    assert watch.problem == "ValueError: a row that nobody can read"
    assert watch.tasks[0].failures == 1


def wait_until(true) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
