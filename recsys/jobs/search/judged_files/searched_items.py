"""The items that an evaluation searches: those of a file of its own, of the judgments, or of the shop."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recsys import columns
from recsys.amounts import UNKNOWN
from recsys.catalog import is_titled
from recsys.config import Settings
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.errors import DataError
from recsys.ingest.raw.written_numbers import read_number
from recsys.jobs.search.judged_files.judged_sets import ITEM_ID, TITLE
from recsys.jobs.search.judged_files.table_files import TableRows, read_table
from recsys.stores.lake.dataset_files import load_items

_MICROS = 1_000_000  # of the currency unit
_FIELDS = {
    "item_id": (*ITEM_ID, "id"),
    "title": TITLE,
    "text": ("text", "description", "product_description"),
    "category": ("category", "product_class", "product class", "category_path", "category hierarchy"),
    "brand": ("brand", "product_brand"),
    "price": ("price",),
}


@dataclass(frozen=True)
class SearchedItems:
    """Items to search.

    Attributes:
        table: by item index. texts: (N + 1) what the encoder reads of each, "" for the padding.
        source: where they are from, for people.
    """

    table: ItemTable
    texts: tuple[str, ...]
    source: str

    @property
    def vocabulary(self) -> Vocabulary:
        """Their ids."""
        return self.table.vocabulary


def read_items_file(path: Path, given: Mapping[str, str]) -> SearchedItems:
    """Items of a table with an id and a title; any further column is an attribute.

    Args:
        given: field (`item_id`, `title`, `text`, `category`, `brand`, `price`) -> the name of its column.

    Raises:
        DataError: the file is missing or damaged, an id is empty or stands twice, or a price is no number.
        SchemaMismatchError: it has no id or no title.
    """
    fields = {name: column for name, column in given.items() if name in _FIELDS}
    table = read_table(path, _FIELDS, [("item_id",), ("title",)], fields, others=True)
    ids = _ids(table)
    cells = {name: [text or "" for text in values] for name, values in table.columns.items()}
    nothing = [""] * len(table)
    titles = cells["title"]
    extra = [name for name in cells if name not in _FIELDS]
    attributes = [
        json.dumps({name: cells[name][place] for name in extra if cells[name][place]}, ensure_ascii=False)
        for place in range(len(table))
    ]
    return _searched(
        ids,
        titles,
        texts=titles,
        categories=cells.get("category", nothing),
        brands=cells.get("brand", nothing),
        prices=_prices(table),
        attributes=attributes,
        source=f"{len(ids):,} items of {path.name}",
    )


def pool_of_titles(titles: Mapping[str, str]) -> SearchedItems:
    """The items that the judgments name, as the whole catalog.

    Raises:
        DataError: there are none.
    """
    if not titles:
        raise DataError(
            "the judgments have no titles, and no --items are given. Pass the items that were judged."
        )
    ids, values = list(titles), list(titles.values())
    nothing = [""] * len(ids)
    return _searched(
        ids,
        values,
        texts=values,
        categories=nothing,
        brands=nothing,
        prices=[UNKNOWN] * len(ids),
        attributes=["{}"] * len(ids),
        source=f"the {len(ids):,} judged titles themselves, which is an easier catalog than a whole one",
    )


def shop_items(settings: Settings) -> SearchedItems:
    """The catalog of the shop as it is now.

    Raises:
        DataError: nothing was imported.
    """
    rows = load_items(settings.paths)
    ids = rows[columns.ITEM_ID].to_pylist()

    def texts(name: str) -> list[str]:
        return [text or "" for text in rows[name].to_pylist()]

    titles, read = texts(columns.TITLE), texts(columns.TEXT)
    titled = [is_titled(*each) for each in zip(ids, titles, read, strict=True)]
    found = _searched(
        ids,
        titles,
        texts=read,
        categories=texts(columns.CATEGORY),
        brands=texts(columns.BRAND),
        prices=[UNKNOWN if price is None else price for price in rows[columns.PRICE_MICROS].to_pylist()],
        attributes=[text or "{}" for text in texts(columns.ATTRIBUTES)],
        source=f"{len(ids):,} items of the shop's catalog",
    )
    return replace(found, table=replace(found.table, titled=np.array([False, *titled], np.bool_)))


def _searched(
    ids: Sequence[str],
    titles: Sequence[str],
    texts: Sequence[str],
    categories: Sequence[str],
    brands: Sequence[str],
    prices: Sequence[int],
    attributes: Sequence[str],
    source: str,
) -> SearchedItems:
    table = ItemTable(
        vocabulary=Vocabulary(("", *ids)),
        titles=("", *titles),
        categories=("", *categories),
        brands=("", *brands),
        price_micros=np.array([UNKNOWN, *prices], np.int64),
        available=np.array([False] + [True] * len(ids)),
        attributes=("{}", *attributes),
    )
    return SearchedItems(table, ("", *texts), source)


def _ids(table: TableRows) -> list[str]:
    seen: dict[str, int] = {}
    for place, text in enumerate(table.columns["item_id"]):
        if text is None:
            raise DataError(f"{table.where(place)}: the item has no id. Fill it or delete the row.")
        if text in seen:
            raise DataError(
                f"{table.where(place)}: the item {text!r} stands in row {table.rows[seen[text]]} too. Keep "
                "one."
            )
        seen[text] = place
    return list(seen)


def _prices(table: TableRows) -> list[int]:
    found = []
    for place, text in enumerate(table.columns.get("price", [None] * len(table))):
        number = None if text is None else read_number(text)
        if text is not None and (number is None or number.value < 0):
            raise DataError(
                f"{table.where(place)}: the price {text!r} is not a number of 0 or more. Mend it."
            )
        found.append(UNKNOWN if number is None else round(number.value * _MICROS))
    return found
