"""Access keys: who may call the service, with which role and how often."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
CURRENT = sa.text("revoked_at IS NULL AND replaced_by IS NULL")


def upgrade() -> None:
    op.create_table(
        "access_keys",
        sa.Column("key_id", sa.String(20), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("role", sa.String(50), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("account", sa.String(256)),
        sa.Column("rate", sa.Double()),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.Column("revoked_by", sa.String()),
        sa.Column("last_used_at", INSTANT),
        sa.Column("replaced_by", sa.String(20)),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_access_keys")),
    )
    op.create_index(
        "uq_access_keys_current_name",
        "access_keys",
        ["name"],
        unique=True,
        sqlite_where=CURRENT,
        postgresql_where=CURRENT,
    )


def downgrade() -> None:
    op.drop_table("access_keys")
