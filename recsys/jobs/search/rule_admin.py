"""Rules and synonyms of a shop as an HTTP service lists and changes them: one entry at a time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from recsys.documents import JsonObject
from recsys.errors import DataError, RequestError, UnknownEntryError
from recsys.rules.rule import Rule
from recsys.rules.rule_documents import parse_rule, rule_to_json
from recsys.rules.synonym_rows import SynonymRows, parse_synonyms, synonyms_to_json
from recsys.stores.rules.records import StoredRules
from recsys.stores.rules.store import Author
from recsys.stores.rules.tables import Kind

T = TypeVar("T")
UNCHECKED = "forced: over HTTP no query set is asked"


class Rules(Protocol):
    """What is asked of the store; see `RuleStore`."""

    def load(self) -> StoredRules:
        """All that is in force."""
        ...

    def put(self, entities: Iterable[Rule | SynonymRows], author: Author) -> StoredRules:
        """Adds or changes entries."""
        ...

    def remove(self, kind: Kind, name: str, author: Author) -> StoredRules:
        """Takes an entry out of force."""
        ...


@dataclass(frozen=True)
class Changed:
    """What a change left in force."""

    version: int = field(metadata={"description": "of the whole set, as `rules_version` of answers"})
    entry_version: int | None = field(
        metadata={"description": "of this rule or set, from 1; null where it was removed"}
    )


class RuleAdmin:
    """The entries of one shop. What is wrong with one is the caller's fault: RequestError, with the remedy.

    Every method raises StoreUnavailableError where the database does not answer.
    """

    def __init__(self, store: Rules) -> None:
        self._store = store

    def rules(self) -> JsonObject:
        """All rules, with their versions."""
        stored = self._store.load()
        rules = [{**rule_to_json(rule), "version": rule.version} for rule in stored.rules]
        return {"version": stored.version, "rules": rules}

    def synonyms(self) -> JsonObject:
        """All sets of synonyms, with their versions."""
        stored = self._store.load()
        sets = [{**synonyms_to_json(each), "version": each.version} for each in stored.synonyms]
        return {"version": stored.version, "synonym_sets": sets}

    def synonym_set(self, name: str) -> JsonObject:
        """One set; raises UnknownEntryError if there is none of that name."""
        for each in self._store.load().synonyms:
            if each.name == name:
                return {**synonyms_to_json(each), "version": each.version}
        raise UnknownEntryError(f"there is no set of synonyms {name!r}. GET lists those there are.")

    def put_rule(self, document: JsonObject, author: str) -> Changed:
        """Adds or replaces one rule."""
        rule = _asked(lambda: parse_rule(document))
        stored = _asked(lambda: self._store.put([rule], Author(author)))
        return Changed(stored.version, {each.rule_id: each.version for each in stored.rules}[rule.rule_id])

    def put_synonyms(self, document: JsonObject, author: str, force: bool) -> Changed:
        """Adds or replaces one set of synonyms.

        Args:
            force: switch it on although no query set was asked, which is recorded.
        """
        given = _asked(lambda: parse_synonyms(document))
        if given.enabled and not force:
            raise RequestError(
                "enabled: over HTTP no query set is asked before synonyms count. Send false and run `recsys "
                "search synonyms check`, or send force=true, which is recorded."
            )
        remark = UNCHECKED if given.enabled else ""
        stored = _asked(lambda: self._store.put([given], Author(author, remark)))
        return Changed(stored.version, {each.name: each.version for each in stored.synonyms}[given.name])

    def remove_rule(self, rule_id: str, author: str) -> Changed:
        """Takes a rule out of force; raises UnknownEntryError if there is none of that id."""
        if rule_id not in {rule.rule_id for rule in self._store.load().rules}:
            raise UnknownEntryError(f"there is no rule {rule_id!r}. GET lists those there are.")
        return Changed(self._store.remove("rule", rule_id, Author(author)).version, None)

    def remove_synonyms(self, name: str, author: str) -> Changed:
        """Takes a set out of force; raises UnknownEntryError if there is none of that name."""
        self.synonym_set(name)
        return Changed(self._store.remove("synonyms", name, Author(author)).version, None)


def _asked(make: Callable[[], T]) -> T:
    """What `make` makes of what a client sent."""
    try:
        return make()
    except DataError as error:
        raise RequestError(str(error)) from error
