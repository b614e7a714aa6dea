"""The books of advertising: entries, legs, charges, running numbers of budgets, leases of charge workers."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
ENTRY_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NEVER_CHANGED = ("ads_ledger_entries", "ads_ledger_legs", "ads_charges")


def upgrade() -> None:
    create_entries()
    create_legs()
    create_charges()
    create_budgets()
    create_leases()
    keep_books_as_they_are()


def downgrade() -> None:
    for name in ("ads_ledger_legs", "ads_ledger_entries", "ads_charges", "ads_budgets", "ads_charge_leases"):
        op.drop_table(name)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change_of_ads_books()")


def create_entries() -> None:
    table = "ads_ledger_entries"
    kinds = "kind IN ('charge', 'top_up', 'credit', 'refund', 'write_off')"
    op.create_table(
        table,
        sa.Column("entry_id", ENTRY_ID, nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("account_id", sa.String(20), nullable=False),
        sa.Column("campaign_id", sa.String(20)),
        sa.Column("line_id", sa.String(20)),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("budget_day", sa.Date()),
        sa.Column("booked_at", INSTANT, nullable=False),
        sa.Column("remark", sa.String(), nullable=False),
        sa.CheckConstraint(kinds, name=op.f(f"ck_{table}_kind")),
        *owners(table, "account", "campaign", "line"),
        sa.PrimaryKeyConstraint("entry_id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("key", name=op.f(f"uq_{table}_key")),
    )
    op.create_index("ix_ads_ledger_entries_account_id_day", table, ["account_id", "day"])


def create_legs() -> None:
    table = "ads_ledger_legs"
    books = "book IN ('cash', 'wallet', 'revenue', 'clearing')"
    op.create_table(
        table,
        sa.Column("entry_id", ENTRY_ID, nullable=False),
        sa.Column("book", sa.String(10), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(books, name=op.f(f"ck_{table}_book")),
        sa.CheckConstraint("micros <> 0", name=op.f(f"ck_{table}_micros")),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["ads_ledger_entries.entry_id"],
            name=op.f(f"fk_{table}_entry_id_ads_ledger_entries"),
        ),
        sa.PrimaryKeyConstraint("entry_id", "book", name=op.f(f"pk_{table}")),
    )


def create_charges() -> None:
    table = "ads_charges"
    events = "event IN ('click', 'viewable', 'purchase')"
    outcomes = "outcome IN ('charged', 'over_budget', 'late')"
    op.create_table(
        table,
        sa.Column("token_id", sa.String(128), nullable=False),
        sa.Column("event", sa.String(10), nullable=False),
        sa.Column("account_id", sa.String(20), nullable=False),
        sa.Column("campaign_id", sa.String(20), nullable=False),
        sa.Column("line_id", sa.String(20), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("price_nanos", sa.BigInteger(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("refused_by", sa.String(10)),
        sa.Column("served_at", INSTANT, nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("charged_at", INSTANT, nullable=False),
        sa.CheckConstraint(events, name=op.f(f"ck_{table}_event")),
        sa.CheckConstraint(outcomes, name=op.f(f"ck_{table}_outcome")),
        sa.CheckConstraint("price_nanos >= 0 AND micros >= 0", name=op.f(f"ck_{table}_price")),
        *owners(table, "account", "campaign", "line"),
        sa.PrimaryKeyConstraint("token_id", "event", name=op.f(f"pk_{table}")),
    )
    op.create_index("ix_ads_charges_account_id_day", table, ["account_id", "day"])


def create_budgets() -> None:
    table = "ads_budgets"
    levels = "level IN ('account', 'campaign', 'line')"
    remainder = "remainder_nanos >= 0 AND remainder_nanos < 1000"
    numbers = "spent_micros >= 0 AND lost_nanos >= 0 AND paid_in_micros >= 0"
    op.create_table(
        table,
        sa.Column("entity_id", sa.String(20), nullable=False),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("level", sa.String(10), nullable=False),
        sa.Column("account_id", sa.String(20), nullable=False),
        sa.Column("spent_micros", sa.BigInteger(), nullable=False),
        sa.Column("remainder_nanos", sa.Integer(), nullable=False),
        sa.Column("lost_nanos", sa.BigInteger(), nullable=False),
        sa.Column("paid_in_micros", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(levels, name=op.f(f"ck_{table}_level")),
        sa.CheckConstraint(remainder, name=op.f(f"ck_{table}_remainder")),
        sa.CheckConstraint(numbers, name=op.f(f"ck_{table}_numbers")),
        *owners(table, "account"),
        sa.PrimaryKeyConstraint("entity_id", "period", name=op.f(f"pk_{table}")),
    )
    op.create_index("ix_ads_budgets_account_id", table, ["account_id"])


def create_leases() -> None:
    table = "ads_charge_leases"
    op.create_table(
        table,
        sa.Column("account_id", sa.String(20), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        *owners(table, "account"),
        sa.PrimaryKeyConstraint("account_id", name=op.f(f"pk_{table}")),
    )


def owners(table: str, *kinds: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint(
            [f"{kind}_id"],
            [f"ads_{kind}s.{kind}_id"],
            name=op.f(f"fk_{table}_{kind}_id_ads_{kind}s"),
        )
        for kind in kinds
    ]


def keep_books_as_they_are() -> None:
    """Lets the database refuse to change or delete a row; a copied table would need this again."""
    if op.get_context().dialect.name == "sqlite":
        for table in NEVER_CHANGED:
            for change in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION refuse_change_of_ads_books() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME; END $$"
    )
    for table in NEVER_CHANGED:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change_of_ads_books()"
        )
