"""The lexical index of a bundle: written with it, opened from it."""

from collections.abc import Sequence
from pathlib import Path

from recsys.dataset.item_table import ItemTable
from recsys.models.manifest import Manifest
from recsys.retrieval.lexical.build import build_index
from recsys.retrieval.lexical.index import LexicalIndex, open_index
from recsys.retrieval.lexical.item_text import item_texts
from recsys.stores.bundles.bundles import Extras, extra_folder
from recsys.stores.bundles.working_copies import WorkingCopy, working_copy

LEXICAL = "lexical"  # the folder within a bundle


def write_lexical_extra(items: ItemTable, texts: Sequence[str] | None = None) -> Extras:
    """The lexical index of the catalog, to be saved with a bundle: see `save_bundle`.

    Args:
        texts: (N + 1) long texts of the items; None = none is known.
    """

    def write(folder: Path) -> None:
        build_index(item_texts(items, texts), folder)

    return {LEXICAL: write}


def open_lexical(bundle: Path, manifest: Manifest) -> LexicalIndex | None:
    """The index of the bundle at `bundle`, to read; None if it was saved without.

    Raises:
        ArtifactMismatchError: written by another version; `build_index` makes one anew.
    """
    found = extra_folder(bundle, manifest, LEXICAL)
    return None if found is None else open_index(found[0])


def lexical_working_copy(bundle: Path, manifest: Manifest, folder: Path) -> WorkingCopy | None:
    """A copy of the bundle's index below `folder` that this process may change; None if it has none.

    Raises:
        ArtifactMismatchError: see `working_copy`.
    """
    found = extra_folder(bundle, manifest, LEXICAL)
    return None if found is None else working_copy(*found, folder)
