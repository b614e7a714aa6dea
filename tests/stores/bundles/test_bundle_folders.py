"""A bundle holds folders too: the lexical index is saved, verified, moved and opened with it."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from recsys.errors import ArtifactError, ArtifactMismatchError
from recsys.retrieval.lexical.query_groups import lexical_query
from recsys.retrieval.lexical.writer import LexicalWriter
from recsys.stores.bundles.archives import ArchiveFacts, unpack_archive, write_archive
from recsys.stores.bundles.bundles import (
    extra_file,
    extra_folder,
    load_manifest,
    save_bundle,
    verify_bundle,
)
from recsys.stores.bundles.lexical_files import (
    LEXICAL,
    lexical_working_copy,
    open_lexical,
    write_lexical_extra,
)
from recsys.stores.home_copy import copy_files
from tests.tiny_bundle import tiny_bundle

FACTS = ArchiveFacts(1, "0", "shop-1", None, ())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    bundle = tiny_bundle()
    items = replace(bundle.items, titles=("", *(f"red lamp {n}" for n in range(1, len(bundle.items)))))
    return save_bundle(bundle, tmp_path / "bundles", write_lexical_extra(items))


def first_segment(bundle: Path) -> Path:
    return next((bundle / LEXICAL).glob("*.idx"))


def test_the_index_of_a_bundle_is_hashed_verified_and_opened(saved: Path) -> None:
    manifest = verify_bundle(saved)
    found = extra_folder(saved, manifest, LEXICAL)
    assert found is not None
    assert set(found[1]) == {file.name for file in (saved / LEXICAL).iterdir()}
    index = open_lexical(saved, manifest)
    assert index is not None
    assert index.matching(lexical_query("lamps"), 1).tolist() == list(range(1, len(tiny_bundle().items)))
    assert extra_folder(saved, manifest, "other") is None
    assert extra_file(saved, manifest, LEXICAL) is None


def test_a_changed_file_in_a_folder_is_found_by_the_check_of_the_bundle(saved: Path) -> None:
    with first_segment(saved).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ArtifactMismatchError, match=rf"{LEXICAL}/.*\.idx was changed"):
        verify_bundle(saved)


def test_a_bundle_without_an_index_has_none(tmp_path: Path) -> None:
    path = save_bundle(tiny_bundle(), tmp_path)
    assert open_lexical(path, load_manifest(path)) is None
    assert lexical_working_copy(path, load_manifest(path), tmp_path / "working") is None


def test_a_service_changes_a_copy_of_the_bundles_index(saved: Path, tmp_path: Path) -> None:
    copy = lexical_working_copy(saved, load_manifest(saved), tmp_path / "working")
    assert copy is not None
    with copy, LexicalWriter(copy.path) as writer:
        assert writer.apply([], [1]).matching(lexical_query("lamp 1"), 2).tolist() == []
    verify_bundle(saved)


def test_an_archive_carries_the_index_to_another_machine(saved: Path, tmp_path: Path) -> None:
    write_archive(tmp_path / "shop.zip", saved, FACTS)
    unpack_archive(tmp_path / "shop.zip", tmp_path / "elsewhere" / "shop-1", tmp_path / "report")
    index = open_lexical(tmp_path / "elsewhere" / "shop-1", load_manifest(saved))
    assert index is not None
    assert len(index) == len(tiny_bundle().items) - 1


def test_a_backup_carries_the_index(saved: Path, tmp_path: Path) -> None:
    copy_files(saved, tmp_path / "backup", lambda path: False)
    verify_bundle(tmp_path / "backup")


@pytest.mark.parametrize(
    "name", ["lexical/../../x", "lexical/a/b", "/lexical", "lexical/", "lexical/.hidden", "..", "a//b"]
)
def test_names_in_folders_that_lead_elsewhere_are_refused(saved: Path, tmp_path: Path, name: str) -> None:
    document = json.loads((saved / "manifest.json").read_text())
    document["files"][name] = "0" * 64
    (saved / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="not a valid name for a file"):
        verify_bundle(saved)
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("recsys-bundle.json", "{}")
        archive.writestr(f"bundle/{name}", "x")
    with pytest.raises(ArtifactMismatchError, match="is not an exported bundle"):
        unpack_archive(tmp_path / "bad.zip", tmp_path / "target", tmp_path / "report")


def test_a_folder_within_a_folder_is_refused_when_a_bundle_is_saved(tmp_path: Path) -> None:
    def nested(path: Path) -> None:
        (path / "inner").mkdir(parents=True)
        (path / "inner" / "file").touch()

    with pytest.raises(ArtifactError, match="not a valid name for a file"):
        save_bundle(tiny_bundle(), tmp_path, extras={"lexical": nested})
    assert list(tmp_path.iterdir()) == []
