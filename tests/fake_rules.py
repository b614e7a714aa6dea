"""Rules of a shop in memory, for services on fakes."""

from collections.abc import Iterable
from dataclasses import replace

from recsys.rules.rule import Rule
from recsys.rules.synonym_rows import SynonymRows
from recsys.stores.rules.records import StoredRules
from recsys.stores.rules.store import Author
from recsys.stores.rules.tables import Kind


class FakeRules:
    """Keeps what is put, and `authors` of all changes."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self.synonyms: dict[str, SynonymRows] = {}
        self.authors: list[Author] = []

    def load(self) -> StoredRules:
        rules, sets = tuple(self.rules.values()), tuple(self.synonyms.values())
        return StoredRules(len(self.authors), rules, (), sets)

    def put(self, entities: Iterable[Rule | SynonymRows], author: Author) -> StoredRules:
        for each in entities:
            if isinstance(each, Rule):
                tried = {**self.rules, each.rule_id: replace(each, version=1)}
                StoredRules(0, tuple(tried.values()), (), ()).compiled()
                self.rules = tried
            else:
                sets = {**self.synonyms, each.name: replace(each, version=1)}
                StoredRules(0, (), (), tuple(sets.values())).words()
                self.synonyms = sets
            self.authors.append(author)
        return self.load()

    def remove(self, kind: Kind, name: str, author: Author) -> StoredRules:
        if kind == "rule":
            del self.rules[name]
        else:
            del self.synonyms[name]
        self.authors.append(author)
        return self.load()
