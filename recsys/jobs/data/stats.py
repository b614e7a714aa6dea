"""Numbers that describe an imported shop."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import IntArray
from recsys.dataset.info import DatasetInfo
from recsys.dataset.searches import count_searches
from recsys.documents import JsonObject
from recsys.home import HomePaths
from recsys.jobs.data.report import RejectedRows, rejected_rows
from recsys.stores.lake.dataset_files import load_info, load_report
from recsys.stores.lake.event_lake import open_lake

_COLUMNS = (
    columns.KIND,
    columns.USER_ID,
    columns.ITEM_ID,
    columns.AT,
    columns.EVENT_ID,
    columns.REQUEST_ID,
    columns.QUERY_ID,
)
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


@dataclass(frozen=True)
class KindShare:
    """How many of the events are of one kind."""

    kind: str
    events: int
    share: float


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of what is counted, for example events per user, by the name of the quantile."""

    counted: str
    values: Mapping[str, int]

    def to_json(self) -> JsonObject:
        """A row of a table: one column for each quantile."""
        return {"of": self.counted, **self.values}


@dataclass(frozen=True)
class DatasetStats:
    """Facts, events by kind, quantiles of events per user and per item, and rows not kept by reason."""

    facts: JsonObject
    kinds: tuple[KindShare, ...]
    quantiles: tuple[Quantiles, ...]
    rejections: tuple[RejectedRows, ...]

    def to_json(self) -> JsonObject:
        """What `recsys data stats --json` prints."""
        return {
            "facts": self.facts,
            "kinds": [asdict(row) for row in self.kinds],
            "quantiles": [row.to_json() for row in self.quantiles],
            "refused": [asdict(row) for row in self.rejections],
        }


def dataset_stats(paths: HomePaths) -> DatasetStats:
    """Describes the imported shop by its dataset, its report and its events.

    Raises:
        DataError: nothing was imported.
    """
    info = load_info(paths)
    report = load_report(paths)
    events = open_lake(paths).read(_COLUMNS)
    per_user, per_item = (_counts(events[name]) for name in (columns.USER_ID, columns.ITEM_ID))
    return DatasetStats(
        facts=_facts(info, events, len(per_user), len(per_item)),
        kinds=_kinds(events),
        quantiles=(_quantiles("events per user", per_user), _quantiles("events per item", per_item)),
        rejections=rejected_rows(report),
    )


def _facts(info: DatasetInfo, events: pa.Table, active_users: int, active_items: int) -> JsonObject:
    pairs = events.group_by([columns.USER_ID, columns.ITEM_ID]).aggregate([]).num_rows
    return {
        "name": info.name,
        "clock": info.clock,
        "repeats": info.repeats,
        "label_kinds": list(info.label_kinds),
        "currency": info.currency,
        "events": len(events),
        "searches": count_searches(events),
        "users": info.users,
        "active_users": active_users,
        "items": info.items,
        "active_items": active_items,
        "start": info.start,
        "end": info.end,
        "days": round((info.end - info.start).total_seconds() / 86_400, 1),
        "density": pairs / max(1, active_users * info.items),
        "repeated_share": 1 - pairs / len(events) if len(events) else 0.0,
        "imported_at": info.imported_at,
    }


def _counts(column: pa.ChunkedArray) -> IntArray:
    return np.asarray(column.drop_null().value_counts().field("counts"), np.int64)


def _kinds(events: pa.Table) -> tuple[KindShare, ...]:
    found = {row["values"]: row["counts"] for row in events[columns.KIND].value_counts().to_pylist()}
    total = max(1, len(events))
    return tuple(KindShare(kind, found[kind], found[kind] / total) for kind in columns.KINDS if kind in found)


def _quantiles(counted: str, counts: IntArray) -> Quantiles:
    values = {}
    for share in _QUANTILES:
        label = {0.0: "min", 0.5: "median", 1.0: "max"}.get(share, f"p{round(share * 100)}")
        values[label] = int(np.quantile(counts, share)) if len(counts) else 0
    return Quantiles(counted, values)
