"""What pages and ads take from the catalog that serves: facts of items, and columns of advertised ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.ads.matching.targeting import with_wider
from recsys.ads.selection.inventory import ItemColumns
from recsys.catalog import stable_key
from recsys.funnel.catalog import Catalog


@dataclass(frozen=True)
class ShopItem:
    """One item as pages show it; what is not known is None.

    Attributes:
        product_id: what its variants share; its own id where it has no product.
        categories: its category and path, with the wider ones.
    """

    item_id: str
    product_id: str
    title: str
    category: str | None
    brand: str | None
    price_micros: int | None
    categories: frozenset[str]


def shop_items(catalog: Catalog, item_ids: Iterable[str]) -> dict[str, ShopItem]:
    """Those of `item_ids` that the catalog has, by id."""
    ids = list(item_ids)
    index = catalog.items.vocabulary.indexes(ids)
    return {
        item_id: _shop_item(catalog, item_id, place)
        for item_id, place in zip(ids, index.tolist(), strict=True)
        if place
    }


def item_columns(catalog: Catalog, item_ids: Sequence[str]) -> ItemColumns:
    """What the catalog says now of the items of ads."""
    items = catalog.items
    index = items.vocabulary.indexes(item_ids)
    products = (items.products[place] or item for place, item in zip(index.tolist(), item_ids, strict=True))
    return ItemColumns(
        available=(index > 0) & items.available[index],
        price_micros=np.maximum(items.price_micros[index], 0),
        product=np.fromiter((stable_key(product) for product in products), np.int64, len(item_ids)),
    )


def categories_about(catalog: Catalog, category: str | None, item_id: str | None) -> tuple[str, ...]:
    """The category of a page, and the category and path of the item that it is about."""
    found = [] if category is None else [category]
    if item_id is not None:
        place = int(catalog.items.vocabulary.index(item_id))
        found += [catalog.items.categories[place], catalog.items.category_paths[place]] if place else []
    return tuple(dict.fromkeys(each for each in found if each))


def _shop_item(catalog: Catalog, item_id: str, place: int) -> ShopItem:
    items = catalog.items
    price = int(items.price_micros[place])
    named = [text for text in (items.categories[place], items.category_paths[place]) if text]
    return ShopItem(
        item_id=item_id,
        product_id=items.products[place] or item_id,
        title=items.titles[place],
        category=items.categories[place] or None,
        brand=items.brands[place] or None,
        price_micros=price if price >= 0 else None,
        categories=frozenset(with_wider(named)),
    )
