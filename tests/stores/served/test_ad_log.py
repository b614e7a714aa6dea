"""The files of the ad log: rotation, what is removed, what is damaged, and a disk that refuses."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest

from recsys.ads.delivery.served_slot import ServedSlot
from recsys.config import Settings
from recsys.errors import DataError, StoreUnavailableError
from recsys.stores.served import ad_log
from recsys.stores.served.ad_log import DurableAdLog
from recsys.stores.served.ad_log_files import AdLogGap, ad_log_gaps, read_ad_log
from recsys.stores.served.ad_log_index import INDEX, day_of
from tests.ads.delivery.served_slots import NOW, served_slot

DAY = timedelta(days=1)
START, END = NOW - 400 * DAY, NOW + 400 * DAY


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if day_of(path.name) is not None)


def read(
    folder: Path, since: datetime = START, until: datetime = END
) -> tuple[list[ServedSlot], list[AdLogGap]]:
    gaps: list[AdLogGap] = []
    return list(read_ad_log(folder, since, until, gaps.append)), gaps


def ids(folder: Path) -> list[str]:
    return [slot.slot_id for slot in read(folder)[0]]


def write(folder: Path, *slots: ServedSlot, clock: Clock | None = None, keep_days: int = 400) -> None:
    log = DurableAdLog(folder, keep_days, 1_000_000, clock or Clock())
    for slot in slots:
        log.append([slot])
    log.close()


def test_a_folder_without_a_log_has_no_slots_and_no_gaps(tmp_path: Path) -> None:
    assert read(tmp_path / "nothing") == ([], [])


def test_the_homes_log_is_set_up_by_its_settings(tmp_path: Path) -> None:
    home = Settings.model_validate({"home": tmp_path / "home", "ads": {"log_days": 31}})
    log = DurableAdLog.open(home)
    assert not home.paths.ad_log.exists()
    log.append([served_slot()])
    log.close()
    assert len(files(home.paths.ad_log)) == 1


def test_two_processes_never_write_to_one_file(tmp_path: Path) -> None:
    logs = [DurableAdLog(tmp_path, 400, 1_000_000, Clock()) for _ in range(2)]
    for number in range(6):
        logs[number % 2].append([served_slot(f"s{number}")])
    assert len(files(tmp_path)) == 2
    assert sorted(ids(tmp_path)) == [f"s{number}" for number in range(6)]


def test_a_new_file_begins_with_each_day_and_where_one_is_full(tmp_path: Path) -> None:
    clock = Clock()
    log = DurableAdLog(tmp_path, 400, 1000, clock)  # a line has some 500 bytes
    for number in range(4):
        log.append([served_slot(f"s{number}")])
    assert len(files(tmp_path)) == 2
    clock.now += DAY
    log.append([served_slot("s4", served_at=clock.now)])
    assert [str(day_of(path.name))[:10] for path in files(tmp_path)] == ["2026-03-01"] * 2 + ["2026-03-02"]
    assert ids(tmp_path) == [f"s{number}" for number in range(5)]


def test_files_of_days_that_are_over_are_closed(tmp_path: Path) -> None:
    def open_files() -> set[str]:
        links = (os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.exists())
        return {Path(link).name for link in links if link.startswith(str(tmp_path))}

    log = DurableAdLog(tmp_path, 400, 1_000_000, Clock())
    for days in (0, 1, 3, 4, 9):
        log.append([served_slot(f"s{days}", served_at=NOW + days * DAY)])
    assert {str(day_of(name))[:10] for name in open_files()} == {"2026-03-10"}
    log.append([served_slot("s8", served_at=NOW + 8 * DAY)])
    assert len(open_files()) == 2  # as around midnight
    log.close()
    assert not open_files()


def test_only_slots_served_in_the_time_asked_for_are_read(tmp_path: Path) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    before, late = (
        midnight - timedelta(microseconds=1),
        served_slot("c", served_at=midnight - timedelta(1e-5)),
    )
    slots = (served_slot("a", served_at=before), served_slot("b", served_at=midnight), late)
    write(tmp_path, *slots, clock=Clock(midnight))
    assert [slot.slot_id for slot in read(tmp_path, midnight, midnight + DAY)[0]] == ["b"]
    assert [slot.slot_id for slot in read(tmp_path, midnight - DAY, midnight)[0]] == ["a", "c"]
    assert read(tmp_path, midnight + DAY, midnight + 2 * DAY)[0] == []
    assert len(files(tmp_path)) == 2  # around midnight the files of both days are open


def test_days_that_the_setting_removes_are_told_as_a_gap(tmp_path: Path) -> None:
    write(tmp_path, served_slot("old", served_at=NOW - 32 * DAY), clock=Clock(NOW - 32 * DAY), keep_days=31)
    write(tmp_path, served_slot("kept", served_at=NOW - 31 * DAY), clock=Clock(NOW - 31 * DAY), keep_days=31)
    write(tmp_path, served_slot("new"), keep_days=31)
    slots, gaps = read(tmp_path)
    assert [slot.slot_id for slot in slots] == ["kept", "new"]
    [gap] = gaps
    assert (gap.kind, gap.loses_slots) == ("removed", True)
    assert (gap.since, gap.until) == (datetime(2026, 1, 28, tzinfo=UTC), datetime(2026, 1, 29, tzinfo=UTC))
    assert "was removed after `ads.log_days`: slots from 2026-01-28 00:00" in str(gap)
    assert ad_log_gaps(tmp_path, NOW - 30 * DAY, NOW) == ()  # and it is none of another time


def test_a_last_line_that_was_cut_costs_itself_only(tmp_path: Path) -> None:
    write(tmp_path, served_slot("a"), served_slot("b"))
    [path] = files(tmp_path)
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    for cut in range(second + 1, len(whole)):
        path.write_bytes(whole[:cut])
        slots, [gap] = read(tmp_path)
        assert [slot.slot_id for slot in slots] == ["a"]
        assert (gap.kind, gap.loses_slots, gap.lines) == ("unfinished", False, 1)
    write(tmp_path, served_slot("c"))  # a process that starts again has a file of its own
    assert sorted(ids(tmp_path)) == ["a", "c"]


def test_a_changed_byte_is_damage_and_the_other_lines_are_read(tmp_path: Path) -> None:
    write(tmp_path, served_slot("a"), served_slot("b"), served_slot("c"))
    [path] = files(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"slot_id":"b"', b'"slot_id":"x"'))
    slots, [gap] = read(tmp_path)
    assert [slot.slot_id for slot in slots] == ["a", "c"]
    assert (gap.kind, gap.lines, gap.loses_slots) == ("damaged", 1, True)
    assert "has 1 lines that cannot be read" in str(gap)


def test_a_file_that_somebody_removed_is_missing(tmp_path: Path) -> None:
    write(tmp_path, served_slot("a"))
    files(tmp_path)[0].unlink()
    slots, [gap] = read(tmp_path)
    assert (slots, gap.kind) == ([], "missing")
    assert "is gone: slots from 2026-03-01 00:00 to 2026-03-02 00:00" in str(gap)


def test_without_the_index_nobody_knows_what_is_missing(tmp_path: Path) -> None:
    write(tmp_path, served_slot("a"))
    (tmp_path / INDEX).unlink()
    slots, [gap] = read(tmp_path)
    assert len(slots) == 1
    assert (gap.file, gap.since) == (INDEX, None)
    assert "nobody knows which files" in str(gap)


def test_a_note_that_was_cut_is_ended_by_the_next_one(tmp_path: Path) -> None:
    write(tmp_path, served_slot("a"))
    with (tmp_path / INDEX).open("ab") as file:
        file.write(b'{"opened": "ads-2026')
    write(tmp_path, served_slot("b"))
    assert sorted(ids(tmp_path)) == ["a", "b"]
    assert ad_log_gaps(tmp_path, START, END) == ()


def test_stray_files_beside_the_log_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, served_slot("a"))
    for name in ("ads-20261399-0000000000000000-0001.jsonl", "notes.txt", "ads-20260301-x-1.jsonl"):
        (tmp_path / name).write_text("7\n")
    assert read(tmp_path) == ([served_slot("a")], [])


class FullDisk:
    """`os.write` and `os.fdatasync` of a disk that takes so many bytes more."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._write, self._sync = os.write, os.fdatasync
        self.fails_to_sync = False

    def write(self, descriptor: int, content: bytes) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        written = self._write(descriptor, bytes(content)[: self.room])
        self.room -= written
        return written

    def fdatasync(self, descriptor: int) -> None:
        if self.fails_to_sync:
            raise OSError(5, "Input/output error")
        self._sync(descriptor)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    made = FullDisk(10**9)
    monkeypatch.setattr(ad_log.os, "write", made.write)
    monkeypatch.setattr(ad_log.os, "fdatasync", made.fdatasync)
    monkeypatch.setattr(ad_log, "RETRY_SECONDS", 0.0)
    return made


def test_a_full_disk_keeps_nothing_of_an_answer_and_the_next_one_is_whole(
    tmp_path: Path, disk: FullDisk
) -> None:
    log = DurableAdLog(tmp_path, 400, 1_000_000, Clock())
    log.append([served_slot("a")])
    disk.room = 100
    with pytest.raises(StoreUnavailableError, match="Free some disk space"):
        log.append([served_slot("b")])
    disk.room = 10**9
    log.append([served_slot("c")])
    assert read(tmp_path) == ([served_slot("a"), served_slot("c")], [])


def test_after_a_failed_sync_another_file_begins(tmp_path: Path, disk: FullDisk) -> None:
    log = DurableAdLog(tmp_path, 400, 1_000_000, Clock())
    log.append([served_slot("a")])
    disk.fails_to_sync = True
    with pytest.raises(StoreUnavailableError, match="Input/output error"):
        log.append([served_slot("b")])
    disk.fails_to_sync = False
    log.append([served_slot("c")])
    assert len(files(tmp_path)) == 2
    assert read(tmp_path) == ([served_slot("a"), served_slot("c")], [])


def test_a_disk_that_refused_is_not_asked_again_at_once(
    tmp_path: Path, disk: FullDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ad_log, "RETRY_SECONDS", 60.0)
    log = DurableAdLog(tmp_path, 400, 1_000_000, Clock())
    disk.fails_to_sync = True
    with pytest.raises(StoreUnavailableError):
        log.append([served_slot("a")])
    disk.fails_to_sync = False
    with pytest.raises(StoreUnavailableError, match="is tried again"):
        log.append([served_slot("b")])


def test_threads_that_wait_at_once_share_one_sync(
    tmp_path: Path, disk: FullDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = DurableAdLog(tmp_path, 400, 10_000_000, Clock())
    log.append([served_slot("first")])
    syncs, gate, real = [], Barrier(2), disk.fdatasync

    def slow_sync(descriptor: int) -> None:
        syncs.append(descriptor)
        if len(syncs) == 1:  # the others come while the first one waits for the disk
            gate.wait(10)
            while len(log._waiting) < 7:
                pass
        real(descriptor)

    monkeypatch.setattr(ad_log.os, "fdatasync", slow_sync)
    threads = [Thread(target=log.append, args=([served_slot(f"s{n}")],)) for n in range(8)]
    threads[0].start()
    gate.wait(10)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(syncs) == 2
    assert len(ids(tmp_path)) == 9


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, served_slot("a"))
    files(tmp_path)[0].chmod(0)
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path)


def test_old_files_that_cannot_be_removed_stop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(folder: Path, before: datetime) -> tuple[str, ...]:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(ad_log, "remove_old_files", refused)
    write(tmp_path, served_slot("a"))
    assert ids(tmp_path) == ["a"]
    assert "cannot be removed" in caplog.text
