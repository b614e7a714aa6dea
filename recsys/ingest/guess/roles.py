"""Which of a shop's files are events, which the catalog, the users, or orders apart from their lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsys.ingest.guess.catalog import describes_items
from recsys.ingest.guess.events import Link, id_candidates, time_column
from recsys.ingest.guess.sheets import Sheet, joined_sheets
from recsys.ingest.guess.words import (
    EVENT_COLUMNS,
    FILE_KINDS,
    FILES,
    ITEM,
    PLAIN_IDS,
    USER,
    columns_named,
    says,
)

_MEET = 0.5  # of the keys of order lines are in a file of orders
EVENTS, LINES, ORDERS, ITEMS, USERS, NOT_USED = "events", "lines", "orders", "items", "users", "not used"


@dataclass(frozen=True)
class Roles:
    """What each sheet is for.

    Attributes:
        events: with the orders that the rows of each belong to, where those are a file of their own.
    """

    events: Sequence[tuple[Sheet, Link | None]]
    items: Sheet | None
    users: Sheet | None
    unused: Sequence[Sheet]

    def by_file(self) -> Mapping[str, str]:
        """File -> what it is for."""
        named = [
            *((sheet, EVENTS) for sheet, _ in self.events),
            *((link.sheet, ORDERS) for _, link in self.events if link),
            *((sheet, role) for sheet, role in ((self.items, ITEMS), (self.users, USERS)) if sheet),
            *((sheet, NOT_USED) for sheet in self.unused),
        ]
        return {file: role for sheet, role in named for file in sheet.files}


def sheet_roles(sheets: Sequence[Sheet]) -> Roles:
    """What each file is for, those of the same columns and kind of event as one.

    A shop's only file that names users is its events, even if it names no item.
    """
    by_role: dict[str, list[Sheet]] = {}
    for sheet in _alike(sheets):
        by_role.setdefault(_role_of(sheet), []).append(sheet)
    events: list[tuple[Sheet, Link | None]] = [(sheet, None) for sheet in by_role.pop(EVENTS, [])]
    orders = by_role.pop(ORDERS, [])
    for sheet in by_role.pop(LINES, []):
        link = _link(sheet, orders)
        if link is None:
            by_role.setdefault(NOT_USED, []).append(sheet)
        else:
            events.append((sheet, link))
    unlinked = [sheet for sheet in orders if not any(link and link.sheet is sheet for _, link in events)]
    items = sorted(by_role.get(ITEMS, []), key=lambda sheet: len(describes_items(sheet)), reverse=True)
    users = by_role.get(USERS, [])
    rest = [*unlinked, *by_role.get(NOT_USED, []), *items[1:], *users[1:]]
    if not events and (unlinked or users):
        lone = [*unlinked, *users][0]
        events = [(lone, None)]
        rest = [sheet for sheet in rest if sheet is not lone]
        users = [sheet for sheet in users if sheet is not lone]
    return Roles(events, items[0] if items else None, users[0] if users else None, rest)


def _alike(sheets: Sequence[Sheet]) -> list[Sheet]:
    """Files of the same columns and kind of event as one: `orders-2026-03.csv`, `orders-2026-04.csv`."""
    groups: dict[object, list[Sheet]] = {}
    for sheet in sheets:
        kind = next((kind for kind, words in FILE_KINDS.items() if says(sheet.files[0], words)), None)
        key = (frozenset(sheet.names), tuple(sheet.settings.items()), kind)
        groups.setdefault(key, []).append(sheet)
    return [joined_sheets(group) for group in groups.values()]


def _role_of(sheet: Sheet) -> str:
    """By its columns, and by its name where they leave it open."""
    has_item, has_user = bool(id_candidates(sheet, ITEM)), bool(id_candidates(sheet, USER))
    in_order = bool(columns_named(sheet.names, EVENT_COLUMNS["session"]))
    if has_item and has_user:
        return EVENTS
    if has_user:
        of_order = in_order or says(sheet.files[0], FILES[ORDERS])
        return ORDERS if of_order and time_column(sheet, set()) else USERS
    if has_item and in_order and not columns_named(sheet.names, ("title", "name", "description")):
        return LINES
    if has_item:
        return ITEMS
    return _role_by_plain_id(sheet)


def _role_by_plain_id(sheet: Sheet) -> str:
    """What a sheet tells of whose rows are only called `id`, if at all."""
    if not columns_named(sheet.names, PLAIN_IDS):
        return NOT_USED
    if says(sheet.files[0], FILES[USERS]):
        return USERS
    return ITEMS if says(sheet.files[0], FILES[ITEMS]) or describes_items(sheet) else NOT_USED


def _link(lines: Sheet, orders: Sequence[Sheet]) -> Link | None:
    """The file of orders that has the users and times of order lines."""
    for on in columns_named(lines.names, EVENT_COLUMNS["session"]):
        keys = set(lines.distinct(on))
        for sheet in orders:
            for own in columns_named(sheet.names, (*EVENT_COLUMNS["session"], *PLAIN_IDS)):
                if len(keys & set(sheet.distinct(own))) >= _MEET * len(keys):
                    return Link(sheet, on, own)
    return None
