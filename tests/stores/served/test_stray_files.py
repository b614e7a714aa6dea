"""Whatever lies in the folder of what was served, what is served next is logged, and the logs are read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.stores.served.feedback_files import read_slates
from recsys.stores.served.rotating_log import FILES, RotatingLog, log_files
from recsys.stores.served.snapshot_files import read_snapshots
from tests.stores.served.test_answer_log import written

MANY = 1_000_000


def stray_name(folder: Path) -> None:
    (folder / "slates-old copy.jsonl").write_text("not ours\n")
    (folder / "slates-x.jsonl").touch()
    (folder / "slates-.jsonl").touch()
    (folder / "slates-000009.jsonl.bak").touch()


def folder_of_that_name(folder: Path) -> None:
    (folder / "slates-000007.jsonl").mkdir()


def dangling_link(folder: Path) -> None:
    (folder / "slates-000007.jsonl").symlink_to(folder / "gone")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "slates-000007.jsonl")


def cut_line(folder: Path) -> None:
    (folder / "slates-000001.jsonl").write_bytes(
        b'{"request_id": "r',
    )


def no_slates(folder: Path) -> None:
    (folder / "slates-000001.jsonl").write_bytes(
        b'7\n[]\n{"items": 3}\nnull\n\xff\xfe\n{"at": 5, "items": []}\n'
    )


def empty_file(folder: Path) -> None:
    (folder / "slates-000001.jsonl").touch()


STRAY = [stray_name, folder_of_that_name, dangling_link, pipe, cut_line, no_slates, empty_file]


@pytest.mark.parametrize("put", STRAY, ids=lambda put: put.__name__)
def test_slates_are_logged_beside_whatever_lies_there(tmp_path: Path, put: Callable[[Path], None]) -> None:
    put(tmp_path)
    log = written(tmp_path, 3, MANY)
    assert log.dropped == 0
    assert sorted(read_slates(tmp_path)["request_id"]) == ["r0", "r1", "r2"]


def test_the_log_goes_on_after_a_stray_file_comes_while_it_runs(tmp_path: Path) -> None:
    written(tmp_path, 1, max_bytes=FILES)  # so small that each batch gets a file of its own
    stray_name(tmp_path)
    folder_of_that_name(tmp_path)
    assert written(tmp_path, 1, max_bytes=FILES).dropped == 0
    assert [path.name for path in log_files(tmp_path, "slates")] == [
        "slates-000001.jsonl",
        "slates-000008.jsonl",
    ]


def test_snapshots_are_read_beside_whatever_lies_there(tmp_path: Path) -> None:
    (tmp_path / "features-000003.jsonl").mkdir()
    (tmp_path / "features-copy.jsonl").write_text("{}\n")
    assert read_snapshots(tmp_path, 10).damaged == 0


def test_a_record_that_is_no_json_costs_itself_and_is_said(tmp_path: Path) -> None:
    def line(number: int) -> object:
        if number == 1:
            raise KeyError("what a record lacks")
        return object() if number == 2 else number

    log: RotatingLog[int] = RotatingLog(tmp_path, "numbers", line, MANY, 1.0, lambda: 0.0)
    for number in range(4):
        log.append(number)
    log.close()
    assert log.dropped == 2
    assert log.task.failures >= 1
    (file,) = log_files(tmp_path, "numbers")
    assert file.read_bytes() == b"0\n3\n"


def test_a_folder_that_becomes_a_file_drops_records_and_comes_back(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.write_text("in the way")
    log = written(served, 2, MANY)
    assert (log.dropped, log.task.failures > 0) == (2, True)
    served.unlink()
    assert written(served, 2, MANY).dropped == 0


def test_whatever_is_queued_at_the_end_is_written(tmp_path: Path) -> None:
    log = written(tmp_path, 2_500, 100 * MANY)
    assert log.dropped == 0
    assert len(read_slates(tmp_path)) == 2_500
