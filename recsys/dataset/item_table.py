"""The catalog by item index, from the item side of the feature store."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.catalog import is_titled
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.item_vectors import (
    VectorLayout,
    common_layout,
    layout_text,
    parse_layout,
    ready_matrix,
)

if TYPE_CHECKING:  # a service that only reads the table needs no pandas
    import pandas as pd


@dataclass(frozen=True)
class ItemTable:
    """The catalog by item index; row 0 is padding. All sequences have N + 1 entries and never change.

    Attributes:
        products: what the variants of one product share, "" where the item is its own product.
        category_paths: from the widest category to the narrowest, `Home/Kitchen/Pots`; "" where unknown.
        first_at: (N + 1,) microseconds, when the item entered the shop; 0 where unknown.
            The three may be left out: nothing is known of any item then.
    """

    vocabulary: Vocabulary
    titles: Sequence[str]
    categories: Sequence[str]  # "" where unknown
    brands: Sequence[str]
    price_micros: IntArray  # -1 where unknown
    available: BoolArray
    attributes: Sequence[str]  # JSON objects
    titled: BoolArray | None = None  # (N + 1,) false where the id is shown for a title; None = all true
    vectors: FloatArray | None = None  # (N + 1, V) ready vectors in the layout; None = none
    vector_layout: VectorLayout = ()
    products: Sequence[str] = ()
    category_paths: Sequence[str] = ()
    first_at: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        for name in ("products", "category_paths"):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, ("",) * len(self))
        if not len(self.first_at):
            object.__setattr__(self, "first_at", np.zeros(len(self), np.int64))

    def __len__(self) -> int:
        return len(self.titles)

    @property
    def words_of_titles(self) -> Sequence[str]:
        """(N + 1,) titles, "" where there is only the id: an id is shown, but it is never text."""
        if self.titled is None:
            return self.titles
        return tuple(
            title if titled else "" for title, titled in zip(self.titles, self.titled.tolist(), strict=True)
        )

    def title_words(self, index: int) -> str:
        """The one at `index` of `words_of_titles`."""
        return self.titles[index] if self.titled is None or self.titled[index] else ""

    def with_other_words(self, before: "ItemTable", index: IntArray) -> IntArray:
        """Those of the items at `index` that are new since `before`, or have other words in some field."""

        def words(items: ItemTable, place: int) -> tuple[str, ...]:
            return (
                items.title_words(place),
                items.categories[place],
                items.brands[place],
                items.attributes[place],
            )

        others = [
            place
            for place in index.tolist()
            if place >= len(before) or words(self, place) != words(before, place)
        ]
        return np.array(others, np.int64)

    @property
    def ready_vectors(self) -> FloatArray:
        """(N + 1, V), V = 0 where there are none."""
        return np.zeros((len(self), 0), np.float32) if self.vectors is None else self.vectors


def item_table(rows: "pd.DataFrame", vocabulary: Vocabulary) -> ItemTable:
    """The table of `vocabulary`'s items from rows of the catalog service, one row an item in index order.

    Args:
        rows: len(vocabulary) - 1 rows, row i describes item index i + 1.
    """

    def texts(name: str, padding: str) -> tuple[str, ...]:
        return (padding, *rows[name].fillna("").astype(str))

    def carried_texts(name: str) -> tuple[str, ...]:  # rows of a registry that is applied no more lack them
        return texts(name, "") if name in rows else ()

    layout, vectors = _ready_vectors(rows)
    titles = texts(columns.TITLE, "")
    prices = rows[columns.PRICE_MICROS].astype("Int64").fillna(-1).to_numpy(np.int64)
    available = rows[columns.AVAILABLE].fillna(True).to_numpy(bool)
    first_at = np.zeros(len(rows), np.int64)
    if columns.FIRST_AT in rows:
        first_at = rows[columns.FIRST_AT].fillna(0).to_numpy(np.int64)
    return ItemTable(
        vocabulary=vocabulary,
        titles=titles,
        categories=texts(columns.CATEGORY, ""),
        brands=texts(columns.BRAND, ""),
        price_micros=np.concatenate([[-1], prices]),
        available=np.concatenate([[False], available]),
        attributes=texts(columns.ATTRIBUTES, "{}"),
        titled=_titled(vocabulary, titles, rows),
        vectors=vectors,
        vector_layout=layout,
        products=carried_texts(columns.PRODUCT_ID),
        category_paths=carried_texts(columns.CATEGORY_PATH),
        first_at=np.concatenate([[0], first_at]),
    )


def text_matrix(rows: "pd.DataFrame") -> FloatArray:
    """(N + 1, E) float32 text vectors of the catalog service's rows; row 0 and items without text are 0.

    Width 1 where no item has a vector, so that a shop without text vectors still trains.
    """
    vectors = rows[columns.TEXT_VECTOR]
    width = max((len(vector) for vector in vectors), default=0) or 1
    matrix = np.zeros((len(rows) + 1, width), np.float32)
    for place, vector in enumerate(vectors, start=1):
        if len(vector):
            matrix[place] = vector
    return matrix


def in_layout(items: ItemTable, layout: VectorLayout) -> ItemTable:
    """`items` with ready vectors by another layout; zeros for what they do not have."""
    if items.vector_layout == layout:
        return items
    vectors = ready_matrix(items.ready_vectors, [layout_text(items.vector_layout)] * len(items), layout)
    return replace(items, vectors=vectors if layout else None, vector_layout=layout)


def _ready_vectors(rows: "pd.DataFrame") -> tuple[VectorLayout, FloatArray | None]:
    """The layout that most rows agree on, and (N + 1, V) unit vectors by it; None where no item has any."""
    if columns.VECTOR_LAYOUT not in rows:
        return (), None
    texts = rows[columns.VECTOR_LAYOUT].fillna("").astype(str).tolist()
    seen: Counter[tuple[str, int]] = Counter()
    for text, count in Counter(texts).items():
        seen.update(dict.fromkeys(parse_layout(text), count))
    layout = common_layout(seen)
    if not layout:
        return (), None
    matrix = ready_matrix(rows[columns.READY_VECTOR].tolist(), texts, layout)
    return layout, np.concatenate([np.zeros((1, matrix.shape[1]), np.float32), matrix])


def rows_without_text(text_vectors: FloatArray) -> BoolArray:
    """(N + 1,) whether a row of the text vectors is zero: an item without text, or padding."""
    without: BoolArray = np.logical_not(text_vectors.any(axis=1))
    return without


def some_lack_text(text_vectors: FloatArray) -> bool:
    """Whether of the items of (N + 1, E) text vectors some have a text and others none.

    Only then does it say something of an item that it has none.
    """
    without = rows_without_text(text_vectors)[1:]
    return bool(without.any() and not without.all())


def _titled(vocabulary: Vocabulary, titles: tuple[str, ...], rows: "pd.DataFrame") -> BoolArray | None:
    """(N + 1,) `is_titled` of each item; None where all are, or the rows have no text to tell it by."""
    if columns.TEXT not in rows:
        return None
    texts = ("", *rows[columns.TEXT].fillna("").astype(str))
    titled = np.array([is_titled(*row) for row in zip(vocabulary.ids, titles, texts, strict=True)], bool)
    return None if titled.all() else titled


def item_words(items: ItemTable) -> list[str]:
    """(N + 1) texts of what words say of each item: title, category and brand; an id is not a word."""
    return [
        " ".join(part for part in parts if part)
        for parts in zip(items.words_of_titles, items.categories, items.brands, strict=True)
    ]
