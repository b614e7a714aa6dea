"""Each process changes a copy of its own; the bundle's files stay as they are, and the dead leave nothing."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from recsys.errors import ArtifactMismatchError
from recsys.retrieval.lexical.build import build_index
from recsys.retrieval.lexical.item_text import ItemText
from recsys.retrieval.lexical.query_groups import lexical_query
from recsys.retrieval.lexical.writer import LexicalWriter
from recsys.stores.bundles.files import file_sha256
from recsys.stores.bundles.working_copies import remove_dead_copies, working_copy


@pytest.fixture
def source(tmp_path: Path) -> Path:
    build_index([ItemText(1, "red lamp"), ItemText(2, "blue lamp")], tmp_path / "lexical")
    return tmp_path / "lexical"


def digests(folder: Path) -> Mapping[str, str]:
    return {file.name: file_sha256(file) for file in folder.iterdir()}


def test_a_copy_is_links_and_changing_it_leaves_the_source_alone(source: Path, tmp_path: Path) -> None:
    before = digests(source)
    with working_copy(source, before, tmp_path / "working") as copy:
        assert copy.linked == len([name for name in before if not name.endswith(".json")])
        with LexicalWriter(copy.path) as writer:
            view = writer.apply([ItemText(1, "green chair")], [2])
            assert view.matching(lexical_query("chair"), 1).tolist() == [1]
            assert view.matching(lexical_query("lamp"), 1).tolist() == []
            for index in range(20):
                writer.apply([ItemText(index + 3, "chair")])
        assert digests(source) == before
    assert digests(source) == before
    assert list((tmp_path / "working").iterdir()) == []


def test_two_copies_of_one_source_do_not_see_each_other(source: Path, tmp_path: Path) -> None:
    with (
        working_copy(source, digests(source), tmp_path / "working") as one,
        working_copy(source, digests(source), tmp_path / "working") as other,
        LexicalWriter(one.path) as first,
        LexicalWriter(other.path) as second,
    ):
        first.apply([], [1])
        assert second.view.matching(lexical_query("lamp"), 1).tolist() == [1, 2]
        assert first.view.matching(lexical_query("lamp"), 1).tolist() == [2]


def test_where_links_are_refused_the_files_are_copied(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr(os, "link", refused)
    with working_copy(source, digests(source), tmp_path / "working") as copy:
        assert copy.linked == 0
        assert digests(copy.path) == digests(source)


def test_a_changed_or_missing_file_is_named_and_nothing_is_left(source: Path, tmp_path: Path) -> None:
    before = digests(source)
    file = next(source.glob("*.idx"))
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(ArtifactMismatchError, match="was changed since it was written"):
        working_copy(source, before, tmp_path / "working")
    file.unlink()
    with pytest.raises(ArtifactMismatchError, match="cannot be read"):
        working_copy(source, before, tmp_path / "working")
    assert not (tmp_path / "working").exists()


DYING = """
import os, sys
from pathlib import Path
from recsys.stores.bundles.files import file_sha256
from recsys.stores.bundles.working_copies import working_copy
source, folder = Path(sys.argv[1]), Path(sys.argv[2])
copy = working_copy(source, {file.name: file_sha256(file) for file in source.iterdir()}, folder)
print(copy.path.name, flush=True)
os.kill(os.getpid(), 9)
"""


def test_the_copy_of_a_killed_process_is_removed_by_the_next_and_a_living_one_is_kept(
    source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "working"
    with working_copy(source, digests(source), folder) as living:
        dead = subprocess.run(
            [sys.executable, "-c", DYING, str(source), str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (folder / dead.stdout.strip()).is_dir()
        (folder / "1-without-a-lock").mkdir()
        assert remove_dead_copies(folder) == 2
        assert sorted(path.name for path in folder.iterdir()) == [
            living.path.name,
            f"{living.path.name}.lock",
        ]
