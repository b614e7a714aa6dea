"""What became of ads: counts by hour, the processes that counted, and forecasts."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_processes()
    create_requests()
    create_steps()
    create_forecasts()


def downgrade() -> None:
    for table in ("ads_forecasts", "ads_delivery_steps", "ads_delivery_requests", "ads_delivery_processes"):
        op.drop_table(table)


def create_processes() -> None:
    table = "ads_delivery_processes"
    op.create_table(
        table,
        sa.Column("process", sa.String(64), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("flushed_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("process", name=op.f(f"pk_{table}")),
    )
    op.create_index("ix_ads_delivery_processes_flushed_at", table, ["flushed_at"])


def create_requests() -> None:
    table = "ads_delivery_requests"
    place = ("hour", "surface", "holdout")
    op.create_table(
        table,
        *places(),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("requests > 0", name=op.f(f"ck_{table}_requests")),
        sa.PrimaryKeyConstraint(*place, name=op.f(f"pk_{table}")),
    )


def create_steps() -> None:
    table = "ads_delivery_steps"
    op.create_table(
        table,
        sa.Column("campaign_id", sa.String(20), nullable=False),
        *places(),
        sa.Column("step", sa.String(10), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("requests > 0", name=op.f(f"ck_{table}_requests")),
        sa.PrimaryKeyConstraint(
            "campaign_id", "hour", "surface", "holdout", "step", name=op.f(f"pk_{table}")
        ),
    )
    op.create_index("ix_ads_delivery_steps_hour", table, ["hour"])


def create_forecasts() -> None:
    table = "ads_forecasts"
    op.create_table(
        table,
        sa.Column("forecast_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.String(20), nullable=False),
        sa.Column("campaign_id", sa.String(20)),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("forecast", sa.JSON(), nullable=False),
        *owners(table, "account", "campaign"),
        sa.PrimaryKeyConstraint("forecast_id", name=op.f(f"pk_{table}")),
    )
    op.create_index("ix_ads_forecasts_account_id_name", table, ["account_id", "name"])


def owners(table: str, *kinds: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint(
            [f"{kind}_id"],
            [f"ads_{kind}s.{kind}_id"],
            name=op.f(f"fk_{table}_{kind}_id_ads_{kind}s"),
        )
        for kind in kinds
    ]


def places() -> list[sa.Column]:
    return [
        sa.Column("hour", INSTANT, nullable=False),
        sa.Column("surface", sa.String(10), nullable=False),
        sa.Column("holdout", sa.Boolean(), nullable=False),
    ]
