"""The latent space of a catalog, in which tastes live: built from categories, brands, words and prices."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recsys import columns
from recsys.arrays import FloatArray, IntArray
from recsys.catalog import stable_key
from recsys.errors import DataError

WIDTH = 32
_TOKENS = 1 << 14
_CATEGORY, _BRAND, _WORDS = 1.0, 0.5, 0.8
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True)
class ItemSpace:
    """N items, index 0 = none.

    Attributes:
        ids, titles: (N + 1,) "" first.
        vectors: (N + 1, WIDTH) unit rows, row 0 all zero.
        appeal: (N + 1,) how good an item is for anybody, about N(0, 1/2).
        price_level: (N + 1,) standard deviations of log price from the mean of the category.
        price_micros: (N + 1,) -1 = unknown.
        category_of: (N + 1,) index into `categories`.
        categories: "" first, for items without one.
        centres: (categories, WIDTH) unit, the mean direction of each category.
        exposure: (N + 1,) how often a shop shows an item, relative; 0 = it does not.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    vectors: FloatArray
    appeal: FloatArray
    price_level: FloatArray
    price_micros: IntArray
    category_of: IntArray
    categories: tuple[str, ...]
    centres: FloatArray
    exposure: FloatArray

    def __len__(self) -> int:
        return len(self.ids)


def item_space(items: pa.Table, rng: np.random.Generator) -> ItemSpace:
    """The space of a catalog; items that share category, brand or words point the same way.

    Args:
        items: columns of `ITEM_SCHEMA`.

    Raises:
        DataError: no item is available.
    """
    directions = rng.normal(size=(_TOKENS, WIDTH)).astype(np.float32) / np.sqrt(WIDTH)
    categories = [text or "" for text in items[columns.CATEGORY].to_pylist()]
    names = ("", *sorted(set(categories) - {""}))
    place = {name: number for number, name in enumerate(names)}
    category_of = np.array([0, *(place[name] for name in categories)], np.int64)
    brands = [text or "" for text in items[columns.BRAND].to_pylist()]
    vectors = np.zeros((len(items) + 1, WIDTH), np.float32)
    vectors[1:] = _unit(
        _CATEGORY * _directions(directions, "category", categories)
        + _BRAND * _directions(directions, "brand", brands)
        + _WORDS * _word_means(directions, [text or "" for text in items[columns.TEXT].to_pylist()])
        + 0.1 * rng.normal(size=(len(items), WIDTH)) / np.sqrt(WIDTH)
    )
    centres = np.zeros((len(names), WIDTH), np.float32)
    np.add.at(centres, category_of[1:], vectors[1:])
    prices = np.array([-1, *(-1 if p is None else p for p in items[columns.PRICE_MICROS].to_pylist())])
    appeal = np.append(0, rng.normal(0, 0.5, len(items))).astype(np.float32)
    available = np.array([False, *items[columns.AVAILABLE].to_pylist()])
    if not available.any():
        raise DataError("no item of the catalog is available. Import a shop with something to sell.")
    # What is good is shown more often, but not only that.
    exposure = np.exp(2 * appeal + rng.normal(0, 1, len(appeal))) * available
    return ItemSpace(
        ids=("", *items[columns.ITEM_ID].to_pylist()),
        titles=("", *items[columns.TITLE].to_pylist()),
        vectors=vectors,
        appeal=appeal,
        price_level=_price_levels(prices, category_of, len(names)),
        price_micros=prices.astype(np.int64),
        category_of=category_of,
        categories=names,
        centres=_unit(centres),
        exposure=exposure.astype(np.float32),
    )


def _directions(directions: FloatArray, what: str, texts: Sequence[str]) -> FloatArray:
    """(n, WIDTH): the direction of each text, none for an empty one."""
    rows = {text: stable_key(f"{what}:{text}") % _TOKENS for text in set(texts)}
    found = directions[[rows[text] for text in texts]]
    return np.asarray(found * np.array([bool(text) for text in texts])[:, None], np.float32)


def _word_means(directions: FloatArray, texts: Sequence[str]) -> FloatArray:
    """(n, WIDTH): the direction of the words of each text, of unit length where there are any."""
    means: dict[str, FloatArray] = {}
    for text in set(texts):
        rows = [stable_key(word) % _TOKENS for word in _WORD.findall(text.lower())]
        means[text] = directions[rows].sum(0) if rows else np.zeros(WIDTH, np.float32)
    return _unit(np.stack([means[text] for text in texts]))


def _unit(rows: npt.NDArray[np.floating]) -> FloatArray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1), np.float32)


def _price_levels(prices: IntArray, category_of: IntArray, categories: int) -> FloatArray:
    """(N + 1,): z-scores of log price by category; 0 where a price is unknown or has no company."""
    known = prices > 0
    logs = np.log(np.maximum(prices, 1))
    count = np.maximum(np.bincount(category_of, known, categories), 1)
    mean = (np.bincount(category_of, logs * known, categories) / count)[category_of]
    square = np.bincount(category_of, (logs - mean) ** 2 * known, categories) / count
    spread = np.sqrt(square)[category_of]
    level = np.where(known & (spread > 0), (logs - mean) / np.where(spread > 0, spread, 1), 0)
    return np.clip(level, -3, 3).astype(np.float32)
