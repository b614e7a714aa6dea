"""Runs, bundles and the changes of their stage."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
IN_PRODUCTION = sa.text("stage = 'production'")


def upgrade() -> None:
    create_runs()
    create_bundles()
    create_stage_changes()


def downgrade() -> None:
    op.drop_table("stage_changes")
    op.drop_table("bundles")
    op.drop_table("runs")


def create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("git_revision", sa.String(64)),
        sa.Column("error", sa.String()),
        sa.CheckConstraint("status IN ('running', 'finished', 'failed')", name=op.f("ck_runs_status")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_started_at"), "runs", ["started_at"])


def create_bundles() -> None:
    op.create_table(
        "bundles",
        sa.Column("bundle_id", sa.String(100), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("protocol", sa.String(50), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("run_id", sa.String(100)),
        sa.Column("stage", sa.String(20), nullable=False),
        sa.Column("promoted_at", INSTANT),
        sa.CheckConstraint("stage IN ('candidate', 'production', 'archived')", name=op.f("ck_bundles_stage")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_bundles_run_id_runs")),
        sa.PrimaryKeyConstraint("bundle_id", name=op.f("pk_bundles")),
    )
    op.create_index(op.f("ix_bundles_created_at"), "bundles", ["created_at"])
    op.create_index(op.f("ix_bundles_run_id"), "bundles", ["run_id"])
    op.create_index(
        "uq_bundles_production",
        "bundles",
        ["stage"],
        unique=True,
        sqlite_where=IN_PRODUCTION,
        postgresql_where=IN_PRODUCTION,
    )


def create_stage_changes() -> None:
    op.create_table(
        "stage_changes",
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("bundle_id", sa.String(100), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("from_stage", sa.String(20)),
        sa.Column("to_stage", sa.String(20), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "action IN ('register', 'promote', 'rollback')", name=op.f("ck_stage_changes_action")
        ),
        sa.ForeignKeyConstraint(
            ["bundle_id"], ["bundles.bundle_id"], name=op.f("fk_stage_changes_bundle_id_bundles")
        ),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_stage_changes")),
    )
    op.create_index(op.f("ix_stage_changes_bundle_id"), "stage_changes", ["bundle_id"])
