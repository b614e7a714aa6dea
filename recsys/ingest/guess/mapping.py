"""Which file of a shop is what, and the mapping that follows, with a reason for each guess."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow.compute as pc

from recsys import columns
from recsys.columns import ACTION_KINDS
from recsys.ingest.guess.catalog import (
    IdColumn,
    currency_of,
    describes_items,
    item_blocks,
    meeting_columns,
    user_blocks,
)
from recsys.ingest.guess.events import EventTable, guess_events, id_candidates
from recsys.ingest.guess.lines import Block, Line, mapping_toml
from recsys.ingest.guess.roles import Roles, sheet_roles
from recsys.ingest.guess.sheets import Sheet
from recsys.ingest.guess.words import ITEM, USER

_REPEATED = 0.05  # of the rows name a pair of user and item again: repeats are normal
_HEADING = """\
A mapping guessed by `recsys init` from the columns and first rows of the files; docs/mapping.md explains it.
Behind each line stands why it is so. Read them, change what is wrong, fill in lines that begin with `#`, then
try it:  recsys data import --mapping mapping.toml --source {source} --check 20"""


@dataclass(frozen=True)
class GuessedMapping:
    """A mapping file and what it takes each of the shop's files for.

    Attributes:
        files: name -> `events`, `items`, `users`, `orders` (joined to their lines) or `not used`.
        missing: what a mapping needs and could not be guessed, in words; the file lacks it.
        moved_from: the newest event, where the log is so old that it is moved to end this week.
    """

    text: str
    files: Mapping[str, str]
    missing: tuple[str, ...]
    moved_from: datetime | None


def guess_mapping(sheets: Sequence[Sheet], name: str, source: str, now: datetime) -> GuessedMapping:
    """The mapping of a shop from the first rows of its files.

    Args:
        name: of the shop. source: the folder of its files, for the heading.
    """
    roles = sheet_roles(sheets)
    tables = _tables(roles)
    complete = [table for table in tables if table.complete]
    old = _too_old(complete, now)
    missing = [] if complete else _missing(tables, roles)
    blocks = [_top(name, complete, roles, source)]
    if old is not None:
        notes = (
            f"The newest event is of {old:%Y-%m-%d}: all are moved to this week, or all counts would be 0.",
            "Good for a trial on a historic log; delete it where files go on.",
        )
        blocks.append(Block("[time]", notes, [Line("shift", "weeks-to-now", "")]))
    for table in tables:
        blocks += table.blocks(known=table.complete or not complete)
    blocks += [*_item_blocks(roles, tables), *_user_blocks(roles, tables)]
    blocks += [
        Block("", (f"-- {file}: neither events nor items nor users by its columns; not used",), ())
        for sheet in roles.unused
        for file in sheet.files
    ]
    return GuessedMapping(mapping_toml(blocks), roles.by_file(), tuple(missing), old)


def _tables(roles: Roles) -> list[EventTable]:
    """The tables of events, with those columns of items that meet the catalog's."""
    named = [(sheet, id_candidates(sheet, ITEM)) for sheet, _ in roles.events]
    chosen: list[str | None] = [names[0] if names else None for _, names in named]
    if roles.items is not None:
        _, chosen = meeting_columns(roles.items, ITEM, named)
    pairs = zip(roles.events, chosen, strict=True)
    return [guess_events(sheet, item, link) for (sheet, link), item in pairs]


def _item_blocks(roles: Roles, tables: Sequence[EventTable]) -> list[Block]:
    """`[items]` from the catalog, else from the events where they describe their items."""
    if roles.items is not None:
        named = [(table.sheet, [table.item] if table.item else []) for table in tables]
        item_id, _ = meeting_columns(roles.items, ITEM, named)
        return item_blocks(roles.items, item_id, tables) if item_id else []
    for table in tables:
        if table.item and describes_items(table.sheet):
            return item_blocks(
                table.sheet, IdColumn(table.item, "as in the events, which describe them"), tables
            )
    return []


def _user_blocks(roles: Roles, tables: Sequence[EventTable]) -> list[Block]:
    if roles.users is None:
        return []
    owners = [table.link.sheet if table.link else table.sheet for table in tables]
    named = [(owner, [table.user] if table.user else []) for owner, table in zip(owners, tables, strict=True)]
    user_id, _ = meeting_columns(roles.users, USER, named)
    return user_blocks(roles.users, user_id) if user_id else []


def _top(name: str, tables: Sequence[EventTable], roles: Roles, source: str) -> Block:
    kinds = {kind for table in tables for kind in table.kinds}
    labels = [kind for kind in ACTION_KINDS if kind in kinds] or [columns.VIEW]
    signs = [table.currency for table in tables] + [currency_of(roles.items) if roles.items else None]
    currency = next((sign for sign in signs if sign), None)
    lines = [
        Line("name", name, ""),
        Line("currency", currency or "EUR", "by its sign" if currency else "", known=currency is not None),
        _repeats_line(tables),
        Line("label_kinds", labels, 'what is to be predicted; where there are plenty, ["purchase"] alone'),
    ]
    return Block("", _HEADING.format(source=source).splitlines(), lines)


def _repeats_line(tables: Sequence[EventTable]) -> Line:
    """Whether what a user had may be shown to them again: yes where pairs of user and item come again."""
    shares = [share for table in tables if (share := _repeated_share(table)) is not None]
    if not shares:
        return Line("repeats", True, "the same again is normal; false: what a user had is not shown again")
    again = f"{max(shares):.0%} of the rows are a user's with an item as before"
    return Line("repeats", max(shares) >= _REPEATED, f"{again}; false: that is not shown again")


def _repeated_share(table: EventTable) -> float | None:
    """The share of rows that repeat an earlier row of user and item; None where orders are apart."""
    if table.user is None or table.item is None or table.link is not None:
        return None
    names = [table.user, table.item, *((table.kind_column,) if table.kind_column else ())]
    rows = pc.binary_join_element_wise(*(table.sheet.table[name] for name in names), "\x1f")
    return 1.0 - len(pc.unique(rows)) / max(1, len(rows))


def _too_old(tables: Sequence[EventTable], now: datetime) -> datetime | None:
    newest = [table.newest for table in tables]
    if not newest or any(each is None for each in newest):
        return None  # no clock, or not all rows were looked at
    last = max(each for each in newest if each is not None)
    return last if last < now - timedelta(days=max(columns.WINDOW_DAYS)) else None


def _missing(tables: Sequence[EventTable], roles: Roles) -> list[str]:
    """The keys that no table of events has, each with its file and the question; a catalog alone will do."""
    if not tables and roles.items is None:
        return [
            "no file has events, a row for each thing that a user did with an item, or items, a row for each"
        ]
    return [
        f"{table.sheet.files[0]}: {line.key}: {line.why}"
        for table in tables
        for line in table.lines
        if not line.known
    ]
