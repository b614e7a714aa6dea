"""The index of words of one process: a working copy of the bundle's, which takes what changes."""

import logging
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from recsys.dataset.item_table import ItemTable
from recsys.errors import ArtifactMismatchError
from recsys.models.manifest import Manifest
from recsys.retrieval.lexical.build import build_index
from recsys.retrieval.lexical.index import LexicalIndex
from recsys.retrieval.lexical.item_text import ItemText, item_text, item_texts
from recsys.retrieval.lexical.writer import LexicalWriter
from recsys.stores.bundles.bundles import extra_folder
from recsys.stores.bundles.working_copies import WorkingCopy, working_copy

log = logging.getLogger(__name__)


class LiveWords:
    """A working copy and its writer; one thread at a time changes it.

    Attributes:
        view: the index as of the last change.
    """

    def __init__(self, writer: LexicalWriter, copy: WorkingCopy | None, rebuilt: Path | None) -> None:
        self._writer = writer
        self._copy = copy
        self._rebuilt = rebuilt
        self.view: LexicalIndex = writer.view

    def apply(self, items: ItemTable, index: Sequence[int]) -> LexicalIndex:
        """A view that knows the items at `index`, new or changed, as `items` has them.

        Raises:
            ArtifactError: the disk refuses; the view stays as it was.
        """
        self.view = self._writer.apply(_changed_texts(items, index))
        return self.view

    def close(self) -> None:
        """Removes the copy; views that were given out go on."""
        self._writer.close()
        if self._copy is not None:
            self._copy.close()
        if self._rebuilt is not None:
            shutil.rmtree(self._rebuilt, ignore_errors=True)


def open_live_words(path: Path, manifest: Manifest, name: str, items: ItemTable, folder: Path) -> LiveWords:
    """The index `name` of the bundle at `path`, built anew where it is damaged or of another version.

    Args:
        folder: where working copies lie.

    Raises:
        OSError: the disk refuses.
    """
    try:
        found = extra_folder(path, manifest, name)
        if found is None:
            raise ArtifactMismatchError(f"{path} has no index {name!r}.")
        copy = working_copy(*found, folder)
    except ArtifactMismatchError as error:
        return _rebuilt(items, folder, error)
    try:
        return LiveWords(LexicalWriter(copy.path), copy, None)
    except ArtifactMismatchError as error:
        copy.close()
        return _rebuilt(items, folder, error)


def _rebuilt(items: ItemTable, folder: Path, reason: ArtifactMismatchError) -> LiveWords:
    log.warning("the index of words is built anew: %s", reason)
    folder.mkdir(parents=True, exist_ok=True)
    target = Path(tempfile.mkdtemp(prefix="rebuilt-", dir=folder))
    build_index(item_texts(items), target)
    return LiveWords(LexicalWriter(target), None, target)


def _changed_texts(items: ItemTable, index: Sequence[int]) -> list[ItemText]:
    """What words say of the items at `index`."""
    return [
        item_text(
            place,
            items.vocabulary.ids[place],
            items.title_words(place),
            category=items.categories[place],
            brand=items.brands[place],
            attributes=items.attributes[place],
        )
        for place in index
    ]
