"""What an upsert makes of an item or a user: the last word by its own instant counts, absent fields stay."""

from dataclasses import replace
from typing import Any, TypeVar

from recsys import columns
from recsys.catalog import Item, User
from recsys.errors import InvalidEventError
from recsys.events import ItemUpsert, UserUpsert

_Row = TypeVar("_Row", Item, User)
_FIELDS = (
    columns.TITLE,
    columns.TEXT,
    columns.CATEGORY,
    columns.BRAND,
    columns.PRICE_MICROS,
    columns.AVAILABLE,
    columns.ATTRIBUTES,
    columns.VECTORS,
    columns.PRODUCT_ID,
    columns.CATEGORY_PATH,
    columns.FIRST_AT,
)


def merged_item(current: Item | None, upsert: ItemUpsert) -> Item:
    """The item after `upsert`; `current` itself if the upsert is older than that or was taken before.

    The last upsert by `at` wins as a whole, and of two with one instant the one that came later. Fields that
    it leaves out stay as they were; attributes are one field, and so are vectors. The text is the title
    unless a text is given, also for a new title of an item whose text was its title, or that had none.

    Raises:
        InvalidEventError: the item is new and has no title.
    """
    given = {name: value for name in _FIELDS if (value := getattr(upsert, name)) is not None}
    if current is None:
        return _new_item(upsert, given)
    if current.at is not None and upsert.at < current.at:
        return current
    if columns.TITLE in given and current.text in (current.title, None):
        given.setdefault(columns.TEXT, given[columns.TITLE])
    return _changed(current, replace(current, at=upsert.at, **given))


def merged_user(current: User | None, upsert: UserUpsert) -> User:
    """The user after `upsert`, as `merged_item` does it; a user may be new without any attribute."""
    if current is None:
        return User(upsert.user_id, upsert.attributes or {}, upsert.at)
    if current.at is not None and upsert.at < current.at:
        return current
    attributes = current.attributes if upsert.attributes is None else upsert.attributes
    return _changed(current, User(upsert.user_id, attributes, upsert.at))


def _changed(old: _Row, new: _Row) -> _Row:
    return old if new == old else new


def _new_item(upsert: ItemUpsert, given: dict[str, Any]) -> Item:
    title = given.get(columns.TITLE)
    if title is None:
        raise InvalidEventError(
            f"item {upsert.item_id!r} is new and needs a title. Send the whole item first, then its changes."
        )
    return Item(upsert.item_id, at=upsert.at, **{columns.TEXT: title, **given})
