"""What bundles are worth on their tests."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evaluations",
        sa.Column("bundle_id", sa.String(100), nullable=False),
        sa.Column("seen", sa.String(20), nullable=False),
        sa.Column("protocol", sa.String(50), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("verdict", sa.String()),
        sa.Column("evaluated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("seen IN ('keep', 'remove')", name=op.f("ck_evaluations_seen")),
        sa.ForeignKeyConstraint(
            ["bundle_id"], ["bundles.bundle_id"], name=op.f("fk_evaluations_bundle_id_bundles")
        ),
        sa.PrimaryKeyConstraint("bundle_id", "seen", name=op.f("pk_evaluations")),
    )


def downgrade() -> None:
    op.drop_table("evaluations")
