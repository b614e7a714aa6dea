"""Rules, segments and synonyms as they are stored, and changes of them."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.engine import RowMapping

from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.rules.hidden_text import HiddenText
from recsys.rules.rule import Rule, Segment
from recsys.rules.rule_documents import parse_rule, parse_segment
from recsys.rules.rule_set import RuleSet
from recsys.rules.synonym_rows import SynonymRows
from recsys.search.shop_words import ShopWords, shop_words
from recsys.stores.rules.tables import Change, Kind


@dataclass(frozen=True)
class RuleChange:
    """Who changed what, and when.

    Attributes:
        set_version: of the whole set after it. version: of the entry after it, which goes on where an entry
            is added again after it was removed.
        before, after: its document; None before it was there and after it was removed.
        remark: what the one who changed it said, and that a check was overruled where it was.
    """

    set_version: int
    kind: Kind
    name: str
    version: int
    action: Change
    before: JsonObject | None
    after: JsonObject | None
    changed_by: str
    changed_at: datetime
    remark: str

    def to_json(self) -> JsonObject:
        """The change as it is printed."""
        return {
            "set_version": self.set_version,
            "at": self.changed_at,
            "by": self.changed_by,
            "kind": self.kind,
            "name": self.name,
            "version": self.version,
            "action": self.action,
            "remark": self.remark,
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True)
class StoredRules:
    """All that is in force, read in one transaction.

    Attributes:
        version: of the whole set: 0 before the first change, one more with each.
    """

    version: int
    rules: tuple[Rule, ...]
    segments: tuple[Segment, ...]
    synonyms: tuple[SynonymRows, ...]
    hidden: tuple[HiddenText, ...] = ()

    def words(self) -> ShopWords:
        """Synonyms and hidden words, ready for requests.

        Raises:
            DataError: synonyms lead in a circle, are there twice or cannot be looked up.
        """
        return shop_words(self.synonyms, (each.text for each in self.hidden))

    def compiled(self) -> RuleSet:
        """The set of rules, ready for requests.

        Raises:
            DataError: a rule names a segment that is not there.
        """
        return RuleSet(self.rules, self.segments, self.version)


def stored_rule(row: RowMapping) -> Rule:
    """The rule of a row of `rules`.

    Raises:
        DataError: its document is none that this version reads.
    """
    rule = parse_rule(row["document"])
    return replace(rule, version=row["version"], changed_at=row["changed_at"])


def stored_segment(row: RowMapping) -> Segment:
    """The segment of a row of `segments`; raises as `stored_rule`."""
    return replace(parse_segment(row["document"]), version=row["version"])


def rule_change(row: RowMapping) -> RuleChange:
    """The change of a row of `rule_versions`."""
    values = dict(row)
    del values["change_id"]
    return RuleChange(**values)


def unknown_entry(kind: Kind, name: str, command: str) -> DataError:
    """The error for an entry that is not there."""
    called = {"rule": "rule", "segment": "segment", "synonyms": "set of synonyms", "hidden": "hidden word"}[
        kind
    ]
    return DataError(f"no {called} {name!r}. `recsys search {command} list` shows those there are.")
