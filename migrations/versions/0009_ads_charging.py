"""Tables of the charge worker: the gate's generations, own users, invalid traffic, slots sold by purchase."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_generations()
    create_own_users()
    create_invalid_events()
    create_purchase_slots()


def downgrade() -> None:
    for name in ("ads_gate_generation", "ads_own_users", "ads_invalid_events", "ads_purchase_slots"):
        op.drop_table(name)


def create_generations() -> None:
    table = "ads_gate_generation"
    op.create_table(
        table,
        sa.Column("account_id", sa.String(20), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        account(table),
        sa.PrimaryKeyConstraint("account_id", name=op.f(f"pk_{table}")),
    )


def create_own_users() -> None:
    table = "ads_own_users"
    op.create_table(
        table,
        sa.Column("account_id", sa.String(20), nullable=False),
        sa.Column("user_id", sa.String(256), nullable=False),
        account(table),
        sa.PrimaryKeyConstraint("account_id", "user_id", name=op.f(f"pk_{table}")),
    )


def create_invalid_events() -> None:
    table = "ads_invalid_events"
    op.create_table(
        table,
        sa.Column("event_id", sa.String(256), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("account_id", sa.String(20)),
        sa.Column("campaign_id", sa.String(20)),
        sa.Column("line_id", sa.String(20)),
        sa.Column("token_id", sa.String(128)),
        sa.Column("user_id", sa.String(256), nullable=False),
        sa.Column("price_nanos", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("noted_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f(f"pk_{table}")),
    )
    op.create_index("ix_ads_invalid_events_account_id_occurred_at", table, ["account_id", "occurred_at"])


def create_purchase_slots() -> None:
    table = "ads_purchase_slots"
    op.create_table(
        table,
        sa.Column("token_id", sa.String(128), nullable=False),
        sa.Column("account_id", sa.String(20), nullable=False),
        sa.Column("campaign_id", sa.String(20), nullable=False),
        sa.Column("line_id", sa.String(20), nullable=False),
        sa.Column("item_id", sa.String(256), nullable=False),
        sa.Column("unit", sa.String(300), nullable=False),
        sa.Column("price_nanos", sa.BigInteger(), nullable=False),
        sa.Column("served_at", INSTANT, nullable=False),
        sa.Column("clicked_at", INSTANT, nullable=False),
        sa.Column("purchase_id", sa.String(256)),
        sa.Column("purchased_at", INSTANT),
        sa.PrimaryKeyConstraint("token_id", name=op.f(f"pk_{table}")),
    )
    op.create_index("ix_ads_purchase_slots_unit_item_id", table, ["unit", "item_id"])


def account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["ads_accounts.account_id"], name=op.f(f"fk_{table}_account_id_ads_accounts")
    )
