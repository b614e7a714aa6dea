"""What words say of an item, field by field."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from recsys.dataset.item_table import ItemTable

# Attributes whose values are looked up as a whole, by their names in lower case without separators.
_IDENTIFIERS = frozenset(
    {"sku", "gtin", "gtin8", "gtin12", "gtin13", "gtin14", "ean", "upc", "isbn", "mpn", "asin", "barcode"}
    | {"model", "modelnumber", "modelno", "partnumber", "productcode", "itemnumber", "货号", "型号", "条码"}
)
_LONGEST_TEXT = 20_000  # characters of one field that are indexed


@dataclass(frozen=True)
class ItemText:
    """The texts of an item by which words find it.

    Attributes:
        index: of the item in the vocabulary, from 1.
        description: "" where it says no more than the title.
        category: its name, or the names of its path.
        attributes: the values, each by itself.
        identifiers: what it is called by in lists: its id, SKU, GTIN, model.
    """

    index: int
    title: str
    description: str = ""
    category: str = ""
    brand: str = ""
    attributes: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()


def item_text(
    index: int,
    item_id: str,
    title: str,
    *,
    text: str = "",
    category: str = "",
    brand: str = "",
    attributes: str = "",
) -> ItemText:
    """The texts of one item.

    Args:
        title: "" where the item has none but its id.
        text: its long text; where that begins with the title, the rest of it is the description.
        attributes: a JSON object; anything else has no words.
    """
    values, identifiers = attribute_words(attributes)
    return ItemText(
        index=index,
        title=title[:_LONGEST_TEXT],
        description=_without_title(text, title)[:_LONGEST_TEXT],
        category=category,
        brand=brand,
        attributes=values,
        identifiers=(item_id, *identifiers),
    )


def item_texts(items: ItemTable, texts: Sequence[str] | None = None) -> Iterator[ItemText]:
    """The texts of every item of the catalog, in the order of the index, without padding.

    Args:
        texts: (N + 1) long texts; None = none is known.
    """
    rows = zip(
        items.vocabulary.ids,
        items.words_of_titles,
        items.categories,
        items.brands,
        items.attributes,
        texts if texts is not None else [""] * len(items),
        strict=True,
    )
    for index, (item_id, title, category, brand, attributes, text) in enumerate(rows):
        if index:
            yield item_text(
                index, item_id, title, text=text, category=category, brand=brand, attributes=attributes
            )


def _without_title(text: str, title: str) -> str:
    return text[len(title) :] if text.startswith(title) else text


def attribute_words(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(texts of the values, those of them that are identifiers) of a JSON object of attributes."""
    if text in ("", "{}"):
        return (), ()
    try:
        attributes = json.loads(text)
    except ValueError:
        return (), ()
    if not isinstance(attributes, Mapping):
        return (), ()
    values: list[str] = []
    identifiers: list[str] = []
    for name, value in attributes.items():
        words = [str(each) for each in (value if isinstance(value, list) else [value]) if _is_word(each)]
        plain = str(name).lower().replace("_", "").replace("-", "").replace(" ", "")
        (identifiers if plain in _IDENTIFIERS else values).extend(words)
    return tuple(values), tuple(identifiers)


def _is_word(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
