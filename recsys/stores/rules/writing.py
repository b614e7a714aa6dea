"""What the store of rules reads and writes inside a transaction that is open already."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from recsys.documents import JsonObject
from recsys.rules.hidden_text import HiddenText
from recsys.rules.rule import Rule, Segment
from recsys.rules.rule_documents import rule_to_json, segment_to_json
from recsys.rules.synonym_rows import SynonymRow, SynonymRows, synonyms_to_json
from recsys.stores.rules.records import stored_rule, stored_segment
from recsys.stores.rules.tables import (
    HiddenWordRow,
    Kind,
    RuleRow,
    RuleSetRow,
    RuleVersionRow,
    SegmentRow,
    SynonymRecord,
    SynonymSetRow,
)


@dataclass(frozen=True)
class Entry:
    """A rule, segment, set of synonyms or hidden word as a document; None where it is removed."""

    kind: Kind
    name: str
    document: JsonObject | None


def rule_entry(rule: Rule) -> Entry:
    """The entry of a rule."""
    return Entry("rule", rule.rule_id, rule_to_json(rule))


def segment_entry(segment: Segment) -> Entry:
    """The entry of a segment."""
    return Entry("segment", segment.name, segment_to_json(segment))


def synonyms_entry(synonyms: SynonymRows) -> Entry:
    """The entry of a set of synonyms."""
    return Entry("synonyms", synonyms.name, synonyms_to_json(synonyms))


def hidden_entry(hidden: HiddenText) -> Entry:
    """The entry of a hidden word."""
    return Entry("hidden", hidden.text, {"text": hidden.text})


@dataclass(frozen=True)
class ReadEntries:
    """All entries in force."""

    connection: Connection

    def rules(self) -> tuple[Rule, ...]:
        """Sorted by id."""
        query = select(RuleRow.__table__).order_by(RuleRow.rule_id)
        return tuple(stored_rule(row) for row in self.connection.execute(query).mappings())

    def segments(self) -> tuple[Segment, ...]:
        """Sorted by name."""
        query = select(SegmentRow.__table__).order_by(SegmentRow.name)
        return tuple(stored_segment(row) for row in self.connection.execute(query).mappings())

    def synonyms(self, name: str | None = None) -> tuple[SynonymRows, ...]:
        """Sorted by name; only the set of that `name` where one is given."""
        rows = select(SynonymRecord.__table__).order_by(SynonymRecord.set_name, SynonymRecord.place)
        sets = select(SynonymSetRow.__table__).order_by(SynonymSetRow.name)
        if name is not None:
            rows = rows.where(SynonymRecord.set_name == name)
            sets = sets.where(SynonymSetRow.name == name)
        found: dict[str, list[SynonymRow]] = {}
        for row in self.connection.execute(rows).mappings():
            synonym = SynonymRow(
                tuple(row["left_terms"]), tuple(row["right_terms"]), row["two_way"], row["weight"]
            )
            found.setdefault(row["set_name"], []).append(synonym)
        return tuple(
            SynonymRows(
                row["name"],
                tuple(found.get(row["name"], ())),
                row["language"],
                row["enabled"],
                row["version"],
            )
            for row in self.connection.execute(sets).mappings()
        )

    def hidden(self) -> tuple[HiddenText, ...]:
        """Sorted by text."""
        query = select(HiddenWordRow.text, HiddenWordRow.version).order_by(HiddenWordRow.text)
        return tuple(HiddenText(text, version) for text, version in self.connection.execute(query))


@dataclass(frozen=True)
class Entries:
    """Single entries by kind and name, and the record of their changes."""

    connection: Connection

    def find(self, kind: Kind, name: str) -> JsonObject | None:
        """The document in force; None without one."""
        if kind == "synonyms":
            found = ReadEntries(self.connection).synonyms(name)
            return synonyms_to_json(found[0]) if found else None
        if kind == "hidden":
            hidden = self.connection.execute(select(HiddenWordRow.text).where(HiddenWordRow.text == name))
            return {"text": name} if hidden.scalar() is not None else None
        if kind == "rule":
            query = select(RuleRow.document).where(RuleRow.rule_id == name)
        else:
            query = select(SegmentRow.document).where(SegmentRow.name == name)
        document: JsonObject | None = self.connection.execute(query).scalar()
        return document

    def last_version(self, kind: Kind, name: str) -> int:
        """Of an entry, removed ones included; 0 where there never was one."""
        of_entry = (RuleVersionRow.kind == kind) & (RuleVersionRow.name == name)
        query = select(func.max(RuleVersionRow.version)).where(of_entry)
        return self.connection.execute(query).scalar() or 0

    def write(self, entry: Entry, version: int, at: datetime, by: str) -> None:
        """Puts an entry in the place of the one of that name."""
        self.delete(entry.kind, entry.name)
        document: Any = entry.document
        changed = {"version": version, "changed_at": at, "changed_by": by}
        if entry.kind == "rule":
            values = {"rule_id": entry.name, "document": document, **changed}
            self.connection.execute(insert(RuleRow).values(values))
        elif entry.kind == "segment":
            values = {"name": entry.name, "document": document, **changed}
            self.connection.execute(insert(SegmentRow).values(values))
        elif entry.kind == "hidden":
            self.connection.execute(insert(HiddenWordRow).values({"text": entry.name, **changed}))
        else:
            self._write_synonyms(entry.name, document, changed)

    def delete(self, kind: Kind, name: str) -> None:
        """Takes an entry out of force."""
        if kind == "rule":
            self.connection.execute(delete(RuleRow).where(RuleRow.rule_id == name))
        elif kind == "segment":
            self.connection.execute(delete(SegmentRow).where(SegmentRow.name == name))
        elif kind == "hidden":
            self.connection.execute(delete(HiddenWordRow).where(HiddenWordRow.text == name))
        else:
            self.connection.execute(delete(SynonymRecord).where(SynonymRecord.set_name == name))
            self.connection.execute(delete(SynonymSetRow).where(SynonymSetRow.name == name))

    def note(self, entry: Entry, before: object, action: str, by: str, remark: str, at: datetime) -> None:
        """Records a change and raises the version of the whole set."""
        raised = update(RuleSetRow).values(version=RuleSetRow.version + 1, changed_at=at)
        if not self.connection.execute(raised).rowcount:
            self.connection.execute(insert(RuleSetRow).values(row_id=1, version=1, changed_at=at))
        version = self.last_version(entry.kind, entry.name) + 1
        self.connection.execute(
            insert(RuleVersionRow).values(
                set_version=select(RuleSetRow.version).scalar_subquery(),
                kind=entry.kind,
                name=entry.name,
                version=version,
                action=action,
                before=before,
                after=entry.document,
                changed_by=by,
                changed_at=at,
                remark=remark,
            )
        )

    def _write_synonyms(self, name: str, document: JsonObject, changed: JsonObject) -> None:
        values = {"name": name, "language": document.get("language"), "enabled": document["enabled"]}
        self.connection.execute(insert(SynonymSetRow).values({**values, **changed}))
        rows = [
            {
                "set_name": name,
                "place": place,
                "left_terms": row["left"],
                "right_terms": row["right"],
                "two_way": row["two_way"],
                "weight": row["weight"],
            }
            for place, row in enumerate(document["synonyms"])
        ]
        self.connection.execute(insert(SynonymRecord), rows)
