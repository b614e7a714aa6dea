"""Rules, segments and synonyms of a shop: looked at, checked and changed by people."""

import getpass
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.jobs.search.rule_files import RuleFile, names_of, read_rule_file, write_rule_file
from recsys.jobs.search.rule_preview import fired_by_query, open_recommended_to
from recsys.jobs.search.synonym_preview import SynonymPreview, preview_synonyms
from recsys.rules.fields import FieldNames
from recsys.rules.hidden_text import HiddenText, hidden_text
from recsys.rules.preview import Ask, Preview, preview_change
from recsys.rules.rule import Rule, Segment
from recsys.rules.rule_set import RuleSet
from recsys.rules.synonym_rows import SynonymRows
from recsys.search.shop_words import stored_synonyms
from recsys.stores.rules.records import RuleChange, StoredRules, unknown_entry
from recsys.stores.rules.store import Author, RuleStore
from recsys.stores.rules.tables import Kind
from recsys.stores.rules.user_attributes import UserAttributes

Entity = TypeVar("Entity")
Stored = Rule | Segment | SynonymRows | HiddenText
SearchRules = Ask[RuleSet]
SearchSynonyms = Ask[tuple[SynonymRows, ...]]


@dataclass(frozen=True)
class Saved:
    """What a change left in force.

    Attributes:
        version: of the whole set after it. changed: names of the entries that differ from before.
        preview: what it was checked by, None where it was not.
    """

    version: int
    changed: tuple[str, ...]
    preview: SynonymPreview | None = None

    def to_json(self) -> JsonObject:
        """Version and names."""
        return {"version": self.version, "changed": list(self.changed)}


class RuleEditing:
    """The rules of one home. Every method opens the database for itself.

    Args:
        search: what a query is answered with these rules; None where no search can be asked.
        search_synonyms: the same with synonyms.
        author: who changes something; None = this account.
    """

    def __init__(
        self,
        settings: Settings,
        search: SearchRules | None = None,
        search_synonyms: SearchSynonyms | None = None,
        author: str | None = None,
    ) -> None:
        self._settings = settings
        self._search = search
        self._search_synonyms = search_synonyms
        self._author = getpass.getuser() if author is None else author

    def load(self) -> StoredRules:
        """All that is in force."""
        with RuleStore.open(self._settings) as store:
            return store.load()

    def rule(self, rule_id: str) -> Rule:
        """The rule of that id; raises DataError if there is none."""
        found = {rule.rule_id: rule for rule in self.load().rules}
        if rule_id not in found:
            raise unknown_entry("rule", rule_id, "rules")
        return found[rule_id]

    def history(self, kind: Kind | None = None, name: str | None = None) -> Sequence[RuleChange]:
        """Changes, oldest first."""
        with RuleStore.open(self._settings) as store:
            return store.history(kind, name)

    def add(self, path: Path, *, change: bool = False, remark: str = "") -> Saved:
        """Saves the rules and segments of a file.

        Args:
            change: whether entries that are there already may be replaced.

        Raises:
            DataError: the file is wrong, or an entry is there already.
        """
        given = self._read(path)
        if given.synonyms:
            raise DataError(
                f"{path} has synonyms. Run `recsys search synonyms add {path}`, which checks them."
            )
        if not change:
            stored = self.load()
            known = {*names_of(stored.rules)} & {*names_of(given.rules)}
            known |= {*names_of(stored.segments)} & {*names_of(given.segments)}
            if known:
                named = ", ".join(sorted(known))
                raise DataError(f"{named}: already there. Run it with --change to replace, or rename.")
        return self._put(given.entities, remark)

    def import_file(self, path: Path, *, replace_all: bool = False, remark: str = "") -> Saved:
        """Saves the rules and segments of a file; with `replace_all` those that it lacks are removed."""
        given = self._read(path)
        if given.synonyms:
            raise DataError(f"{path} has synonyms. `recsys search synonyms import` checks and saves them.")
        with RuleStore.open(self._settings) as store:
            before = store.load()
            author = Author(self._author, remark)
            gone: list[tuple[Kind, str]] = []
            if replace_all:
                gone = _missing("rule", names_of(before.rules), names_of(given.rules))
                gone += _missing("segment", names_of(before.segments), names_of(given.segments))
            after = store.put(given.entities, author, remove=gone)
            return Saved(after.version, _changed(before, after))

    def export_file(self, path: Path, what: Sequence[str] = ("rules", "segments")) -> RuleFile:
        """Writes what is in force to a file; `what` of rules, segments and synonym_sets."""
        stored = self.load()
        found = RuleFile(
            stored.rules if "rules" in what else (),
            stored.segments if "segments" in what else (),
            stored.synonyms if "synonym_sets" in what else (),
        )
        write_rule_file(path, found)
        return found

    def remove(self, kind: Kind, name: str, remark: str = "") -> Saved:
        """Takes an entry out of force."""
        with RuleStore.open(self._settings) as store:
            return Saved(store.remove(kind, name, Author(self._author, remark)).version, (name,))

    def set_enabled(self, kind: Kind, name: str, enabled: bool, remark: str = "") -> Saved:
        """Switches a rule or a set of synonyms on or off."""
        with RuleStore.open(self._settings) as store:
            author = Author(self._author, remark)
            before = store.load()
            after = store.set_enabled(kind, name, enabled, author)
            return Saved(after.version, _changed(before, after))

    def check(
        self,
        path: Path,
        queries: Sequence[str],
        users: Sequence[str],
        now: datetime,
        judgments: Mapping[str, Mapping[str, float]] | None = None,
    ) -> Preview:
        """What the rules of a file would do to queries of search and to users' recommendations.

        Rules of the file count as they are there, switched on; those that are stored already are replaced.
        """
        given, stored = self._read(path), self.load()
        before = stored.compiled()
        tried = replace(
            stored,
            rules=_over(stored.rules, [replace(rule, enabled=True) for rule in given.rules], _rule_id),
            segments=_over(stored.segments, given.segments, _name),
        )
        after = tried.compiled()
        new = names_of(given.rules)
        ask = fired_by_query(now) if self._search is None else self._search
        found = preview_change(queries, ask, before, after, new, judgments)
        if users:
            recommended = open_recommended_to(self._settings, 10, now)
            of_users = preview_change(users, recommended, before, after, new)
            idle = tuple(name for name in new if name in found.idle and name in of_users.idle)
            found = Preview((*found.queries, *of_users.queries), found.searched or not queries, idle)
        return found

    def check_synonyms(
        self, path: Path, queries: Sequence[str], judgments: Mapping[str, Mapping[str, float]]
    ) -> SynonymPreview | None:
        """What the synonyms of a file would do to queries; None where no search can be asked.

        Sets of the file count as if they were switched on.

        Raises:
            DataError: they are a circle, or there twice, with those that are stored.
        """
        given, stored = self._read(path).synonyms, self.load().synonyms
        after = _over(stored, [replace(each, enabled=True) for each in given], _name)
        stored_synonyms(after)  # before the searches
        if self._search_synonyms is None or not (queries or judgments):
            return None
        return preview_synonyms(queries, judgments, self._search_synonyms, stored, after)

    def add_synonyms(
        self,
        path: Path,
        queries: Sequence[str],
        judgments: Mapping[str, Mapping[str, float]],
        *,
        force: bool = False,
        remark: str = "",
    ) -> Saved:
        """Saves the sets of synonyms of a file, once a query set has shown that they break nothing.

        Args:
            force: save them although they break queries, or could not be checked; that is recorded.

        Raises:
            DataError: they break queries, there is nothing to check them with, or they are a circle or there
                twice, which `force` does not change.
        """
        given = self._read(path)
        if not given.synonyms or given.rules or given.segments:
            raise DataError(f"{path} should have synonym_sets and nothing else.")
        preview = self.check_synonyms(path, queries, judgments)
        complaints = _complaints(preview, bool(queries or judgments))
        if complaints and not force:
            raise DataError(
                f"the synonyms of {path} are not accepted: {'; '.join(complaints)}. Look at `recsys search "
                "synonyms check`, mend them, or accept that with --force, which is recorded."
            )
        overruled = f"forced: {'; '.join(complaints)}" if complaints else ""
        remarks = " ".join(part for part in (remark, overruled) if part)
        return replace(self._put(given.synonyms, remarks), preview=preview)

    def hide(self, words: Sequence[str], remark: str = "") -> Saved:
        """Keeps words and phrases out of suggestions; those that are hidden already stay so.

        Raises:
            DataError: one has no word, or is too long.
        """
        return self._put([hidden_text(each) for each in words], remark)

    def unhide(self, words: Sequence[str], remark: str = "") -> Saved:
        """Lets words and phrases be suggested again, all of them or none.

        Raises:
            DataError: one is not hidden.
        """
        names = list(dict.fromkeys(hidden_text(each).text for each in words))
        with RuleStore.open(self._settings) as store:
            gone: list[tuple[Kind, str]] = [("hidden", name) for name in names]
            after = store.put((), Author(self._author, remark), remove=gone)
            return Saved(after.version, tuple(names))

    def _put(self, entities: Sequence[Stored], remark: str) -> Saved:
        with RuleStore.open(self._settings) as store:
            before = store.load()
            after = store.put(entities, Author(self._author, remark))
            return Saved(after.version, _changed(before, after))

    def _read(self, path: Path) -> RuleFile:
        """A file, its segments checked against the attributes that users of this shop have."""
        attributes = UserAttributes(self._settings.paths)
        attributes.refresh()
        return read_rule_file(path, FieldNames(attributes.kinds()))


def _complaints(preview: SynonymPreview | None, has_queries: bool) -> tuple[str, ...]:
    if preview is not None:
        return preview.complaints
    if not has_queries:
        return ("no query set was given to check them with (--queries, --judgments)",)
    return ("no search could be asked",)


def _missing(kind: Kind, stored: Sequence[str], given: Sequence[str]) -> list[tuple[Kind, str]]:
    kept = set(given)
    return [(kind, name) for name in stored if name not in kept]


def _over(
    stored: Sequence[Entity], given: Sequence[Entity], name_of: Callable[[Entity], str]
) -> tuple[Entity, ...]:
    """What is stored, with what is given added or in the place of what has its name."""
    return tuple({name_of(each): each for each in (*stored, *given)}.values())


def _changed(before: StoredRules, after: StoredRules) -> tuple[str, ...]:
    """Names of the entries that differ."""

    def entries(stored: StoredRules) -> dict[tuple[str, str], Stored]:
        found: dict[tuple[str, str], Stored] = {}
        found |= {("rule", rule.rule_id): rule for rule in stored.rules}
        found |= {("segment", segment.name): segment for segment in stored.segments}
        found |= {("synonyms", each.name): each for each in stored.synonyms}
        return found | {("hidden", each.text): each for each in stored.hidden}

    old, new = entries(before), entries(after)
    return tuple(key[1] for key in sorted({*old, *new}) if old.get(key) != new.get(key))


def _rule_id(rule: Rule) -> str:
    return rule.rule_id


def _name(entry: Segment | SynonymRows) -> str:
    return entry.name
