"""The catalogue by item index, from the item side of the feature store."""

import numpy as np
import pandas as pd

from recsys import columns
from recsys.dataset.interactions import FloatArray, Vocabulary
from recsys.models.bundle import ItemTable


def item_table(rows: pd.DataFrame, vocabulary: Vocabulary) -> ItemTable:
    """The table of `vocabulary`'s items from rows of the catalogue service, one row an item in index order.

    Args:
        rows: len(vocabulary) - 1 rows, row i describes item index i + 1.
    """

    def texts(name: str, padding: str) -> tuple[str, ...]:
        return (padding, *rows[name].fillna("").astype(str))

    prices = rows[columns.PRICE_MICROS].astype("Int64").fillna(-1).to_numpy(np.int64)
    available = rows[columns.AVAILABLE].fillna(True).to_numpy(bool)
    return ItemTable(
        vocabulary=vocabulary,
        titles=texts(columns.TITLE, ""),
        categories=texts(columns.CATEGORY, ""),
        brands=texts(columns.BRAND, ""),
        price_micros=np.concatenate([[-1], prices]),
        available=np.concatenate([[False], available]),
        attributes=texts(columns.ATTRIBUTES, "{}"),
    )


def text_matrix(rows: pd.DataFrame) -> FloatArray:
    """(N + 1, E) float32 text vectors of the catalogue service's rows; row 0 and items without text are 0.

    Width 1 where no item has a vector, so that a shop without text vectors still trains.
    """
    vectors = rows[columns.TEXT_VECTOR]
    width = max((len(vector) for vector in vectors), default=0) or 1
    matrix = np.zeros((len(rows) + 1, width), np.float32)
    for place, vector in enumerate(vectors, start=1):
        if len(vector):
            matrix[place] = vector
    return matrix


def item_words(items: ItemTable) -> list[str]:
    """(N + 1) texts of what words say of each item: title, category and brand."""
    return [
        " ".join(part for part in parts if part)
        for parts in zip(items.titles, items.categories, items.brands, strict=True)
    ]
