"""Files of a shop as skewed as real ones: Zipf items, log-normal users, a guest account with a hundredth."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from search.titles import made_titles

from recsys.arrays import DoubleArray, IntArray
from recsys.sizing.shop_size import ShopSize

EVENTS_AN_ITEM, ITEMS_A_USER = 20, 1
DAYS = 180
LAST_DAY = np.datetime64("2026-06-01", "us")
GUEST_SHARE = 0.01
KINDS, SHARES = ("view", "cart", "purchase"), (0.8, 0.1, 0.1)
CATEGORIES, BRANDS = 200, 500
BLOCK = 2_000_000  # events that are made at once
MAPPING = """name = "synthetic"
repeats = true
label_kinds = ["purchase"]

[[events]]
files = "events-*.parquet"
user = "user"
item = "item"
kind = { column = "kind", values = { view = "view", cart = "cart", purchase = "purchase" } }
time = { column = "at" }

[items]
files = "items.parquet"
id = "item"
title = "title"
category = "category"
brand = "brand"
price = "price"
"""


def shop_size(items: int) -> ShopSize:
    """A shop of `items`: so many users, twenty events an item, and a title for each ten items."""
    return ShopSize(items, items // ITEMS_A_USER, items * EVENTS_AN_ITEM, max(items // 10, 100))


def write_shop(folder: Path, size: ShopSize, seed: int = 0) -> None:
    """Writes the mapping, the items, and events of `DAYS` days into `folder`."""
    folder.mkdir(parents=True)
    (folder / "shop.toml").write_text(MAPPING, "utf-8")
    rng = np.random.default_rng(seed)
    pq.write_table(_items(size, rng), folder / "items.parquet")
    for part, first in enumerate(range(0, size.events, BLOCK)):
        count = min(BLOCK, size.events - first)
        begin, end = (DAYS * (first + each) / size.events for each in (0, count))
        write_events(folder / f"events-{part:04d}.parquet", size, count, begin, end, rng)


def write_events(
    file: Path, size: ShopSize, count: int, begin: float, end: float, rng: np.random.Generator
) -> None:
    """Writes `count` events between two days of the shop, in order of time."""
    span = ((begin + (end - begin) * np.sort(rng.random(count))) * 86_400e6).astype(np.int64)
    at = (LAST_DAY - np.timedelta64(DAYS, "D")).astype(np.int64) + span
    kind = rng.choice(len(KINDS), count, p=SHARES).astype(np.int32)
    columns = {
        "user": _names("u", users_of(size.users, count, rng)),
        "item": _names("i", items_of(size.items, count, rng)),
        "kind": pa.DictionaryArray.from_arrays(pa.array(kind), pa.array(KINDS)).cast(pa.string()),
        "at": pa.array(at).cast(pa.timestamp("us", tz="UTC")),
    }
    pq.write_table(pa.table(columns), file)


def users_of(users: int, count: int, rng: np.random.Generator) -> IntArray:
    """(count,) who acts: by log-normal activities, and the guest, number 0, with `GUEST_SHARE`."""
    activity = np.random.default_rng(1).lognormal(sigma=1.2, size=users)
    activity[0] = activity[1:].sum() * GUEST_SHARE / (1 - GUEST_SHARE)
    return _drawn(activity, count, rng)


def items_of(items: int, count: int, rng: np.random.Generator) -> IntArray:
    """(count,) on what: item r is asked for 1 / (r + 10) as often, a Zipf law with a flattened top."""
    return _drawn(1 / (np.arange(items) + 10.0), count, rng)


def _drawn(weights: DoubleArray, count: int, rng: np.random.Generator) -> IntArray:
    cumulated = np.cumsum(weights)
    drawn: IntArray = np.searchsorted(cumulated, rng.random(count) * cumulated[-1]).astype(np.int64)
    return drawn


def _items(size: ShopSize, rng: np.random.Generator) -> pa.Table:
    titles = list(made_titles(size.texts))
    text = rng.integers(0, size.texts, size.items)
    return pa.table(
        {
            "item": _names("i", np.arange(size.items)),
            "title": [titles[each] for each in text.tolist()],
            "category": [f"category {each}" for each in rng.integers(0, CATEGORIES, size.items)],
            "brand": [f"brand {each}" for each in rng.integers(0, BRANDS, size.items)],
            "price": np.round(rng.lognormal(2.5, 1.0, size.items), 2),
        }
    )


def _names(letter: str, numbers: IntArray) -> pa.Array:
    distinct, place = np.unique(numbers, return_inverse=True)
    names = pa.array([f"{letter}{each}" for each in distinct.tolist()])
    return pa.DictionaryArray.from_arrays(pa.array(place.astype(np.int32)), names).cast(pa.string())
