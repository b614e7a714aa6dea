"""Tables of experiments: which there are, and who changed what.

No row is ever deleted: what was measured names the experiment for good.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from recsys.stores.registry.database import Tables, UtcDateTime


class ExperimentRow(Tables):
    """An experiment as it is now."""

    __tablename__ = "experiments"
    __table_args__ = (
        CheckConstraint("share_ppm > 0 AND share_ppm < 1000000", name="share_ppm"),
        CheckConstraint("ends_at > starts_at", name="ends_at"),  # true or unknown where it has no end
    )

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    salt: Mapped[str] = mapped_column(String(64))
    share_ppm: Mapped[int]
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str]


class ExperimentChangeRow(Tables):
    """Who changed an experiment, from what to what; rows are only ever added."""

    __tablename__ = "experiment_changes"
    __table_args__ = (Index("ix_experiment_changes_name", "name"),)

    change_id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    version: Mapped[int]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    remark: Mapped[str]
