"""Events by bucket: nothing lost, nothing left behind, and the same bucket on every machine."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pyarrow as pa
import pytest

from recsys.stores.features import event_buckets
from recsys.stores.features.event_buckets import EventBuckets, bucket_of, computed

EVENTS = pa.table({"who": ["ann", "bob", None, "cy", "ann", "dee"], "number": [0, 1, 2, 3, 4, 5]})


@pytest.mark.parametrize("buckets", [1, 3])
def test_every_event_with_an_id_is_in_the_bucket_of_its_id(tmp_path: Path, buckets: int) -> None:
    with EventBuckets("who", buckets, tmp_path) as held:
        held.add(EVENTS.slice(0, 4))
        held.add(EVENTS.slice(4))
        tables = [held.table(number, EVENTS.schema) for number in range(buckets)]
    for number, table in enumerate(tables):
        assert set(bucket_of(table["who"], buckets).tolist()) <= {number}
        assert table["number"].to_pylist() == sorted(table["number"].to_pylist())
    assert sorted(n for table in tables for n in table["number"].to_pylist()) == [0, 1, 3, 4, 5]
    assert list(tmp_path.iterdir()) == []


def test_buckets_are_the_same_on_every_machine() -> None:
    assert bucket_of(pa.array(["ann", "bob", "cy", "dee"]), 5).tolist() == [3, 2, 3, 4]


def test_what_a_killed_build_left_goes_when_the_next_begins(tmp_path: Path) -> None:
    left = tmp_path / ".buckets-left"
    left.mkdir()
    (left / "0").write_bytes(b"half")
    with EventBuckets("who", 2, tmp_path) as running, EventBuckets("who", 2, tmp_path) as other:
        assert not left.exists()
        running.add(EVENTS)
        other.add(EVENTS)
        assert sum(len(running.table(number, EVENTS.schema)) for number in range(2)) == 5


def test_results_come_in_order_and_no_more_are_made_than_are_asked_for() -> None:
    made: list[int] = []

    def square(number: int) -> int:
        made.append(number)
        return number * number

    results = computed(square, range(100))
    assert [next(results), next(results)] == [0, 1]
    assert len(made) <= 2 + 2 * event_buckets.WORKERS
    assert list(results) == [number * number for number in range(2, 100)]


def test_threads_that_read_the_first_buckets_at_once_find_whole_files(tmp_path: Path) -> None:
    events = pa.table({"user_id": [f"u{number}" for number in range(400)]})
    for _ in range(60):  # without the lock one of eleven failed
        with EventBuckets("user_id", 40, tmp_path) as buckets, ThreadPoolExecutor(2) as pool:
            buckets.add(events)
            together = Barrier(2)

            def rows(half: int, buckets: EventBuckets = buckets, together: Barrier = together) -> int:
                together.wait()
                return sum(len(buckets.table(number, events.schema)) for number in range(half, 40, 2))

            assert sum(pool.map(rows, (0, 1))) == len(events)
