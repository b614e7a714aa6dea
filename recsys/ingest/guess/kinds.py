"""Which kind of event a row is: by a column of words, by a rating, or all rows alike."""

from collections.abc import Sequence
from typing import Any, Protocol

from recsys import columns
from recsys.ingest.guess.cells import is_number
from recsys.ingest.guess.lines import Line
from recsys.ingest.guess.sheets import Sheet
from recsys.ingest.guess.words import EVENT_COLUMNS, FILE_KINDS, known_event_kind, says

_MOST_KINDS = 60  # different values of a column that tells the kind
_LIKED = 0.8  # of the best rating: four stars of five


class KindTable(Protocol):
    """What is known of a table of events so far."""

    sheet: Sheet
    used: set[str]
    kinds: tuple[str, ...]
    kind_column: str | None

    def free(self, words: Sequence[str]) -> list[str]:
        """Columns of these names that nothing reads yet."""


def kind_line(table: KindTable) -> Line:
    """The key `kind`; notes in `table` which kinds there are and which column says so."""
    for name in table.free(EVENT_COLUMNS["kind"]):
        values = table.sheet.distinct(name)
        if 1 <= len(values) <= _MOST_KINDS:
            table.used.add(name)
            return _by_words(table, name, values)
    for name in table.free(EVENT_COLUMNS["rating"]):
        ratings = table.sheet.distinct(name)
        if is_number(ratings):
            table.used.add(name)
            return _by_rating(table, name, ratings)
    return _all_alike(table)


def _by_words(table: KindTable, name: str, values: Sequence[str]) -> Line:
    known = {value: kind for value in values if (kind := known_event_kind(value)) is not None}
    unknown = ", ".join(repr(value[:30]) for value in values if value not in known)
    rule: dict[str, Any] = {"column": name, "values": known}
    why = f"what the words of {name} mean"
    if not known:
        rule["otherwise"] = columns.VIEW
        why = f"what do {unknown} mean? Add them to `values`; until then each row counts as a view"
    elif unknown:
        why += f"; not known, so set aside until they are added to `values`: {unknown}"
    table.kinds, table.kind_column = tuple(dict.fromkeys(known.values())) or (columns.VIEW,), name
    return Line("kind", rule, why)


def _by_rating(table: KindTable, name: str, ratings: Sequence[str]) -> Line:
    bound = _LIKED * max(float(text) for text in ratings if is_number([text]))
    case = {"kind": columns.LIKE, "column": name, "at_least": int(bound) if bound == int(bound) else bound}
    table.kinds = (columns.LIKE, columns.VIEW)
    rule = {"cases": [case], "otherwise": columns.VIEW}
    return Line("kind", rule, f"{name} says what was liked; choose from which on")


def _all_alike(table: KindTable) -> Line:
    """One kind for all rows, but for returns where a count is negative."""
    sheet = table.sheet
    paid = table.free((*EVENT_COLUMNS["quantity"], *EVENT_COLUMNS["line_value"]))
    named = [kind for kind, words in FILE_KINDS.items() if says(sheet.files[0], words)]
    kind, why = columns.VIEW, "nothing says more"
    if named:
        kind, why = named[0], "by the name of the file"
    elif paid:
        kind, why = columns.PURCHASE, f"it has {paid[0]}"
    table.kinds = (kind,)
    counts = [name for name in paid if is_number(sheet.distinct(name))]
    if (
        kind == columns.PURCHASE
        and counts
        and any(cell.startswith("-") for cell in sheet.distinct(counts[0]))
    ):
        case = {"kind": columns.CANCEL, "column": counts[0], "below": 0}
        return Line("kind", {"cases": [case], "otherwise": kind}, f"{why}; below 0 it is a return")
    return Line("kind", kind, f"all rows alike: {why}")
