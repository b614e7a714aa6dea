"""What the registry answers: plain frozen records, made from rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import RowMapping

from recsys.stores.registry.tables import Stage


@dataclass(frozen=True)
class RunRecord:
    """One run; `metrics` and `error` say how it ended."""

    run_id: str
    kind: str
    status: str  # running, finished, failed
    started_at: datetime
    finished_at: datetime | None
    settings: dict[str, Any]
    metrics: dict[str, float]
    git_revision: str | None
    error: str | None


@dataclass(frozen=True)
class EvaluationRecord:
    """What a bundle was worth on its test, as served.

    Attributes:
        seen: `keep` or `remove` what users had before.
        metrics: by name, on all cases. verdict: in words; None where there was no baseline.
    """

    seen: str
    protocol: str
    cases: int
    metrics: dict[str, float]
    verdict: str | None
    evaluated_at: datetime


@dataclass(frozen=True)
class BundleRecord:
    """One bundle as the registry knows it; `path` is its folder, `evaluations` the latest by `seen`."""

    bundle_id: str
    path: Path
    dataset: str
    protocol: str
    created_at: datetime
    metrics: dict[str, float]
    run_id: str | None
    stage: Stage
    promoted_at: datetime | None
    evaluations: Mapping[str, EvaluationRecord] = field(default_factory=dict)


@dataclass(frozen=True)
class StageChange:
    """Who moved a bundle where, and when; `action` is register, promote or rollback."""

    bundle_id: str
    action: str
    from_stage: Stage | None
    to_stage: Stage
    changed_by: str
    changed_at: datetime


def bundle_record(row: RowMapping, home: Path, evaluations: Iterable[EvaluationRecord] = ()) -> BundleRecord:
    """A row of `bundles`; a relative path is relative to `home`."""
    # A path that is absolute already stays so: Path("/a") / "/b" is /b.
    own = {"path": home / row["path"], "metrics": float_metrics(row["metrics"])}
    return BundleRecord(**(dict(row) | own), evaluations={found.seen: found for found in evaluations})


def evaluation_record(row: RowMapping) -> EvaluationRecord:
    """A row of `evaluations`."""
    values = {name: value for name, value in row.items() if name != "bundle_id"}
    return EvaluationRecord(**(values | {"metrics": float_metrics(row["metrics"])}))


def stage_change(row: RowMapping) -> StageChange:
    """A row of `stage_changes`."""
    return StageChange(**{name: value for name, value in row.items() if name != "change_id"})


def run_record(row: RowMapping) -> RunRecord:
    """A row of `runs`."""
    return RunRecord(**(dict(row) | {"metrics": float_metrics(row["metrics"])}))


def storable_metrics(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """JSON has no NaN and no infinity: they are kept as text."""
    return {name: (value if abs(value) < float("inf") else str(value)) for name, value in metrics.items()}


def float_metrics(metrics: Mapping[str, float | str]) -> dict[str, float]:
    """The inverse of `storable_metrics`."""
    return {name: float(value) for name, value in metrics.items()}
