"""Tables of merchandising: what is in force, its versions, and who changed what."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, CheckConstraint, Double, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from recsys.stores.registry.database import Tables, UtcDateTime

Kind = Literal["rule", "segment", "synonyms", "hidden"]
Change = Literal["add", "change", "enable", "disable", "remove"]


class RuleSetRow(Tables):
    """One row: the version of the whole set, which every change raises and which a service asks for."""

    __tablename__ = "rule_set"
    __table_args__ = (CheckConstraint("row_id = 1", name="row_id"),)

    row_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RuleRow(Tables):
    """A rule as it is now: its document, see `recsys.rules.rule_documents`."""

    __tablename__ = "rules"

    rule_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    version: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str]


class SegmentRow(Tables):
    """A segment as it is now."""

    __tablename__ = "segments"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    version: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str]


class SynonymSetRow(Tables):
    """A set of synonyms as it is now; its rows are in the next table."""

    __tablename__ = "synonym_sets"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    language: Mapped[str | None] = mapped_column(String(10))
    enabled: Mapped[bool]
    version: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str]


class SynonymRecord(Tables):
    """One synonym of a set; `place` keeps their order."""

    __tablename__ = "synonyms"
    __table_args__ = (CheckConstraint("weight > 0 AND weight < 1", name="weight"),)

    set_name: Mapped[str] = mapped_column(ForeignKey("synonym_sets.name"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    left_terms: Mapped[list[str]] = mapped_column(JSON)
    right_terms: Mapped[list[str]] = mapped_column(JSON)
    two_way: Mapped[bool]
    weight: Mapped[float] = mapped_column(Double)


class HiddenWordRow(Tables):
    """A word or phrase that is never suggested; see `recsys.rules.hidden_text`."""

    __tablename__ = "hidden_words"

    text: Mapped[str] = mapped_column(String(100), primary_key=True)
    version: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str]


class RuleVersionRow(Tables):
    """Who changed a rule, segment, synonyms or hidden word, from what to what; rows are only ever added."""

    __tablename__ = "rule_versions"
    __table_args__ = (
        CheckConstraint("kind IN ('rule', 'segment', 'synonyms', 'hidden')", name="kind"),
        CheckConstraint("action IN ('add', 'change', 'enable', 'disable', 'remove')", name="action"),
        Index("ix_rule_versions_kind_name", "kind", "name"),
    )

    change_id: Mapped[int] = mapped_column(primary_key=True)
    set_version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(100))
    version: Mapped[int]
    action: Mapped[str] = mapped_column(String(20))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    remark: Mapped[str]
