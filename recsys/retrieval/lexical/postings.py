"""Which items have a term, as arrays; remembered from one view of the index to the next."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.analysis.posting_terms import postings_of_phrase
from recsys.retrieval.lexical.schema import IDENTIFIER_STARTS, IDENTIFIERS, INDEX

Postings = npt.NDArray[np.int32]  # ascending indexes of items, each once
NONE: Postings = np.zeros(0, np.int32)
_REMEMBERED_BYTES = 128 << 20
_MOST_CHANGES = 20_000  # changed items behind a remembered array before it is read anew


@dataclass(frozen=True, slots=True)
class Atom:
    """What is looked up in one field: a term, or several behind one another; the last may be a beginning."""

    field: str
    terms: tuple[str, ...]
    prefix: bool = False


@dataclass(slots=True)
class _Remembered:
    version: int
    postings: Postings


class PostingCache:
    """Postings by atom, the last used ones; shared by all views of one working copy."""

    def __init__(self, most_bytes: int = _REMEMBERED_BYTES) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[Atom, _Remembered] = OrderedDict()
        self._bytes = 0
        self._most_bytes = most_bytes
        self._changes: dict[int, Postings] = {}  # version -> what changed from the one before to it

    def note_changes(self, version: int, changed: Postings) -> None:
        """Says which items the view `version` has otherwise than the one before."""
        with self._lock:
            self._changes[version] = changed
            while sum(len(each) for each in self._changes.values()) > 2 * _MOST_CHANGES:
                del self._changes[min(self._changes)]

    def recall(self, atom: Atom, version: int) -> tuple[Postings, Postings] | None:
        """(remembered postings, items whose place in them may be another by now); None = read it."""
        with self._lock:
            found = self._entries.get(atom)
            if found is None or found.version > version:
                return None
            self._entries.move_to_end(atom)
            between = range(found.version + 1, version + 1)
            if any(each not in self._changes for each in between):
                return None
            changed = [self._changes[each] for each in between]
            if sum(map(len, changed)) > _MOST_CHANGES:
                return None
            return found.postings, np.unique(np.concatenate(changed)) if changed else NONE

    def remember(self, atom: Atom, version: int, postings: Postings) -> None:
        """Keeps the postings of the view `version`, unless those of a later one are there."""
        with self._lock:
            before = self._entries.get(atom)
            if before is not None and before.version > version:
                return
            if before is not None:
                self._bytes -= before.postings.nbytes
            self._entries[atom] = _Remembered(version, postings)
            self._entries.move_to_end(atom)
            self._bytes += postings.nbytes
            while self._bytes > self._most_bytes:
                _, gone = self._entries.popitem(last=False)
                self._bytes -= gone.postings.nbytes


class PostingReader:
    """The postings of one view of the index; many threads may ask at once."""

    def __init__(self, schema: Any, searcher: Any, version: int, cache: PostingCache) -> None:
        self._schema = schema
        self._searcher = searcher
        self._version = version
        self._cache = cache

    def postings(self, atom: Atom) -> Postings:
        """The items that have it."""
        known = self._cache.recall(atom, self._version)
        if known is not None and not len(known[1]):
            return known[0]
        query = self._query(atom)
        if query is None:
            return NONE
        found = self._read(query) if known is None else self._brought_up_to_date(query, *known)
        found.flags.writeable = False
        self._cache.remember(atom, self._version, found)
        return found

    def all_items(self) -> Postings:
        """Every item of the index."""
        import tantivy

        return self._read(tantivy.Query.all_query())

    def _read(self, query: Any) -> Postings:
        import tantivy

        most = max(self._searcher.num_docs, 1)
        hits = self._searcher.search(
            query, most, count=False, order_by_field=INDEX, order=tantivy.Order.Asc
        ).hits
        return np.fromiter((index for index, _ in hits), np.int32, len(hits))

    def _brought_up_to_date(self, query: Any, before: Postings, changed: Postings) -> Postings:
        import tantivy

        among = tantivy.Query.term_set_query(self._schema, INDEX, changed.tolist())
        must = tantivy.Occur.Must
        added = self._read(tantivy.Query.boolean_query([(must, query), (must, among)]))
        kept = before[~np.isin(before, changed, assume_unique=True)]
        return np.union1d(kept, added).astype(np.int32)

    def _query(self, atom: Atom) -> Any | None:
        """tantivy's query; None where nothing can have it. Never made from text by a parser."""
        import tantivy

        if not atom.terms or any(_is_no_term(term) for term in atom.terms):
            return None
        if atom.field in (IDENTIFIERS, IDENTIFIER_STARTS):
            return tantivy.Query.term_query(self._schema, atom.field, "".join(atom.terms))
        places = postings_of_phrase(atom.terms)
        if atom.prefix:
            return self._beginning(atom.field, places)
        if len(places) == 1:
            return tantivy.Query.term_query(self._schema, atom.field, places[0][1])
        return tantivy.Query.phrase_query(self._schema, atom.field, list(places))

    def _beginning(self, field: str, places: tuple[tuple[int, str], ...]) -> Any:
        """The query of which the last term may go on; of all terms that it begins, however many."""
        import tantivy

        if len(places) == 1:
            return tantivy.Query.phrase_prefix_query(self._schema, field, [places[0][1]])
        words = [(place, _escaped(term)) for place, term in places]
        words[-1] = (words[-1][0], words[-1][1] + ".*")
        return tantivy.Query.regex_phrase_query(self._schema, field, words)


def _escaped(term: str) -> str:
    """A term as the pattern of itself."""
    return "".join(each if each.isalnum() else "\\" + each for each in term)


def _is_no_term(term: str) -> bool:
    """Whether no item can have it: no text, a blank, half of a surrogate pair."""
    return not term or any(each.isspace() or "\ud800" <= each <= "\udfff" for each in term)
