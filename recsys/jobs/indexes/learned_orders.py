"""The orders of search that a home learned by `recsys search train`; whatever serves reads the newest."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np

from recsys.analysis.analyzer import Analyzer
from recsys.arrays import IntArray
from recsys.dataset.item_table import ItemTable
from recsys.search.relevance.learned import LearnedOrder, RelevanceReader
from recsys.stores.bundles.search_files import RANKER, read_search_ranker


def newest_order(folder: Path) -> Path | None:
    """The order that was learned last, of those in `folder`; None where there is none."""
    found = sorted(path.parent for path in folder.glob(f"*/{RANKER}"))
    return found[-1] if found else None


def open_order(path: Path, items: ItemTable, analyzer: Analyzer) -> LearnedOrder:
    """The order at `path`, for these items; takes seconds for a large catalog.

    Raises:
        ArtifactMismatchError: it cannot be read, or reads other features than today's.
    """
    return LearnedOrder(read_search_ranker(path), RelevanceReader.of(items, analyzer), path.name)


def changed_rows(before: ItemTable, after: ItemTable) -> IntArray:
    """Ascending rows whose words differ, new ones among them."""

    def rows(items: ItemTable) -> Iterator[tuple[str, ...]]:
        return zip(items.words_of_titles, items.categories, items.brands, items.attributes, strict=True)

    pairs = zip_longest(rows(before), rows(after))
    found: IntArray = np.array([row for row, (old, new) in enumerate(pairs) if old != new], np.int64)
    return found
