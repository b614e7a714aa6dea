"""Numbers that describe an imported shop."""

from typing import Any

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import IntArray
from recsys.home import HomePaths
from recsys.stores.lake.dataset_files import load_info, load_report
from recsys.stores.lake.event_lake import open_lake

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


def dataset_stats(paths: HomePaths) -> dict[str, Any]:
    """Facts, events by kind, quantiles of events per user and per item, and rows refused by reason.

    Raises:
        DataError: nothing was imported.
    """
    info = load_info(paths)
    report = load_report(paths)
    events = open_lake(paths).read([columns.KIND, columns.USER_ID, columns.ITEM_ID, columns.AT])
    per_user, per_item = (_counts(events[name]) for name in (columns.USER_ID, columns.ITEM_ID))
    pairs = events.group_by([columns.USER_ID, columns.ITEM_ID]).aggregate([]).num_rows
    facts = {
        "name": info.name,
        "clock": info.clock,
        "repeats": info.repeats,
        "label_kinds": list(info.label_kinds),
        "currency": info.currency,
        "events": len(events),
        "users": info.users,
        "active_users": len(per_user),
        "items": info.items,
        "active_items": len(per_item),
        "start": info.start,
        "end": info.end,
        "days": round((info.end - info.start).total_seconds() / 86_400, 1),
        "density": pairs / max(1, len(per_user) * info.items),
        "repeated_share": 1 - pairs / max(1, len(events)),
        "imported_at": info.imported_at,
    }
    return {
        "facts": facts,
        "kinds": _kinds(events),
        "quantiles": [_quantiles("events per user", per_user), _quantiles("events per item", per_item)],
        "refused": [
            {"table": table, "reason": reason, "rows": count}
            for table in ("events", "items", "users", "vectors")
            if table in report
            for reason, count in report[table]["reasons"].items()
        ],
    }


def _counts(column: pa.ChunkedArray) -> IntArray:
    return np.asarray(column.drop_null().value_counts().field("counts"), np.int64)


def _kinds(events: pa.Table) -> list[dict[str, Any]]:
    found = {row["values"]: row["counts"] for row in events[columns.KIND].value_counts().to_pylist()}
    total = max(1, len(events))
    return [
        {"kind": kind, "events": found[kind], "share": found[kind] / total}
        for kind in columns.KINDS
        if kind in found
    ]


def _quantiles(name: str, counts: IntArray) -> dict[str, Any]:
    row: dict[str, Any] = {"of": name}
    for share in _QUANTILES:
        label = {0.0: "min", 0.5: "median", 1.0: "max"}.get(share, f"p{round(share * 100)}")
        row[label] = int(np.quantile(counts, share)) if len(counts) else 0
    return row
