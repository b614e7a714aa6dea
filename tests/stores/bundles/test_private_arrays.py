"""Arrays of a bundle are private copies: who has loaded them does not feel what happens to the file."""

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.errors import ArtifactMismatchError
from recsys.stores.bundles.files import file_sha256, read_arrays, write_arrays

VECTORS = np.arange(600_000, dtype=np.float32).reshape(-1, 6)
NONE = np.zeros((0, 4), np.int64)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "arrays.safetensors"
    write_arrays({"vectors": VECTORS, "none": NONE}, path)
    return path


def mapped_files() -> list[str]:
    return [line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()]


@pytest.mark.parametrize(
    "damage", [lambda path: os.truncate(path, 0), lambda path: path.write_bytes(b"\xff")]
)
def test_a_file_that_is_cut_short_or_written_to_in_place_changes_no_array(file: Path, damage: Any) -> None:
    arrays = read_arrays(file, file_sha256(file))
    assert str(file) not in mapped_files(), "the next access would kill this process"
    damage(file)
    assert np.array_equal(arrays["vectors"], VECTORS)
    assert arrays["none"].shape == (0, 4)


def test_arrays_may_be_written_to(file: Path) -> None:
    before = file_sha256(file)
    arrays = read_arrays(file)
    arrays["vectors"][0] = -1
    assert arrays["vectors"][0].tolist() == [-1] * 6
    assert file_sha256(file) == before
    assert read_arrays(file)["vectors"][0, 0] == 0


def test_no_file_is_left_beside_the_arrays(file: Path) -> None:
    arrays = read_arrays(file)
    assert list(file.parent.iterdir()) == [file]
    assert arrays["vectors"].size


def test_without_room_for_a_copy_the_arrays_are_in_memory(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    assert np.array_equal(read_arrays(file, file_sha256(file))["vectors"], VECTORS)


def test_a_file_that_changes_while_it_is_read_is_refused(file: Path) -> None:
    with pytest.raises(ArtifactMismatchError, match="changed while it was read"):
        read_arrays(file, "0" * 64)
