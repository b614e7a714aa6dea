"""Files of items and of users: what is shown, what is told of each, what is for sale."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from recsys.ingest.guess.cells import has_markup, is_number, list_separator, written_money, written_time
from recsys.ingest.guess.events import EventTable, file_lines, money_keys
from recsys.ingest.guess.lines import Block, Line
from recsys.ingest.guess.sheets import Sheet
from recsys.ingest.guess.words import (
    IDS,
    ITEM_COLUMNS,
    LINKS,
    NOT_FOR_SALE,
    PERSONAL,
    PLAIN_IDS,
    columns_named,
    compact,
)

_MOST_ATTRIBUTES = 12
_LEVELS = (">", "/", "|", "»")  # what shops write between the levels of a category, the surest first
_TEXT_SHARE = 0.8  # more different texts than this share of the rows are no attribute


@dataclass(frozen=True)
class IdColumn:
    """The column of ids, and how it was found."""

    name: str
    why: str


def describes_items(sheet: Sheet) -> list[str]:
    """Columns that tell something of items, whatever else the sheet has."""
    return [
        name
        for role in ("title", "description", "category", "brand")
        for name in columns_named(sheet.names, ITEM_COLUMNS[role])
    ]


def meeting_columns(
    sheet: Sheet, what: str, others: Sequence[tuple[Sheet, Sequence[str]]]
) -> tuple[IdColumn | None, list[str | None]]:
    """The column of ids of a catalog or user file, and the column of each other sheet that names the same.

    Of all pairs of columns by their names that one is taken whose cells meet most often.
    """
    own = [*columns_named(sheet.names, IDS[what]), *columns_named(sheet.names, PLAIN_IDS)]
    if not own:
        return None, [names[0] if names else None for _, names in others]
    best, best_share = own[0], 0.0
    for column in own:
        cells = set(sheet.distinct(column))
        shares = [
            len(cells & set(other.distinct(name))) / max(1, len(other.distinct(name)))
            for other, names in others
            for name in names
        ]
        share = max(shares, default=0.0)
        if share > best_share + 1e-9:
            best, best_share = column, share
    cells = set(sheet.distinct(best))
    chosen = [
        max(names, key=lambda name, other=other: len(cells & set(other.distinct(name))), default=None)  # type: ignore[misc]
        for other, names in others
    ]
    if best_share:
        why = f"{best_share:.0%} of the ids in events are in it, of the rows looked at"
    else:
        why = "by its name; no id of the events' first rows is in it"
    return IdColumn(best, why), chosen


def item_blocks(sheet: Sheet, id_column: IdColumn, events: Sequence[EventTable]) -> list[Block]:
    """`[items]` and what belongs to it, from the file of the catalog or from the events' own columns."""
    used = {id_column.name, *(name for table in events if table.sheet is sheet for name in table.used)}
    lines = [*file_lines(sheet), Line("id", id_column.name, id_column.why)]
    chosen: dict[str, str] = {}
    for role in ("title", "description", "category", "brand"):
        for name in columns_named(sheet.names, ITEM_COLUMNS[role]):
            if name not in used:
                chosen[role] = name
                used.add(name)
                break
    if "title" not in chosen and "description" in chosen:
        chosen["title"] = chosen.pop("description")
    lines += _text_lines(sheet, chosen)
    lines += _placing_lines(sheet, chosen, used)
    lines.append(_price_line(sheet, used, events))
    blocks = [Block("[items]", (f"-- {', '.join(sheet.files)}: items",), lines)]
    blocks += _unavailable(sheet, used)
    if not any(table.sheet is sheet for table in events):
        blocks += _attributes("items", sheet, used)
    return blocks


def user_blocks(sheet: Sheet, id_column: IdColumn) -> list[Block]:
    """`[users]` and its attributes; names, addresses and the like are left out."""
    lines = [*file_lines(sheet), Line("id", id_column.name, id_column.why)]
    blocks = [Block("[users]", (f"-- {', '.join(sheet.files)}: users",), lines)]
    return blocks + _attributes("users", sheet, {id_column.name})


def _text_lines(sheet: Sheet, chosen: dict[str, str]) -> list[Line]:
    lines: list[Line] = []
    fields = {role: f"{{{name}}}" for role, name in chosen.items() if not set(name) & set("{}|[]")}
    lists = {
        name: mark
        for role, name in chosen.items()
        if role == "category" and (mark := list_separator(sheet.distinct(name)))
    }
    if lists:
        lines.append(Line("lists", lists, "what separates the elements of a cell"))
    if "title" not in fields:
        lines.append(Line("title", "", "which column is the name that people read?", known=False))
    else:
        lines.append(Line("title", chosen["title"], "by its name"))
    if "description" in fields and has_markup(sheet.distinct(chosen["description"])):
        fields["description"] = fields["description"].replace("}", "|plain}")
    text = ". ".join(fields[role] for role in ("title", "brand", "category", "description") if role in fields)
    if text:
        lines.append(Line("text", text, "what the text encoder reads"))
    if "category" in fields:
        many = chosen["category"] in lists
        category = f"{{{chosen['category']}[0]}}" if many else chosen["category"]
        lines.append(Line("category", category, "the first of each list" if many else "by its name"))
    if "brand" in fields:
        lines.append(Line("brand", chosen["brand"], "by its name"))
    return lines


def _placing_lines(sheet: Sheet, chosen: dict[str, str], used: set[str]) -> list[Line]:
    """Where items stand in the shop, which are variants of one product, and since when they are there."""
    free = {
        role: [name for name in columns_named(sheet.names, ITEM_COLUMNS[role]) if name not in used]
        for role in ("category_path", "product_id", "first_at")
    }
    found: dict[str, Line] = {}
    category = chosen.get("category")
    if category is not None and list_separator(sheet.distinct(category)) == ">":
        found[category] = Line("category_path", category, "its levels, the widest first")
    for name in free["category_path"]:
        if not found and (mark := _between_levels(sheet.distinct(name))) is not None:
            value = name if mark == "/" else {"column": name, "separator": mark}
            found[name] = Line("category_path", value, f"levels such as {sheet.distinct(name)[0]}")
    for name in free["product_id"]:
        if 0 < len(sheet.distinct(name)) < len(pa.array(sheet.cells(name)).drop_null()):
            found[name] = Line("product_id", name, "variants share it")
            break
    for name in free["first_at"]:
        if (written := written_time(sheet.cells(name))) is not None:
            found[name] = Line(
                "first_at", {"column": name, **written.keys} if written.keys else name, written.why
            )
            break
    used.update(found)
    return list(found.values())


def _between_levels(texts: Sequence[str]) -> str | None:
    """What stands between the levels of category paths; None where most cells have one level."""
    marks = {mark: sum(mark in text for text in texts) for mark in _LEVELS}
    best = max(marks, key=lambda mark: marks[mark])
    return best if 2 * marks[best] > len(texts) else None


def currency_of(sheet: Sheet) -> str | None:
    """The currency that the signs in a catalog's prices tell."""
    prices = columns_named(sheet.names, ITEM_COLUMNS["price"])
    found = (written_money(sheet.distinct(name)) for name in prices)
    return next((money.currency for money in found if money and money.currency), None)


def _price_line(sheet: Sheet, used: set[str], events: Sequence[EventTable]) -> Line:
    # Not only columns that are free: what a piece cost in an event is its price.
    for name in columns_named(sheet.names, ITEM_COLUMNS["price"]):
        money = written_money(sheet.distinct(name))
        if money is not None:
            used.add(name)
            keys = money_keys(name, money.keys)
            return Line("price", keys if len(keys) > 1 else name, money.why)
    if any(table.value and "purchase" in table.kinds for table in events):
        return Line("price", {"from": "events"}, "what purchases say; the catalog has no price")
    return Line("price", "", "which column is the price?", known=False)


def _unavailable(sheet: Sheet, used: set[str]) -> list[Block]:
    for name in columns_named(sheet.names, ITEM_COLUMNS["available"]):
        no = [text for text in sheet.distinct(name) if compact(text) in NOT_FOR_SALE]
        if name not in used and len(sheet.distinct(name)) <= 10 and no:
            used.add(name)
            lines = [Line("column", name, "items that say so are not offered"), Line("in", no, "")]
            return [Block("[[items.unavailable]]", (), lines)]
    for name in columns_named(sheet.names, ITEM_COLUMNS["stock"]):
        if name not in used and is_number(sheet.distinct(name)):
            used.add(name)
            lines = [Line("column", name, "items without stock are not offered"), Line("at_most", 0, "")]
            return [Block("[[items.unavailable]]", (), lines)]
    return []


def _attributes(table: str, sheet: Sheet, used: set[str]) -> list[Block]:
    lines: list[Line] = []
    left_out: list[str] = []
    for name in (name for name in sheet.names if name not in used):
        word, key = compact(name), name.replace(" ", "_")
        cells = sheet.distinct(name)
        unwanted = word in PERSONAL or any(link in word for link in LINKS)
        unwanted |= any(line.key == key for line in lines)  # `a b` beside `a_b`
        if unwanted or word.endswith(("id", "编号")) or not cells or set(name) & set("{}|[]"):
            left_out.append(name)
        elif is_number(cells):
            value = {"column": name, "type": "number"}
            lines.append(Line(key, value, f"such as {cells[0]}"))
        elif _says_something(sheet, name):
            lines.append(Line(key, name, f"{len(cells)} different texts"))
        else:
            left_out.append(name)
    left_out += [line.key for line in lines[_MOST_ATTRIBUTES:]]
    notes = (f"not taken: {', '.join(left_out)}",) if left_out else ()
    if not lines:
        return [Block("", notes, ())] if notes else []
    return [Block(f"[{table}.attributes]", notes, lines[:_MOST_ATTRIBUTES])]


def _says_something(sheet: Sheet, name: str) -> bool:
    """Whether the texts of a column come again and again, and are no dates."""
    few = len(sheet.distinct(name)) <= max(2, _TEXT_SHARE * sheet.table.num_rows)
    return few and written_time(sheet.cells(name)) is None
