"""Advertising: accounts, campaigns, their lines and items, and every change of them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
STATUS = "status IN ('draft', 'active', 'paused', 'archived')"
BUDGETS = "budget_day_micros > 0 AND budget_total_micros > 0"


def upgrade() -> None:
    create_accounts()
    create_campaigns()
    create_lines()
    create_line_items()
    create_audit()
    keep_audit_as_it_is()


def downgrade() -> None:
    for name in ("ads_audit", "ads_line_items", "ads_lines", "ads_campaigns", "ads_accounts"):
        op.drop_table(name)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change_of_ads_audit()")


def changed() -> list[sa.Column]:
    return [
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
    ]


def money() -> list[sa.Column]:
    names = ("bid_micros", "budget_day_micros", "budget_total_micros")
    return [sa.Column(name, sa.BigInteger()) for name in names]


def create_accounts() -> None:
    op.create_table(
        "ads_accounts",
        sa.Column("account_id", sa.String(20), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("time_zone", sa.String(60), nullable=False),
        sa.Column("budget_day_micros", sa.BigInteger()),
        sa.Column("prepaid", sa.Boolean(), nullable=False),
        *changed(),
        sa.CheckConstraint("budget_day_micros > 0", name=op.f("ck_ads_accounts_budget")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_ads_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_ads_accounts_name")),
    )


def create_campaigns() -> None:
    table = "ads_campaigns"
    review = "review_state IN ('pending', 'approved', 'rejected')"
    op.create_table(
        table,
        sa.Column("campaign_id", sa.String(20), nullable=False),
        sa.Column("account_id", sa.String(20), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("pricing", sa.String(10), nullable=False),
        sa.Column("strategy", sa.String(20), nullable=False),
        *money(),
        sa.Column("target_percent", sa.Integer()),
        sa.Column("starts_on", sa.Date()),
        sa.Column("ends_on", sa.Date()),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("review_state", sa.String(10), nullable=False),
        sa.Column("review_reason", sa.String(500), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("placement_percents", sa.JSON(), nullable=False),
        sa.Column("quality_floor", sa.Double(), nullable=False),
        sa.Column("frequency_cap", sa.JSON()),
        sa.Column("never_beside", sa.JSON(), nullable=False),
        *changed(),
        sa.CheckConstraint("pricing IN ('cpc', 'cpm', 'cpa')", name=op.f(f"ck_{table}_pricing")),
        sa.CheckConstraint(STATUS, name=op.f(f"ck_{table}_status")),
        sa.CheckConstraint(review, name=op.f(f"ck_{table}_review_state")),
        sa.CheckConstraint("bid_micros > 0", name=op.f(f"ck_{table}_bid")),
        sa.CheckConstraint(BUDGETS, name=op.f(f"ck_{table}_budget")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["ads_accounts.account_id"], name=op.f(f"fk_{table}_account_id_ads_accounts")
        ),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("account_id", "name", name=op.f(f"uq_{table}_account_id_name")),
    )


def create_lines() -> None:
    table = "ads_lines"
    op.create_table(
        table,
        sa.Column("line_id", sa.String(20), nullable=False),
        sa.Column("campaign_id", sa.String(20), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        *money(),
        sa.CheckConstraint(STATUS, name=op.f(f"ck_{table}_status")),
        sa.CheckConstraint("bid_micros > 0", name=op.f(f"ck_{table}_bid")),
        sa.CheckConstraint(BUDGETS, name=op.f(f"ck_{table}_budget")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["ads_campaigns.campaign_id"], name=op.f(f"fk_{table}_campaign_id_ads_campaigns")
        ),
        sa.PrimaryKeyConstraint("line_id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("campaign_id", "name", name=op.f(f"uq_{table}_campaign_id_name")),
    )


def create_line_items() -> None:
    table = "ads_line_items"
    op.create_table(
        table,
        sa.Column("line_id", sa.String(20), nullable=False),
        sa.Column("item_id", sa.String(256), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"], ["ads_lines.line_id"], name=op.f(f"fk_{table}_line_id_ads_lines")
        ),
        sa.PrimaryKeyConstraint("line_id", "item_id", name=op.f(f"pk_{table}")),
    )


def create_audit() -> None:
    op.create_table(
        "ads_audit",
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("entity_id", sa.String(20), nullable=False),
        sa.Column("account_id", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("before", sa.JSON()),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("remark", sa.String(), nullable=False),
        sa.CheckConstraint("kind IN ('account', 'campaign')", name=op.f("ck_ads_audit_kind")),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_ads_audit")),
    )
    op.create_index("ix_ads_audit_entity_id", "ads_audit", ["entity_id"])
    op.create_index("ix_ads_audit_account_id", "ads_audit", ["account_id"])


def keep_audit_as_it_is() -> None:
    """Lets the database refuse to change or delete a row; a copied table would need this again."""
    refusal = "rows of ads_audit are never changed"
    if op.get_context().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER ads_audit_no_{change.lower()} BEFORE {change} ON ads_audit "
                f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_change_of_ads_audit() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{refusal}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER ads_audit_no_change BEFORE UPDATE OR DELETE ON ads_audit "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change_of_ads_audit()"
    )
