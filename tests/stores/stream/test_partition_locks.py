"""Workers share partitions; a partition has one owner, and a killed owner's is free at once."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recsys.errors import ConfigError
from recsys.stores.stream.partition_locks import PartitionLocks

HOLD = """
import sys, time
from pathlib import Path
from recsys.stores.stream.partition_locks import PartitionLocks
locks = PartitionLocks(Path(sys.argv[1]), 4)
locks.acquire(locks.wanted())
print(sorted(locks.owned), flush=True)
time.sleep(60)
"""


Join = Callable[..., PartitionLocks]


@pytest.fixture
def join(tmp_path: Path) -> Iterator[Join]:
    """Makes workers of one folder: number of partitions, pinned ones."""
    workers: list[PartitionLocks] = []

    def make(count: int, pinned: tuple[int, ...] = ()) -> PartitionLocks:
        workers.append(PartitionLocks(tmp_path, count, pinned))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


def test_one_worker_owns_everything(join: Join) -> None:
    locks = join(4)
    locks.acquire(locks.wanted())
    assert locks.owned == {0, 1, 2, 3}


def test_workers_share_fairly_once_the_first_gives_its_surplus_back(join: Join) -> None:
    workers = [join(9) for _ in range(4)]
    for worker in workers:
        worker.acquire(worker.wanted())
    for worker in workers:
        worker.release(worker.owned - worker.wanted())
    for worker in workers:
        worker.acquire(worker.wanted())
    shares = [worker.owned for worker in workers]
    assert sorted(len(share) for share in shares) == [2, 2, 2, 3]
    assert sorted(each for share in shares for each in share) == list(range(9))


def test_two_never_own_one_partition(join: Join) -> None:
    first, second = join(4, (1, 2)), join(4)
    first.acquire(first.wanted())
    second.acquire(second.wanted())
    assert (first.owned, second.owned) == ({1, 2}, {0, 3})


def test_a_worker_that_leaves_is_no_longer_counted(join: Join) -> None:
    first, second = join(4), join(4)
    assert len(first.wanted()) == 2
    second.close()
    assert first.wanted() == {0, 1, 2, 3}


def test_a_killed_worker_loses_its_partitions_at_once(tmp_path: Path, join: Join) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline().strip() == "[0, 1, 2, 3]"
        locks = join(4)
        assert len(locks.wanted()) == 2
        locks.acquire(range(4))
        assert locks.owned == frozenset()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert locks.wanted() == {0, 1, 2, 3}
    locks.acquire(locks.wanted())
    assert locks.owned == {0, 1, 2, 3}


def test_a_partition_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no partition 4: they are 0 to 3"):
        PartitionLocks(tmp_path, 4, pinned=[2, 4])
