"""One file of events: who did what with which item, when, and for how much."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from recsys.ingest.guess.cells import WrittenTime, is_number, written_money, written_time
from recsys.ingest.guess.kinds import kind_line
from recsys.ingest.guess.lines import Block, Line
from recsys.ingest.guess.sheets import Sheet
from recsys.ingest.guess.words import (
    EVENT_COLUMNS,
    IDS,
    ITEM,
    PLAIN_IDS,
    TIME,
    USER,
    columns_named,
    compact,
)
from recsys.ingest.raw.time_cells import as_instant
from recsys.instants import from_micros

_TIME_ENDINGS = ("at", "time", "date", "timestamp", "时间", "日期")


@dataclass(frozen=True)
class Link:
    """Where the user and the time of an order are, if its lines are in a file of their own."""

    sheet: Sheet
    on: str
    id: str

    @property
    def name(self) -> str:
        """The join's name in the mapping."""
        return "orders"


@dataclass
class EventTable:
    """What is known of one `[[events]]` table; `guess_events` fills it.

    Attributes:
        item, user: the columns of ids, None where they are not known.
        link: where users and times are, if not in the sheet.
        used: columns of the sheet that `lines` read.
        kinds: kinds of event that its rows are, as far as they are known; kind_column: the words for them.
        value, currency: whether rows carry money, and of which currency if a sign tells.
        newest: the latest instant, if all rows were looked at.
    """

    sheet: Sheet
    item: str | None
    link: Link | None
    user: str | None = None
    lines: list[Line] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    kinds: tuple[str, ...] = ()
    kind_column: str | None = None
    value: bool = False
    currency: str | None = None
    newest: datetime | None = None

    @property
    def complete(self) -> bool:
        """Whether all keys that a mapping needs are known."""
        return all(line.known for line in self.lines)

    def free(self, words: Sequence[str]) -> list[str]:
        """Columns of these names that nothing reads yet."""
        return [name for name in columns_named(self.sheet.names, words) if name not in self.used]

    def blocks(self, known: bool) -> list[Block]:
        """The table as it is written; commented out unless it is to be read."""
        found = [Block("[[events]]", (f"-- {', '.join(self.sheet.files)}: events",), self.lines, known)]
        if self.link is not None:
            keys = [Line("on", self.link.on, "of the lines"), Line("id", self.link.id, "of the orders")]
            lines = [*file_lines(self.link.sheet), *keys]
            found.append(Block(f"[events.join.{self.link.name}]", (), lines, known))
        return found


def guess_events(sheet: Sheet, item: str | None, link: Link | None) -> EventTable:
    """What a sheet says of events.

    Args:
        item: its column of item ids. link: where users and times are, if not in the sheet.
    """
    table = EventTable(sheet, item, link)
    table.lines += file_lines(sheet)
    table.lines += [_user_line(table), _item_line(table), kind_line(table), _time_line(table)]
    table.lines += _optional_lines(table)
    return table


def file_lines(sheet: Sheet) -> list[Line]:
    """The keys that say which files are read and how."""
    files: Any = sheet.files[0] if len(sheet.files) == 1 else list(sheet.files)
    why = "the same columns in each" if len(sheet.files) > 1 else ""
    return [
        Line("files", files, why),
        *(Line(key, value, "as its first lines look") for key, value in sheet.settings.items()),
    ]


def id_candidates(sheet: Sheet, what: str) -> list[str]:
    """Columns that may hold the ids of users or items, the surest first."""
    return columns_named(sheet.names, IDS[what])


def time_column(sheet: Sheet, used: set[str]) -> tuple[str, WrittenTime] | None:
    """The column that says when something happened, by its name and its cells."""
    names = [name for name in sheet.names if name not in used]
    likely = columns_named(names, EVENT_COLUMNS[TIME])
    likely += [name for name in names if name not in likely and compact(name).endswith(_TIME_ENDINGS)]
    for name in likely:
        if (written := written_time(sheet.cells(name))) is not None:
            return name, written
    for name in names:  # by its cells alone: but a number of ten digits may be anything
        written = None if name in likely else written_time(sheet.cells(name))
        if written is not None and "unit" not in written.keys and not is_number(sheet.distinct(name)):
            return name, written
    return None


def _user_line(table: EventTable) -> Line:
    owner = table.link.sheet if table.link else table.sheet
    candidates = id_candidates(owner, USER)
    if not candidates:
        return Line("user", "", f"which column is the user? There are: {_names(owner)}", known=False)
    table.user = candidates[0]
    if table.link is None:
        table.used.add(table.user)
    name = f"{table.link.name}.{table.user}" if table.link else table.user
    return Line("user", name, f"by its name{_others(candidates)}")


def _item_line(table: EventTable) -> Line:
    if table.item is None:
        return Line("item", "", f"which column is the item? There are: {_names(table.sheet)}", known=False)
    table.used.add(table.item)
    others = [name for name in id_candidates(table.sheet, ITEM) if name != table.item]
    return Line("item", table.item, f"by its name{_others([table.item, *others])}")


def _time_line(table: EventTable) -> Line:
    timed = time_column(table.sheet, table.used)
    owner, prefix = table.sheet, ""
    if timed is None and table.link is not None:
        timed = time_column(table.link.sheet, {table.link.id})
        owner, prefix = table.link.sheet, f"{table.link.name}."
    if timed is None:
        return Line("time", {"unit": "order"}, "no column is a time: the order of the file counts, no clock")
    name, written = timed
    table.used.add(name)
    instants = as_instant(owner.cells(name), written.keys.get("unit", "iso"), written.keys.get("format"))
    table.newest = from_micros(int(np.max(instants.values[instants.ok]))) if owner.whole else None
    value: Any = {"column": prefix + name, **written.keys} if written.keys else prefix + name
    return Line("time", value, written.why)


def _optional_lines(table: EventTable) -> list[Line]:
    """The keys that a table may have, in the order of the template."""
    sheet = table.sheet
    ids = [*table.free(EVENT_COLUMNS["event_id"]), *table.free(PLAIN_IDS)]
    numbers = [name for name in table.free(EVENT_COLUMNS["position"]) if is_number(sheet.distinct(name))]
    lines = []
    for key, candidates, why in (
        ("event_id", [name for name in ids if _is_unique(sheet, name)], "different in each row"),
        ("session", table.free(EVENT_COLUMNS["session"]), "by its name"),
        ("query", table.free(EVENT_COLUMNS["query"]), "by its name"),
        ("position", numbers, "by its name"),
    ):
        if candidates:
            table.used.add(candidates[0])
            lines.append(Line(key, candidates[0], why))
    lines += _value_lines(table)
    counts = [name for name in table.free(EVENT_COLUMNS["quantity"]) if is_number(sheet.distinct(name))]
    if counts:
        table.used.add(counts[0])
        lines.append(Line("quantity", counts[0], "by its name"))
    return lines


def _value_lines(table: EventTable) -> list[Line]:
    """What a row is worth: money of the whole row or, where there is none, of one piece."""
    for role, whose in (("line_value", "of the whole row"), ("unit_value", "of one piece")):
        for name in table.free(EVENT_COLUMNS[role]):
            if (money := written_money(table.sheet.distinct(name))) is not None:
                table.used.add(name)
                table.value, table.currency = True, money.currency
                per = {"per": "unit"} if role == "unit_value" else {}
                keys = {**money_keys(name, money.keys), **per}
                return [Line("value", keys if len(keys) > 1 else name, f"{money.why}, {whose}")]
    return []


def money_keys(name: str, written: Mapping[str, str]) -> Mapping[str, Any]:
    """The keys of a column of amounts; a name such as `price_cents` says that it counts hundredths."""
    cents = compact(name).endswith(("cents", "分"))
    return {"column": name, **written, **({"scale": 0.01} if cents else {})}


def _is_unique(sheet: Sheet, name: str) -> bool:
    rows: int = sheet.table.num_rows
    return len(sheet.distinct(name)) == rows > 1


def _others(candidates: Sequence[str]) -> str:
    return f"; it could be {', '.join(candidates[1:4])} too" if candidates[1:] else ""


def _names(sheet: Sheet) -> str:
    return ", ".join(sheet.names)
