"""What search looks things up in: one state of the catalog as indexes and columns. Immutable."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from recsys.dataset.item_table import ItemTable
from recsys.models.bundle import Bundle
from recsys.retrieval.text_index import TextIndex
from recsys.search.facets import FacetColumns
from recsys.search.matching import WordIndex
from recsys.search.products import Products


class WordWriter(Protocol):
    """What changes the index of words of one process; one thread at a time."""

    def apply(self, items: ItemTable, index: Sequence[int]) -> WordIndex:
        """An index that knows the items at `index` as `items` has them."""
        ...


class Threshold(Protocol):
    """From which cosine on an item is near in meaning to a query."""

    def of(self, words: int, background: tuple[float, float]) -> float:
        """The threshold of a query of `words` words.

        Args:
            background: of the query, see `TextIndex.background`.
        """
        ...


@dataclass(frozen=True)
class SearchIndex:
    """One state of the catalog, ready to be searched.

    Attributes:
        items: the catalog by item index. trained: rows of it that the bundle was made with.
        words: None where the index of words could not be opened.
        meaning: None where no item has a text vector. threshold: for it.
        writer: takes changed items; None where they are left out.
    """

    items: ItemTable
    trained: int
    words: WordIndex | None
    meaning: TextIndex | None
    threshold: Threshold
    products: Products
    columns: FacetColumns
    writer: WordWriter | None = None

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        words: WordIndex | None,
        meaning: TextIndex | None,
        threshold: Threshold,
        writer: WordWriter | None = None,
    ) -> "SearchIndex":
        """The index of `bundle`'s catalog."""
        items = bundle.items
        return cls(
            items, len(items), words, meaning, threshold, Products.of(items), FacetColumns(items), writer
        )

    def with_changes(self, bundle: Bundle, item_ids: Sequence[str]) -> "SearchIndex":
        """The index of a bundle that differs in the items `item_ids`, new ones included.

        Raises:
            ArtifactError: the index of words cannot be changed.
        """
        items = bundle.items
        index = items.vocabulary.indexes(list(item_ids))
        reworded = items.with_other_words(self.items, index).tolist()
        words = self.writer.apply(items, reworded) if self.writer is not None and reworded else self.words
        return replace(
            self,
            items=items,
            words=words,
            meaning=None if self.meaning is None else self.meaning.with_rows(bundle.text_vectors, index),
            products=self.products.with_items(items, index),
            columns=self.columns.with_items(items, index),
        )
