"""The rules of one shop in SQL: each change is one transaction, with who made it and what was before."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine, select

from recsys.config import Settings
from recsys.errors import DataError
from recsys.instants import utc_now
from recsys.rules.hidden_text import HiddenText
from recsys.rules.rule import Rule, Segment
from recsys.rules.synonym_rows import SynonymRows
from recsys.stores.registry.sql_store import SqlStore, open_database
from recsys.stores.rules.records import RuleChange, StoredRules, rule_change, unknown_entry
from recsys.stores.rules.tables import Kind, RuleSetRow, RuleVersionRow
from recsys.stores.rules.writing import (
    Entries,
    Entry,
    ReadEntries,
    hidden_entry,
    rule_entry,
    segment_entry,
    synonyms_entry,
)

Entity = Rule | Segment | SynonymRows | HiddenText


@dataclass(frozen=True)
class Author:
    """Who changes something. `remark`: why, or which check was overruled."""

    name: str
    remark: str = ""


class RuleStore(SqlStore):
    """Rules, segments and synonyms of one shop; safe to share between threads. Use `open`.

    Every method raises StoreUnavailableError where the database does not answer.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(engine)
        self._clock = clock

    @classmethod
    def open(cls, settings: Settings, clock: Callable[[], datetime] = utc_now) -> "RuleStore":
        """The rules of the database that `settings` name, its tables brought up to date.

        Raises:
            ConfigError: DATABASE_URL is malformed, or a newer version made the tables.
            StoreUnavailableError: the database did not answer.
        """
        return cls(open_database(settings), clock)

    def version(self) -> int:
        """The version of the whole set; one row is read."""
        with self._snapshot("read the version of the rules") as connection:
            return _version(connection)

    def load(self) -> StoredRules:
        """All that is in force.

        Raises:
            DataError: an entry is none that this version reads.
        """
        with self._snapshot("read the rules") as connection:
            return _load(connection)

    def put(
        self, entities: Iterable[Entity], author: Author, remove: Iterable[tuple[Kind, str]] = ()
    ) -> StoredRules:
        """Adds or changes all of `entities`, or none of them; those that are as they were stay untouched.

        Args:
            remove: entries, by kind and name, that are taken out of force in the same transaction.

        Raises:
            DataError: a rule would name a segment that is not there, or synonyms, with those of other sets,
                would be there twice or lead in a circle.
        """
        entities = tuple(entities)
        with self._writing("write rules") as connection:
            for kind, name in remove:
                self._remove(connection, kind, name, author)
            for entity in entities:
                self._put(connection, entity, author)
            return self._checked(connection, any(isinstance(each, SynonymRows) for each in entities))

    def remove(self, kind: Kind, name: str, author: Author) -> StoredRules:
        """Takes an entry out of force; its history stays.

        Raises:
            DataError: there is none of that name, or a rule names that segment.
        """
        with self._writing("remove a rule") as connection:
            self._remove(connection, kind, name, author)
            return self._checked(connection)

    def set_enabled(self, kind: Kind, name: str, enabled: bool, author: Author) -> StoredRules:
        """Switches a rule or a set of synonyms on or off.

        Raises:
            DataError: there is none of that name, or the synonyms do not fit those of other sets.
        """
        with self._writing("switch a rule") as connection:
            stored = _load(connection)
            found = {rule.rule_id: rule for rule in stored.rules} if kind == "rule" else {}
            entity: Entity | None = found.get(name)
            if kind == "synonyms":
                entity = {each.name: each for each in stored.synonyms}.get(name)
            if entity is None or isinstance(entity, Segment | HiddenText):
                raise unknown_entry(kind, name, _COMMANDS[kind])
            self._put(connection, replace(entity, enabled=enabled), author, switched=True)
            return self._checked(connection, enabled and kind == "synonyms")

    def history(self, kind: Kind | None = None, name: str | None = None) -> Sequence[RuleChange]:
        """Every change, of one kind or one entry or of all, oldest first."""
        query = select(RuleVersionRow.__table__).order_by(RuleVersionRow.change_id)
        if kind is not None:
            query = query.where(RuleVersionRow.kind == kind)
        if name is not None:
            query = query.where(RuleVersionRow.name == name)
        with self._snapshot("read changes of rules") as connection:
            return [rule_change(row) for row in connection.execute(query).mappings()]

    # -- inside a transaction -----------------------------------------------------------------

    def _remove(self, connection: Connection, kind: Kind, name: str, author: Author) -> None:
        entries = Entries(connection)
        before = entries.find(kind, name)
        if before is None:
            raise unknown_entry(kind, name, _COMMANDS[kind])
        entries.delete(kind, name)
        self._note(connection, Entry(kind, name, None), before, "remove", author)

    def _put(self, connection: Connection, entity: Entity, author: Author, switched: bool = False) -> None:
        entry = _entry(entity)
        entries = Entries(connection)
        before = entries.find(entry.kind, entry.name)
        if before == entry.document:
            return
        version = entries.last_version(entry.kind, entry.name) + 1
        entries.write(entry, version, self._clock(), author.name)
        enabled = bool(entry.document and entry.document.get("enabled"))
        action = "add" if before is None else "change"
        if switched and before is not None:
            action = "enable" if enabled else "disable"
        self._note(connection, entry, before, action, author)

    def _note(
        self, connection: Connection, entry: Entry, before: object, action: str, author: Author
    ) -> None:
        Entries(connection).note(entry, before, action, author.name, author.remark, self._clock())

    def _checked(self, connection: Connection, synonyms: bool = False) -> StoredRules:
        """What is stored now, which must be whole: else the transaction is rolled back."""
        stored = _load(connection)
        replace(stored, rules=tuple(replace(rule, enabled=True) for rule in stored.rules)).compiled()
        if synonyms:
            stored.words()
        return stored


_COMMANDS = {"rule": "rules", "segment": "segments", "synonyms": "synonyms", "hidden": "suggestions"}


def _entry(entity: Entity) -> Entry:
    if isinstance(entity, Rule):
        return rule_entry(entity)
    if isinstance(entity, HiddenText):
        return hidden_entry(entity)
    return segment_entry(entity) if isinstance(entity, Segment) else synonyms_entry(entity)


def _version(connection: Connection) -> int:
    return connection.execute(select(RuleSetRow.version)).scalar() or 0


def _load(connection: Connection) -> StoredRules:
    entries = ReadEntries(connection)
    try:
        return StoredRules(
            _version(connection), entries.rules(), entries.segments(), entries.synonyms(), entries.hidden()
        )
    except DataError as error:
        raise DataError(f"what is stored cannot be read: {error} Upgrade recsys, or remove it.") from error
