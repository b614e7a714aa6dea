"""The index as an immutable folder: written once, opened with a look at who wrote it."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recsys.analysis.analyzer import ANALYZER_VERSION, Analyzer
from recsys.errors import ArtifactMismatchError
from recsys.retrieval.lexical.item_text import ItemText
from recsys.retrieval.lexical.schema import document, field_terms, index_schema

INDEX_FORMAT = 1  # of the fields and of what lies in the folder
WRITTEN_BY = "lexical.json"
_HEAP_BYTES = 256 << 20


@dataclass(frozen=True)
class IndexWriterVersions:
    """Who wrote an index: an index is read by the same only."""

    format: int
    analyzer: str
    tantivy: str


def versions_of_today() -> IndexWriterVersions:
    """What this process would write."""
    import tantivy

    return IndexWriterVersions(INDEX_FORMAT, ANALYZER_VERSION, str(tantivy.__version__))


def build_index(items: Iterable[ItemText], folder: Path, threads: int = 1) -> int:
    """Writes the index of `items` into `folder`, which is made; returns how many items it has.

    Raises:
        OSError: the folder exists and holds something, or the disk refuses.
    """
    import tantivy

    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; an index never changes. Name a new folder.")
    index = tantivy.Index(index_schema(), path=str(folder))
    analyzer = Analyzer()
    # No `with` here: tantivy's commits what was added before an error.
    writer = index.writer(_HEAP_BYTES, num_threads=threads)
    count = 0
    for item in items:
        writer.add_document(document(item.index, field_terms(item, analyzer)))
        count += 1
    writer.commit()
    writer.wait_merging_threads()
    for file in folder.glob(".*"):  # locks and the writer's own notes are no part of the index
        file.unlink()
    text = json.dumps({**asdict(versions_of_today()), "items": count}, indent=2)
    (folder / WRITTEN_BY).write_text(text + "\n", "utf-8")
    return count


def check_index(folder: Path) -> None:
    """Makes sure that this process can read the index at `folder`, before anything of it is loaded.

    Raises:
        ArtifactMismatchError: another version wrote it, or it is no index; it is built anew then.
    """
    try:
        found = json.loads((folder / WRITTEN_BY).read_text("utf-8"))
        written = {name: found.get(name) for name in asdict(versions_of_today())}
    except (OSError, ValueError, AttributeError) as error:
        raise ArtifactMismatchError(f"{folder} holds no lexical index: {error}. {_REMEDY}") from error
    for name, today in asdict(versions_of_today()).items():
        if written[name] != today:
            raise ArtifactMismatchError(
                f"the lexical index at {folder} was written with {name} {written[name]!r}; "
                f"this version reads {today!r}. {_REMEDY}"
            )


_REMEDY = "It is built anew from the catalog of its bundle, or by `recsys train`."


def opened_index(folder: Path) -> Any:
    """tantivy's index at `folder`: the one place where one is opened.

    Raises:
        ArtifactMismatchError: see `check_index`; or its files are damaged.
    """
    import tantivy

    check_index(folder)
    try:
        return tantivy.Index.open(str(folder))
    except ValueError as error:
        raise ArtifactMismatchError(
            f"the lexical index at {folder} is damaged: {error}. {_REMEDY}"
        ) from error


def copy_index(source: Path, target: Path) -> None:
    """Copies the files of an index byte by byte into `target`, which is made; not the locks of readers."""
    target.mkdir(parents=True)
    for file in source.glob("[!.]*"):
        shutil.copyfile(file, target / file.name)
