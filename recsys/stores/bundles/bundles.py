"""Bundles on disk: one folder that describes itself, never a pickle.

    <folder>/<bundle_id>/
      manifest.json           what it is, and the SHA-256 of every other file; written last
      description.json        how to rebuild the networks
      retriever.safetensors   fusion.safetensors   ranker.safetensors (where there is a ranker)
      click_model.safetensors (where there is a click model)
      arrays.safetensors      item and text vectors, popularity, events, neighbours of three kinds
      items.parquet           the catalog by item index, padding row included
      ...                     extra files and folders, for example a search index: see `extras`

A folder under its final name is whole: it is written under another name, flushed and then renamed.
"""

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from recsys.atomic import creating_folder
from recsys.dataset.item_vectors import layout_text, parse_layout
from recsys.errors import ArtifactError, ArtifactMismatchError, ArtifactNotFoundError
from recsys.models.manifest import BUNDLE_FORMAT, Manifest
from recsys.stores.bundles.files import (
    file_sha256,
    read_arrays,
    read_items,
    read_tensors,
    write_arrays,
    write_items,
    write_tensors,
)

if TYPE_CHECKING:  # who only reads manifests needs no torch
    from torch import Tensor

    from recsys.models.bundle import Bundle

MANIFEST = "manifest.json"
DESCRIPTION = "description.json"
RETRIEVER = "retriever.safetensors"
RANKER = "ranker.safetensors"
CLICK_MODEL = "click_model.safetensors"
ARRAYS = "arrays.safetensors"
ITEM_FILE = "items.parquet"
FUSION = "fusion.safetensors"
ARRAY_NAMES = (
    "item_vectors",
    "text_vectors",
    "popularity",
    "neighbours",
    "neighbour_scores",
    "text_neighbours",
    "text_scores",
    "word_neighbours",
    "word_scores",
    "item_events",
)

READY_VECTORS = "ready_vectors"  # only where the catalog has some

Extras = Mapping[str, Callable[[Path], None]]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FILE = re.compile(rf"{_NAME.pattern}(?:/{_NAME.pattern})?")  # in the bundle, or in a folder of it


class Rebuildable(Protocol):
    """A class of network that is rebuilt from its description and its tensors."""

    def rebuild(self, description: dict[str, Any], tensors: dict[str, "Tensor"]) -> Any:
        """The network that was described so, with these tensors."""


def save_bundle(bundle: "Bundle", folder: Path, extras: Extras | None = None) -> Path:
    """Writes `bundle` as `folder/<bundle_id>` and returns that path; all of it or nothing.

    Args:
        extras: name -> function that writes a file, or a folder of files, at the path it is given. They
            are hashed and verified like the others; `extra_file` and `extra_folder` find them again.

    Raises:
        ArtifactError: such a bundle exists already, its arrays do not fit each other, or the disk is full.
    """
    target = folder / _check_name(bundle.manifest.bundle_id, "bundle")
    for name in extras or {}:
        _check_name(name, "file")
    _check_rows(bundle)
    if target.exists():
        raise ArtifactError(f"{target} exists already, and bundles never change. Choose another bundle id.")
    with _bundle_folder(target) as draft:
        _write_parts(bundle, draft)
        for name, write in (extras or {}).items():
            write(draft / name)
        digests = {name: file_sha256(draft / name) for name in _file_names(draft)}
        manifest = bundle.manifest.model_copy(update={"files": digests})
        (draft / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", "utf-8")
    return target


def new_bundle_id(dataset: str, now: datetime) -> str:
    """An id for a bundle trained on `dataset` at `now`; any name of a data set will do.

    >>> new_bundle_id("Ada's shop (2025)", datetime(2025, 3, 1, 12, 30, 15))[:-4]
    'Ada-s-shop-2025-20250301-123015-'
    """
    name = re.sub(r"[^A-Za-z0-9._]+", "-", dataset).strip("-._")[:60] or "shop"
    return f"{name}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def load_bundle(
    path: Path,
    expected: Mapping[str, str] | None = None,
    *,
    retriever: Rebuildable | None = None,
    fusion: Rebuildable | None = None,
    ranker: Rebuildable | None = None,
) -> "Bundle":
    """The bundle at `path`, verified; nothing that is later done to its files reaches it.

    Args:
        expected: see `verify_bundle`.
        retriever, fusion, ranker: classes to rebuild; by default those of `recsys.models`.

    Raises:
        ArtifactNotFoundError: no bundle there.
        ArtifactMismatchError: it was changed since it was written, or made by or for something else.
    """
    from recsys.models.bundle import Bundle
    from recsys.models.ctr.shop_model import ShopClickModel
    from recsys.models.fusion import Fusion
    from recsys.models.ranker import Ranker
    from recsys.models.retriever.retriever import Retriever
    from recsys.models.signals import SignalTables

    manifest = verify_bundle(path, expected)
    description = json.loads((path / DESCRIPTION).read_text("utf-8"))
    arrays = read_arrays(path / ARRAYS, manifest.files[ARRAYS])
    missing = [name for name in ARRAY_NAMES if name not in arrays]
    if missing:
        raise ArtifactMismatchError(f"{path / ARRAYS} lacks {', '.join(missing)}. Run `recsys train`.")

    def tensors(name: str) -> dict[str, "Tensor"]:
        return read_tensors(path / name, manifest.files.get(name))

    ranks = description["ranker"] is not None
    clicks = description.get("click_model")  # bundles of earlier versions lack it
    bundle = Bundle(
        manifest=manifest,
        items=replace(
            read_items(path / ITEM_FILE),
            vectors=arrays.get(READY_VECTORS),
            vector_layout=parse_layout(description.get("vector_layout", "")),
        ),
        retriever=(retriever or Retriever).rebuild(description["retriever"], tensors(RETRIEVER)),
        fusion=(fusion or Fusion).rebuild(description["fusion"], tensors(FUSION)),
        ranker=(ranker or Ranker).rebuild(description["ranker"], tensors(RANKER)) if ranks else None,
        click_model=ShopClickModel.rebuild(clicks, tensors(CLICK_MODEL)) if clicks else None,
        text_vectors=arrays["text_vectors"],
        signal_tables=SignalTables.from_arrays(arrays),
    )
    _check_rows(bundle)
    return bundle


def verify_bundle(path: Path, expected: Mapping[str, str] | None = None) -> Manifest:
    """The manifest of the bundle at `path`, after every file's hash was found right.

    Args:
        expected: FeatureService name -> schema hash of today; every service of the bundle must fit.

    Raises:
        ArtifactNotFoundError: no bundle there.
        ArtifactMismatchError: a file is missing or changed, or a service has another schema.
    """
    manifest = load_manifest(path)
    if expected is not None:
        _check_services(manifest, expected)
    needed = {DESCRIPTION, RETRIEVER, FUSION, ARRAYS, ITEM_FILE}
    for name in sorted(needed - set(manifest.files)):
        raise ArtifactMismatchError(f"the manifest of {path} does not list {name}. Run `recsys train`.")
    for name, digest in manifest.files.items():
        _check_file(path, name, digest)
    return manifest


def load_manifest(path: Path) -> Manifest:
    """What the bundle at `path` says of itself; nothing else is read or verified.

    Raises:
        ArtifactNotFoundError: no bundle there.
        ArtifactMismatchError: another format, or no manifest that can be read.
    """
    file = path / MANIFEST
    try:
        document = json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(
            f"no bundle at {path}: {MANIFEST} is missing. `recsys models list` shows those there are."
        ) from error
    except (OSError, ValueError) as error:
        raise ArtifactMismatchError(f"{file} cannot be read: {error}. Run `recsys train`.") from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != BUNDLE_FORMAT:
        raise ArtifactMismatchError(
            f"{path} has bundle format {found!r}; this version reads {BUNDLE_FORMAT}. "
            "Run `recsys train`, or serve it with the version that wrote it."
        )
    try:
        return Manifest.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ArtifactMismatchError(f"{file}: {name}: {first['msg']}. Run `recsys train`.") from error


def extra_file(path: Path, manifest: Manifest, name: str) -> Path | None:
    """The extra file `name` of the bundle at `path`; None if it was saved without."""
    return path / _check_name(name, "file") if name in manifest.files else None


def extra_folder(path: Path, manifest: Manifest, name: str) -> tuple[Path, Mapping[str, str]] | None:
    """The extra folder `name` of the bundle at `path` and its files' SHA-256; None if saved without."""
    prefix = _check_name(name, "folder") + "/"
    files = {
        file.removeprefix(prefix): digest
        for file, digest in manifest.files.items()
        if file.startswith(prefix)
    }
    return (path / name, files) if files else None


def _file_names(folder: Path) -> list[str]:
    """Every file in `folder` and in its folders, by its name from there on."""
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return sorted(_check_name(path.relative_to(folder).as_posix(), "file", _FILE) for path in files)


def _write_parts(bundle: "Bundle", draft: Path) -> None:
    description: dict[str, Any] = {
        "retriever": bundle.retriever.describe(),
        "fusion": bundle.fusion.describe(),
        "ranker": None,
        "vector_layout": layout_text(bundle.items.vector_layout),
    }
    write_tensors(bundle.retriever.state_dict(), draft / RETRIEVER)
    write_tensors(bundle.fusion.state_dict(), draft / FUSION)
    if bundle.ranker is not None:
        description["ranker"] = bundle.ranker.describe()
        write_tensors(bundle.ranker.state_dict(), draft / RANKER)
    if bundle.click_model is not None:
        description["click_model"] = bundle.click_model.describe()
        write_tensors(bundle.click_model.tensors(), draft / CLICK_MODEL)
    (draft / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", "utf-8")
    arrays = bundle.arrays()
    if bundle.items.vectors is not None:
        arrays[READY_VECTORS] = bundle.items.vectors
    write_arrays(arrays, draft / ARRAYS)
    write_items(bundle.items, draft / ITEM_FILE)


@contextmanager
def _bundle_folder(target: Path) -> Iterator[Path]:
    """A folder to write in, which becomes `target` when the block ends well and is gone otherwise."""
    try:
        with creating_folder(target) as draft:
            yield draft
    except OSError as error:
        raise ArtifactError(
            f"{target} could not be written: {error}. Make room or choose another RECSYS_HOME; "
            "nothing was left behind."
        ) from error


def _check_services(manifest: Manifest, expected: Mapping[str, str]) -> None:
    for service, made_for in manifest.services.items():
        today = expected.get(service, "no such service")
        if today != made_for:
            raise ArtifactMismatchError(
                f"bundle {manifest.bundle_id!r} was trained on feature service {service!r} with schema "
                f"{made_for}, but the feature repository has {today}. Run `recsys train`, "
                "or go back to the feature definitions of then."
            )


def _check_file(path: Path, name: str, digest: str) -> None:
    file = path / _check_name(name, "file", _FILE)
    try:
        found = file_sha256(file)
    except OSError as error:
        raise ArtifactMismatchError(
            f"{file} cannot be read: {error}. Copy the bundle again, or run `recsys train`."
        ) from error
    if found != digest:
        raise ArtifactMismatchError(
            f"{file} was changed since it was written: SHA-256 {found}, not {digest}. "
            "Copy the bundle again, or run `recsys train`."
        )


def _check_rows(bundle: "Bundle") -> None:
    rows = len(bundle.items)
    for name, array in bundle.arrays().items():
        if len(array) != rows:
            raise ArtifactMismatchError(
                f"bundle {bundle.manifest.bundle_id!r}: {name} has {len(array)} rows for {rows} items, "
                "padding included. Run `recsys train`."
            )


def _check_name(name: str, what: str, pattern: re.Pattern[str] = _NAME) -> str:
    """`name`, if it names something in its own folder and nowhere else."""
    if not pattern.fullmatch(name):
        raise ArtifactError(
            f"{name!r} is not a valid name for a {what}: use up to 100 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit."
        )
    return name
