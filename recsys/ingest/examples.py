"""The first rejected rows of each reason, and what to do about it: what a message of an import shows."""

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from recsys.documents import JsonObject
from recsys.identifiers import MOST_CHARACTERS
from recsys.ingest.background import RowSink

_LONGEST = 200
_REMEDIES = {
    "missing_user": "Check `user` in the mapping.",
    "missing_item": "Check `item` (or `id` of the catalog) in the mapping.",
    "bad_id": f"Name a column with one id a row, of up to {MOST_CHARACTERS} characters.",
    "missing_time": "Check `time` in the mapping.",
    "bad_time": "Name the form of such cells in `time`: a `unit` for counts, a strptime `format` for texts.",
    "absurd_time": "Check `unit` of `time`; older events need `earliest` in [cleaning].",
    "future_time": "Check `unit` and `zone` of `time`; for files from another day than today pass --now.",
    "unknown_kind": "Give the value a kind in `values` or `cases`, or write `otherwise`.",
    "unknown_item": "Write the ids alike in both files, or unknown = 'keep' in [items].",
    "bad_number": "Check which column the mapping names.",
    "bad_flag": "Check which column the mapping names; its cells are true and false, or 1 and 0.",
    "bad_token": "Check `token` in the mapping; its cells are tokens of sponsored items, as pages got them.",
    "bad_filters": "Check `filters` in the mapping; its cells are JSON objects.",
    "bad_quantity": "Check `quantity` in the mapping.",
    "bad_value": "Check `value` in the mapping.",
    "malformed_row": "Check `format`, `delimiter` and `quote` in the mapping.",
    "bot": "Raise `bot_events_per_minute` and `bot_events_per_day` in [cleaning].",
    "missing_key": "Check `on` of the join in the mapping.",
    "unknown_key": "Check `on` and `id` of the join, or write how = 'left' to keep such rows.",
}


class ExampleQuarantine:
    """Hands rows to a quarantine and keeps the first of each table and reason, by file and row number."""

    def __init__(self, sink: RowSink) -> None:
        self._sink = sink
        self._found: dict[tuple[str, str], JsonObject] = {}

    def append(self, table: pa.Table) -> None:
        """Hands the rows on, which have `QUARANTINE_SCHEMA`."""
        self._sink.append(table)
        for pair in table.select(["table", "reason"]).group_by(["table", "reason"]).aggregate([]).to_pylist():
            same = pc.and_(pc.equal(table["table"], pair["table"]), pc.equal(table["reason"], pair["reason"]))
            rows = table.filter(same)
            first = pc.select_k_unstable(rows, 1, [("file", "ascending"), ("row", "ascending")])
            row = rows.take(first).to_pylist()[0]
            known = self._found.setdefault((pair["table"], pair["reason"]), row)
            if (row["file"] or "", row["row"] or 0) < (known["file"] or "", known["row"] or 0):
                self._found[pair["table"], pair["reason"]] = row

    def of(self, table: str) -> dict[str, str]:
        """The first rejected row of each reason of `table`: `orders.csv, row 7: at = 'soon' is ...`."""
        return {reason: _place(row) for (name, reason), row in self._found.items() if name == table}


def nothing_left(rows: int, reasons: Counter[str], examples: Mapping[str, str]) -> str:
    """Why no event is left: the commonest reasons, a row that shows the first one, and the remedy."""
    if not rows:
        return "the files of [[events]] have no rows. Check `files` in the mapping and the files themselves."
    worst = reasons.most_common(3)
    counted = ", ".join(f"{reason} {count}" for reason, count in worst)
    first = worst[0][0]
    shown = f" For example {examples[first]}." if first in examples else ""
    remedy = _REMEDIES.get(first, "Check the columns and rules of the mapping against the files.")
    return f"none of {rows} rows is an event ({counted}).{shown} {remedy}"


def _place(row: JsonObject) -> str:
    what = row["detail"] or row["raw"]
    what = what if len(what) <= _LONGEST else what[:_LONGEST] + "..."
    return f"{row['file']}, row {row['row']}: {what}" if row["file"] else what
