"""The skew audit: served rows beside what Feast's point-in-time join gives from the lake."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys import columns
from recsys.arrays import IntArray
from recsys.config import Settings
from recsys.errors import DataError
from recsys.features.skew import (
    ServedRow,
    StoredRows,
    Values,
    compare_rows,
    differing_features,
    measure_staleness,
)
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.home import HomePaths
from recsys.jobs.audit.late_events import explained_by_late_events
from recsys.jobs.audit.report import AuditReport, SkewAudit, save_audit
from recsys.jobs.preconditions import check_feature_repository
from recsys.progress import Progress, silent
from recsys.stores.features.build import build_features
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.served.snapshot_files import read_snapshots

_NEVER = np.zeros(0, np.int64)


def run_audit(
    settings: Settings, sample: int, threshold: float, now: datetime, progress: Progress = silent
) -> AuditReport:
    """Audits as `audit_features` does, and replaces the report of the latest audit.

    Raises:
        DataError: there is no snapshot, or nothing was imported.
        StoreUnavailableError: the disk refused.
    """
    audit = audit_features(settings, sample, threshold, now, progress)
    return AuditReport(audit, save_audit(settings.paths, audit))


def audit_features(
    settings: Settings, sample: int, threshold: float, now: datetime, progress: Progress = silent
) -> SkewAudit:
    """Compares the newest `sample` snapshots with the feature store, after its rows are brought up to date.

    Args:
        threshold: the largest share of mismatched values that a feature may have.

    Raises:
        DataError: there is no snapshot, or nothing was imported.
    """
    paths = settings.paths
    snapshots = read_snapshots(paths.served, sample)
    if not snapshots.requests:
        raise DataError(
            f"{paths.served} holds no feature snapshots, so there is nothing to audit. The service logs "
            "them for a share of its answers: let it answer some, or raise serving.snapshot_share."
        )
    check_feature_repository(settings)
    known = [row for row in snapshots.rows if _is_known(row)]
    build_features(settings, progress, with_text=False, now=now)
    features = OfflineFeatures(settings)
    with progress("feast apply", None):
        features.apply()
    there = [row for row in known if row.event_at is not None]
    with progress("recompute", len(there)) as advance:
        recomputed = _recomputed(features, there)
        advance(len(there))
    wrong = [place for place, row in enumerate(there) if differing_features(row.values, recomputed[place])]
    late = {wrong[place] for place in explained_by_late_events(paths, [there[place] for place in wrong])}
    found = compare_rows(there, recomputed, late)
    worst = max((feature.share for feature in found), default=0.0)
    return SkewAudit(
        at=now,
        requests=snapshots.requests,
        rows=len(there),
        late=len(late),
        compared=sum(feature.compared for feature in found),
        mismatched=sum(feature.mismatched for feature in found),
        worst_share=worst,
        threshold=threshold,
        passed=worst <= threshold,
        damaged=snapshots.damaged,
        unknown=len(snapshots.rows) - len(known),
        features=found,
        staleness=measure_staleness(known, _stored(paths, known)),
    )


def _is_known(row: ServedRow) -> bool:
    schema = VIEW_SCHEMAS.get(row.view)
    return schema is not None and (row.event_at is None or any(name in schema.names for name in row.values))


def _recomputed(features: OfflineFeatures, rows: Sequence[ServedRow]) -> list[Values]:
    """For each row the values of its features as of its event timestamp; equal lookups are made once."""
    found: list[Values] = [{} for _ in rows]
    for view in dict.fromkeys(row.view for row in rows):
        places = [place for place, row in enumerate(rows) if row.view == view]
        lookups = dict.fromkeys((rows[place].entity_id, rows[place].event_at or 0) for place in places)
        names = _features_of(view, [rows[place] for place in places])
        ids, at = zip(*lookups, strict=True)
        table = features.values_as_of(view, ids, np.array(at, np.int64), names)
        values: Mapping[tuple[str, int], Values] = dict(zip(lookups, table.to_pylist(), strict=True))
        for place in places:
            found[place] = values[rows[place].entity_id, rows[place].event_at or 0]
    return found


def _features_of(view: str, rows: Sequence[ServedRow]) -> list[str]:
    served = {name for row in rows for name in row.values}
    fixed = (columns.EVENT_TIMESTAMP, columns.CREATED_TIMESTAMP, VIEW_SCHEMAS[view].names[0])
    return [name for name in VIEW_SCHEMAS[view].names if name in served and name not in fixed]


def _stored(paths: HomePaths, rows: Sequence[ServedRow]) -> list[StoredRows]:
    """For each row what the disk holds of its entity strictly before the request."""
    found = [StoredRows(None, None)] * len(rows)
    for view in dict.fromkeys(row.view for row in rows):
        places = [place for place, row in enumerate(rows) if row.view == view]
        stored = _instants(paths, view, sorted({rows[place].entity_id for place in places}))
        for place in places:
            row, at = rows[place], stored.get(rows[place].entity_id, _NEVER)
            before = at[: np.searchsorted(at, row.at)]
            after = before[np.searchsorted(before, row.event_at or 0, side="right") :]
            found[place] = StoredRows(
                int(before[-1]) if len(before) else None, int(after[0]) if len(after) else None
            )
    return found


def _instants(paths: HomePaths, view: str, ids: Sequence[str]) -> dict[str, IntArray]:
    """Entity -> event timestamps of its stored rows, microseconds, ascending."""
    entity = str(VIEW_SCHEMAS[view].names[0])
    names = [entity, columns.EVENT_TIMESTAMP]
    read = [
        pq.read_table(file, columns=names, filters=[(entity, "in", set(ids))])
        for file in paths.row_files(view)
    ]
    table = pa.concat_tables(read)
    at = table[columns.EVENT_TIMESTAMP].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    codes = table[entity].combine_chunks().dictionary_encode()
    order = np.lexsort((at, codes.indices.to_numpy()))
    counts = np.bincount(codes.indices.to_numpy(), minlength=len(codes.dictionary))
    parts = np.split(at[order], np.cumsum(counts)[:-1])
    return dict(zip(codes.dictionary.to_pylist(), parts, strict=False))
