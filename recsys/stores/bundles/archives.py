"""A bundle as one file that goes to another machine, with what the registry knows of it; never a pickle.

A zip archive without compression, so that it unpacks to no more than its own size:

    recsys-bundle.json      format, bundle id, run and evaluations
    bundle/<name>           every file of the bundle, its manifest with their SHA-256 included; <name> may
                            be <folder>/<name>
    report/<name>           the model card with its test, where there was one
"""

import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from recsys.atomic import creating_folder, replacing
from recsys.errors import ArtifactError, ArtifactMismatchError
from recsys.models.manifest import Manifest
from recsys.stores.bundles.bundles import MANIFEST, load_manifest, verify_bundle
from recsys.stores.registry.records import EvaluationRecord, RunRecord

ARCHIVE_FORMAT = 1
_FACTS = "recsys-bundle.json"
_MOST_FACTS = 16 << 20  # bytes of JSON that are held in memory
_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"  # in its own folder and nowhere else
_ENTRY = re.compile(f"(bundle/{_NAME}(/{_NAME})?|report/{_NAME})")
_AGAIN = "Export it again with `recsys models export`"


@dataclass(frozen=True)
class ArchiveFacts:
    """What the registry that a bundle comes from knows of it."""

    __pydantic_config__ = ConfigDict(extra="forbid", ser_json_inf_nan="strings")

    format: int
    recsys: str  # the version that wrote it
    bundle_id: Annotated[str, Field(pattern=f"^{_NAME}$")]
    run: RunRecord | None
    evaluations: tuple[EvaluationRecord, ...]


_JSON: TypeAdapter[ArchiveFacts] = TypeAdapter(ArchiveFacts)


def write_archive(file: Path, bundle: Path, facts: ArchiveFacts, report: Sequence[Path] = ()) -> None:
    """Writes the bundle at `bundle`, verified before, as one file; all of it or nothing.

    Args:
        report: files that go along, as they are.

    Raises:
        ArtifactError: it is not whole, or the file cannot be written.
    """
    manifest = verify_bundle(bundle)
    entries = {f"bundle/{name}": bundle / name for name in (MANIFEST, *manifest.files)}
    entries |= {f"report/{path.name}": path for path in report}
    try:
        with replacing(file) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_FACTS, _JSON.dump_json(facts, indent=2))
            for name, path in entries.items():
                archive.write(path, name)
    except OSError as error:
        raise ArtifactError(f"{file} could not be written: {error}. Make room or name another.") from error


def read_facts(file: Path) -> ArchiveFacts:
    """What an archive says of its bundle; nothing is unpacked.

    Raises:
        ArtifactMismatchError: it is no archive of a bundle, or of another format.
    """
    with _opened(file) as (archive, entries):
        return _facts(file, archive, entries)


def unpack_archive(file: Path, target: Path, report: Path) -> Manifest:
    """Puts the bundle of an archive at `target`, whole and verified or not at all, and its report's files.

    A `target` that holds the very same bundle already is left as it is.

    Raises:
        ArtifactMismatchError: it is not whole, of another format, or holds what it should not.
        ArtifactError: another bundle lies at `target`, or the disk refuses.
    """
    with _opened(file) as (archive, entries):
        facts = _facts(file, archive, entries)
        try:
            if target.exists():
                manifest = _same_bundle(file, archive, target)
            else:
                with creating_folder(target) as draft:
                    _extract(archive, entries, "bundle/", draft)
                    manifest = _verified(file, draft, entries, facts)
            if any(name.startswith("report/") for name in entries):
                report.mkdir(parents=True, exist_ok=True)
                _extract(archive, entries, "report/", report)
        except OSError as error:
            raise ArtifactError(
                f"{target} could not be written: {error}. Make room; nothing was left behind."
            ) from error
    return manifest


@contextmanager
def _opened(file: Path) -> Iterator[tuple[zipfile.ZipFile, Mapping[str, zipfile.ZipInfo]]]:
    """The archive and its entries by name, none of which leaves its folder or unpacks to more than it is.

    Raises:
        ArtifactMismatchError: it is no such archive, or it is damaged, now or while the block reads it.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            strange = [name for name in entries if name != _FACTS and not _ENTRY.fullmatch(name)]
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values())
            size = sum(entry.file_size for entry in archive.infolist())
            if strange or packed or _FACTS not in entries or len(entries) < len(archive.infolist()):
                what = f"it has {strange[0]!r}" if strange else "its entries are not those of an export"
                raise ArtifactMismatchError(f"{file} is not an exported bundle: {what}. {_AGAIN}.")
            if size > file.stat().st_size:
                raise ArtifactMismatchError(f"{file} says that it unpacks to more than it is. {_AGAIN}.")
            yield archive, entries
    except OSError as error:
        raise ArtifactError(
            f"{file} cannot be read: {error.strerror or error}. "
            "Name a file that `recsys models export` wrote."
        ) from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ArtifactMismatchError(
            f"{file} is no exported bundle, or damaged: {error}. Copy it again, or e{_AGAIN[1:]}."
        ) from error


def _facts(file: Path, archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> ArchiveFacts:
    if entries[_FACTS].file_size > _MOST_FACTS:
        raise ArtifactMismatchError(f"{file}: {_FACTS} is too large to be believed. {_AGAIN}.")
    try:
        facts = _JSON.validate_json(archive.read(_FACTS))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ArtifactMismatchError(f"{file}: {_FACTS}: {name}: {first['msg']}. {_AGAIN}.") from error
    if facts.format != ARCHIVE_FORMAT:
        raise ArtifactMismatchError(
            f"{file} was exported in format {facts.format} by recsys {facts.recsys}; this version reads "
            f"{ARCHIVE_FORMAT}. Install that version, or e{_AGAIN[1:]} of this one."
        )
    return facts


def _extract(
    archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], prefix: str, folder: Path
) -> None:
    for name, entry in entries.items():
        if name.startswith(prefix):
            path = folder / name.removeprefix(prefix)
            path.parent.mkdir(exist_ok=True)
            with archive.open(entry) as packed, path.open("wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)


def _verified(
    file: Path, draft: Path, entries: Mapping[str, zipfile.ZipInfo], facts: ArchiveFacts
) -> Manifest:
    """The manifest of what was unpacked, once every file is found to be what it lists."""
    try:
        manifest = verify_bundle(draft)
    except ArtifactError as error:
        raise type(error)(str(error).replace(str(draft), str(file))) from error
    listed = {f"bundle/{name}" for name in (MANIFEST, *manifest.files)}
    extra = sorted(name for name in entries if name.startswith("bundle/") and name not in listed)
    if extra or manifest.bundle_id != facts.bundle_id:
        what = f"{extra[0]} is not in its manifest" if extra else f"its manifest names {manifest.bundle_id!r}"
        raise ArtifactMismatchError(f"{file} is not an exported bundle: {what}. {_AGAIN}.")
    return manifest


def _same_bundle(file: Path, archive: zipfile.ZipFile, target: Path) -> Manifest:
    """The manifest of the bundle at `target`, if the archive holds the same."""
    manifest = load_manifest(target)
    if archive.read(f"bundle/{MANIFEST}") != (target / MANIFEST).read_bytes():
        raise ArtifactError(
            f"{target} holds another bundle of the id {manifest.bundle_id!r} than {file}. Bundles never "
            "change: move that folder away if it is not needed."
        )
    return verify_bundle(target)
