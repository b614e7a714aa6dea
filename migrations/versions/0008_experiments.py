"""Experiments: which there are, and every change of them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_experiments()
    create_changes()
    keep_changes_as_they_are()


def downgrade() -> None:
    op.drop_table("experiment_changes")
    op.drop_table("experiments")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change_of_experiment_changes()")


def create_experiments() -> None:
    op.create_table(
        "experiments",
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("salt", sa.String(64), nullable=False),
        sa.Column("share_ppm", sa.Integer(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.CheckConstraint("share_ppm > 0 AND share_ppm < 1000000", name=op.f("ck_experiments_share_ppm")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_experiments_ends_at")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_experiments")),
    )


def create_changes() -> None:
    op.create_table(
        "experiment_changes",
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("before", sa.JSON()),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("remark", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_experiment_changes")),
    )
    op.create_index("ix_experiment_changes_name", "experiment_changes", ["name"])


def keep_changes_as_they_are() -> None:
    """Lets the database refuse to change or delete a row; a copied table would need this again."""
    refusal = "rows of experiment_changes are never changed"
    if op.get_context().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER experiment_changes_no_{change.lower()} BEFORE {change} "
                f"ON experiment_changes BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_change_of_experiment_changes() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{refusal}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER experiment_changes_no_change BEFORE UPDATE OR DELETE ON experiment_changes "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change_of_experiment_changes()"
    )
