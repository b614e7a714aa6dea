"""Items and users as the domain sees them, and the stable keys that stand for their ids in arrays."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

AttributeValue = str | float | tuple[str, ...]


def stable_key(text: str) -> int:
    """A signed 64-bit key of `text`, the same on every machine, for ids inside numeric arrays.

    Never 0, which is padding. Two ids of one shop share a key with probability n^2 / 2^65
    (3e-8 for a million items); the import checks its catalog and rejects a collision.

    >>> stable_key("a") == stable_key("a"), stable_key("a") == stable_key("b")
    (True, False)
    """
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) or 1


def joined_path(levels: Iterable[str]) -> str:
    """The category path of `levels`, the widest first; "" where none says anything.

    A path has its levels between slashes, so a slash inside a level is written as a dash.

    >>> joined_path(["Home", " Pots/Pans ", ""]), joined_path([])
    ('Home/Pots-Pans', '')
    """
    return "/".join(trimmed.replace("/", "-") for level in levels if (trimmed := level.strip(" \t/")))


def category_path(text: str, separator: str = "/") -> str:
    """The category path that a text with `separator` between its levels says.

    >>> category_path(" Home / Kitchen//Pots "), category_path("Home > Pots/Pans", ">"), category_path(" / ")
    ('Home/Kitchen/Pots', 'Home/Pots-Pans', '')
    """
    return joined_path(text.split(separator))


def is_titled(item_id: str, title: str, text: str | None) -> bool:
    """Whether `title` is one; where an item has none its id is shown, which says nothing about it.

    >>> is_titled("a7", "Oat milk", "Oat milk"), is_titled("a7", "a7", None), is_titled("a7", "a7", "a7")
    (True, False, True)
    """
    return title != item_id or title == text


@dataclass(frozen=True)
class Item:
    """p = (q, d): an item's description `text` and its `attributes`, as they are since `at`.

    Attributes:
        title: what is shown; the id where the item has no title.
        text: what the text encoder reads; None where the item has none.
        vectors: ready vectors by name, such as that of the item's image; they are attributes too.
        product_id: what the variants of one product share; None where the item is its own product.
        category_path: from the widest category to the narrowest, see `joined_path`.
        first_at: when the item entered the shop.
    """

    item_id: str
    title: str
    text: str | None
    category: str | None = None
    brand: str | None = None
    price_micros: int | None = None
    available: bool = True
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    at: datetime | None = None
    vectors: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    product_id: str | None = None
    category_path: str | None = None
    first_at: datetime | None = None


@dataclass(frozen=True)
class User:
    """A person, household or account; `attributes` are what it told the shop."""

    user_id: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    at: datetime | None = None
