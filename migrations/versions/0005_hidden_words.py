"""Words that are never suggested, and changes of them among those of rules."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
BEFORE = "kind IN ('rule', 'segment', 'synonyms')"
AFTER = "kind IN ('rule', 'segment', 'synonyms', 'hidden')"
NAME = "ck_rule_versions_kind"


def upgrade() -> None:
    op.create_table(
        "hidden_words",
        sa.Column("text", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("text", name=op.f("pk_hidden_words")),
    )
    change_kinds(AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM rule_versions WHERE kind = 'hidden'")
    change_kinds(BEFORE)
    op.drop_table("hidden_words")


def change_kinds(condition: str) -> None:
    """Gives `rule_versions` this condition on `kind`; SQLite changes none, so the table is copied there."""
    if op.get_context().dialect.name == "sqlite":
        with op.batch_alter_table("rule_versions", copy_from=versions(condition), recreate="always"):
            return
    op.drop_constraint(op.f(NAME), "rule_versions", type_="check")
    op.create_check_constraint(op.f(NAME), "rule_versions", condition)


def versions(condition: str) -> sa.Table:
    return sa.Table(
        "rule_versions",
        sa.MetaData(),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("set_version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("before", sa.JSON()),
        sa.Column("after", sa.JSON()),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("remark", sa.String(), nullable=False),
        sa.CheckConstraint(condition, name=op.f(NAME)),
        sa.CheckConstraint(
            "action IN ('add', 'change', 'enable', 'disable', 'remove')",
            name=op.f("ck_rule_versions_action"),
        ),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_rule_versions")),
        sa.Index("ix_rule_versions_kind_name", "kind", "name"),
    )
