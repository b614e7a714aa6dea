"""A file or folder is there whole or not at all, and only under its own name."""

import os
from pathlib import Path

import pytest

from recsys import atomic
from recsys.atomic import creating_folder, replacing, write_bytes, write_text


class Interrupted(BaseException):
    """Stands for a signal in the middle of a write."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_text(path, "old\n")
    write_bytes(path, "né\n".encode())
    assert path.read_text("utf-8") == "né\n"
    assert names(tmp_path) == ["state.json"]


def test_while_it_is_written_a_file_is_hidden_from_patterns(tmp_path: Path) -> None:
    write_bytes(tmp_path / "rows.parquet", b"old")
    with replacing(tmp_path / "rows.parquet") as partial:
        partial.write_bytes(b"half")
        assert (partial.parent, partial.name[0]) == (tmp_path, ".")
        assert [path.read_bytes() for path in tmp_path.glob("*.parquet")] == [b"old"]
    assert (tmp_path / "rows.parquet").read_bytes() == b"half"


def test_writers_of_one_file_do_not_share_a_hidden_name(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as first, replacing(tmp_path / "a") as second:
        assert first != second
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert (tmp_path / "a").read_bytes() == b"1"  # the first one ended last
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Interrupted()])
def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    write_bytes(tmp_path / "a", b"old")

    def fail() -> None:
        with replacing(tmp_path / "a") as partial:
            partial.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_an_error_before_anything_is_written_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_bytes(tmp_path / "no such folder" / "a", b"new")
    with pytest.raises(IsADirectoryError):
        write_bytes(tmp_path, b"new")


@pytest.mark.parametrize(("durable", "steps"), [(True, ["flush", "rename", "flush"]), (False, ["rename"])])
def test_the_content_is_on_the_disk_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool, steps: list[str]
) -> None:
    seen: list[str] = []
    flush, rename = os.fsync, os.replace
    monkeypatch.setattr(atomic.os, "fsync", lambda file: (seen.append("flush"), flush(file)))
    monkeypatch.setattr(atomic.os, "replace", lambda *paths: (seen.append("rename"), rename(*paths)))
    write_bytes(tmp_path / "a", b"new", durable)
    assert seen == steps


def test_a_folder_appears_with_all_that_is_in_it(tmp_path: Path) -> None:
    target = tmp_path / "above" / "folder"
    with creating_folder(target) as partial:
        (partial / "deep").mkdir()
        (partial / "deep" / "a").write_bytes(b"1")
        (partial / "b").write_bytes(b"2")
        assert not target.exists()
    assert names(target) == ["b", "deep"]
    assert (target / "deep" / "a").read_bytes() == b"1"
    assert names(target.parent) == ["folder"]


def test_a_folder_that_is_not_finished_is_gone(tmp_path: Path) -> None:
    def fail() -> None:
        with creating_folder(tmp_path / "folder") as partial:
            (partial / "a").write_bytes(b"half")
            raise Interrupted

    with pytest.raises(Interrupted):
        fail()
    assert names(tmp_path) == []


def test_a_folder_that_is_there_already_stays(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_bytes(b"old")
    with pytest.raises(OSError), creating_folder(tmp_path / "folder") as partial:
        (partial / "a").write_bytes(b"new")
    assert (tmp_path / "folder" / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["folder"]
