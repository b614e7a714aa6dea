"""Tables of the registry: runs, the bundles they made, their tests, and every change of a bundle's stage."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from recsys.stores.registry.database import Tables, UtcDateTime

Stage = Literal["candidate", "production", "archived"]
CANDIDATE: Stage = "candidate"
PRODUCTION: Stage = "production"
ARCHIVED: Stage = "archived"

_IN_PRODUCTION = text("stage = 'production'")


class RunRow(Tables):
    """One training, evaluation or import: with which settings, and what came out."""

    __tablename__ = "runs"
    __table_args__ = (CheckConstraint("status IN ('running', 'finished', 'failed')", name="status"),)

    run_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    kind: Mapped[str] = mapped_column(String(50))
    status: Mapped[str] = mapped_column(String(20))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)
    git_revision: Mapped[str | None] = mapped_column(String(64))
    error: Mapped[str | None]


class BundleRow(Tables):
    """One bundle on disk. At most one is in production: a partial unique index says so."""

    __tablename__ = "bundles"
    __table_args__ = (
        CheckConstraint("stage IN ('candidate', 'production', 'archived')", name="stage"),
        Index(
            "uq_bundles_production",
            "stage",
            unique=True,
            sqlite_where=_IN_PRODUCTION,
            postgresql_where=_IN_PRODUCTION,
        ),
    )

    bundle_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    path: Mapped[str]  # relative to the home folder where it lies in it
    dataset: Mapped[str]
    protocol: Mapped[str] = mapped_column(String(50))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)
    run_id: Mapped[str | None] = mapped_column(ForeignKey("runs.run_id"), index=True)
    stage: Mapped[str] = mapped_column(String(20))
    promoted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StageChangeRow(Tables):
    """Who moved a bundle from one stage to another, and when; rows are only ever added."""

    __tablename__ = "stage_changes"
    __table_args__ = (CheckConstraint("action IN ('register', 'promote', 'rollback')", name="action"),)

    change_id: Mapped[int] = mapped_column(primary_key=True)
    bundle_id: Mapped[str] = mapped_column(ForeignKey("bundles.bundle_id"), index=True)
    action: Mapped[str] = mapped_column(String(20))
    from_stage: Mapped[str | None] = mapped_column(String(20))
    to_stage: Mapped[str] = mapped_column(String(20))
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class EvaluationRow(Tables):
    """The latest test of a bundle with repeats kept, and the latest with them removed."""

    __tablename__ = "evaluations"
    __table_args__ = (CheckConstraint("seen IN ('keep', 'remove')", name="seen"),)

    bundle_id: Mapped[str] = mapped_column(ForeignKey("bundles.bundle_id"), primary_key=True)
    seen: Mapped[str] = mapped_column(String(20), primary_key=True)
    protocol: Mapped[str] = mapped_column(String(50))
    cases: Mapped[int]
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)
    verdict: Mapped[str | None]
    evaluated_at: Mapped[datetime] = mapped_column(UtcDateTime)
