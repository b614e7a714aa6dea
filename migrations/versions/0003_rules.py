"""Merchandising: rules, segments and synonyms, and every change of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_rule_set()
    create_current("rules", "rule_id")
    create_current("segments", "name")
    create_synonyms()
    create_rule_versions()


def downgrade() -> None:
    for name in ("rule_versions", "synonyms", "synonym_sets", "segments", "rules", "rule_set"):
        op.drop_table(name)


def create_rule_set() -> None:
    op.create_table(
        "rule_set",
        sa.Column("row_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.CheckConstraint("row_id = 1", name=op.f("ck_rule_set_row_id")),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_rule_set")),
    )


def create_current(table: str, key: str) -> None:
    op.create_table(
        table,
        sa.Column(key, sa.String(100), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{table}")),
    )


def create_synonyms() -> None:
    op.create_table(
        "synonym_sets",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("language", sa.String(10)),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_synonym_sets")),
    )
    op.create_table(
        "synonyms",
        sa.Column("set_name", sa.String(100), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("left_terms", sa.JSON(), nullable=False),
        sa.Column("right_terms", sa.JSON(), nullable=False),
        sa.Column("two_way", sa.Boolean(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.CheckConstraint("weight > 0 AND weight < 1", name=op.f("ck_synonyms_weight")),
        sa.ForeignKeyConstraint(
            ["set_name"], ["synonym_sets.name"], name=op.f("fk_synonyms_set_name_synonym_sets")
        ),
        sa.PrimaryKeyConstraint("set_name", "place", name=op.f("pk_synonyms")),
    )


def create_rule_versions() -> None:
    op.create_table(
        "rule_versions",
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
        sa.CheckConstraint("kind IN ('rule', 'segment', 'synonyms')", name=op.f("ck_rule_versions_kind")),
        sa.CheckConstraint(
            "action IN ('add', 'change', 'enable', 'disable', 'remove')",
            name=op.f("ck_rule_versions_action"),
        ),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_rule_versions")),
    )
    op.create_index("ix_rule_versions_kind_name", "rule_versions", ["kind", "name"])
