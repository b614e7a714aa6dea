"""Which items have a term, as arrays; remembered from one view of the index to the next."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from recsys.analysis.posting_terms import postings_of_phrase
from recsys.retrieval.lexical.recent import RecentlyUsed
from recsys.retrieval.lexical.schema import IDENTIFIER_STARTS, IDENTIFIERS, INDEX

Postings = npt.NDArray[np.int32]  # ascending indexes of items, each once
Ascending = TypeVar("Ascending", npt.NDArray[np.int32], npt.NDArray[np.int64])
NONE: Postings = np.zeros(0, np.int32)
_REMEMBERED_BYTES = 128 << 20
_ENTRY_BYTES = 500  # of an array besides its numbers
_MOST_CHANGES = 20_000  # changed items behind a remembered array before it is read anew


@dataclass(frozen=True, slots=True)
class Atom:
    """What is looked up in one field: a term, or several behind one another; the last may be a beginning."""

    field: str
    terms: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True)
class Change:
    """What one view has otherwise than the one before.

    Attributes:
        items: that were added, changed or removed, ascending.
        terms: (field, term) -> those of them that have it now, ascending.
    """

    items: Postings
    terms: Mapping[tuple[str, str], Postings]


class PostingCache:
    """Postings by atom, the last used ones; shared by all views of one working copy."""

    def __init__(self, most_bytes: int = _REMEMBERED_BYTES) -> None:
        self._entries: RecentlyUsed[Atom, tuple[int, Postings]] = RecentlyUsed(
            most_bytes, lambda entry: entry[1].nbytes + _ENTRY_BYTES
        )
        self._changes: dict[int, Change] = {}  # by the version of the view that has them
        self._lock = threading.Lock()

    def note_change(self, version: int, change: Change) -> None:
        """Says what the view `version` has otherwise than the one before."""
        with self._lock:
            changes = {**self._changes, version: change}
            while len(changes) > 1 and sum(len(each.items) for each in changes.values()) > _MOST_CHANGES:
                del changes[min(changes)]
            self._changes = changes  # replaced, never changed: others read it without a lock

    def recall(self, atom: Atom, version: int) -> tuple[Postings, Sequence[Change]] | None:
        """(remembered postings, what changed since, oldest first); None = read them."""
        found = self._entries.get(atom)
        if found is None or found[0] > version:
            return None
        changes = self._changes
        between = [changes.get(each) for each in range(found[0] + 1, version + 1)]
        known = [change for change in between if change is not None]
        return (found[1], known) if len(known) == len(between) else None

    def remember(self, atom: Atom, version: int, postings: Postings) -> None:
        """Keeps the postings of the view `version`, unless those of a later one are there."""
        before = self._entries.get(atom)
        if before is None or before[0] <= version:
            self._entries.put(atom, (version, postings))


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
        if known is not None and not known[1]:
            return known[0]
        if known is None and self._lacks_a_term(atom):
            return NONE  # found out as quickly again
        query = self._query(atom)
        if query is None:
            return NONE
        found = self._read(query) if known is None else self._brought_up_to_date(atom, query, *known)
        found.flags.writeable = False
        self._cache.remember(atom, self._version, found)
        return found

    def _lacks_a_term(self, atom: Atom) -> bool:
        """Whether a term of it is nowhere in the field: asked of the dictionary, without a search."""
        if any(_is_no_term(term) for term in atom.terms):
            return True
        only = _only_term(atom)
        terms = [only] if only is not None else [term for _, term in postings_of_phrase(atom.terms)]
        sure = terms[:-1] if atom.prefix and only is None else terms
        return any(self._searcher.doc_freq(atom.field, term) == 0 for term in sure)

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

    def _brought_up_to_date(
        self, atom: Atom, query: Any, before: Postings, changes: Sequence[Change]
    ) -> Postings:
        term = _only_term(atom)
        if term is None:
            changed = any_of([change.items for change in changes])
            return replaced(before, changed, self._among(query, changed))
        for change in changes:
            before = replaced(before, change.items, change.terms.get((atom.field, term), NONE))
        return before

    def _among(self, query: Any, items: Postings) -> Postings:
        """Those of `items` that match."""
        import tantivy

        must = tantivy.Occur.Must
        among = tantivy.Query.term_set_query(self._schema, INDEX, items.tolist())
        return self._read(tantivy.Query.boolean_query([(must, query), (must, among)]))

    def _query(self, atom: Atom) -> Any | None:
        """tantivy's query; None where nothing can have it. Never made from text by a parser."""
        import tantivy

        if not atom.terms or any(_is_no_term(term) for term in atom.terms):
            return None
        term = _only_term(atom)
        if term is not None:
            return tantivy.Query.term_query(self._schema, atom.field, term)
        places = postings_of_phrase(atom.terms)
        if atom.prefix:
            return self._beginning(atom.field, places)
        return tantivy.Query.phrase_query(self._schema, atom.field, list(places))

    def _beginning(self, field: str, places: tuple[tuple[int, str], ...]) -> Any:
        """The query of which the last term may go on; of all terms that it begins, however many."""
        import tantivy

        if len(places) == 1:
            return tantivy.Query.phrase_prefix_query(self._schema, field, [places[0][1]])
        words = [(place, _escaped(term)) for place, term in places]
        words[-1] = (words[-1][0], words[-1][1] + ".*")
        return tantivy.Query.regex_phrase_query(self._schema, field, words)


def _only_term(atom: Atom) -> str | None:
    """The indexed term that answers for an atom alone; None where it takes several."""
    if atom.field in (IDENTIFIERS, IDENTIFIER_STARTS):
        return "".join(atom.terms)
    if atom.prefix:
        return None
    places = postings_of_phrase(atom.terms)
    return places[0][1] if len(places) == 1 else None


def replaced(before: Ascending, changed: Postings, now: Ascending) -> Ascending:
    """`before` without the `changed` ones, with those of them that are there now."""
    if len(before):
        place = np.searchsorted(before, changed)
        inside = place < len(before)
        held = place[inside][before[place[inside]] == changed[inside]]
        before = np.delete(before, held) if len(held) else before
    if not len(now):
        return before
    return np.insert(before, np.searchsorted(before, now), now)


def any_of(postings: Sequence[Postings]) -> Postings:
    """Ascending items of any of them; by sorting, which is quicker here than numpy's hashing."""
    found = np.sort(np.concatenate(postings), kind="stable")
    first = np.ones(len(found), bool)
    first[1:] = found[1:] != found[:-1]
    return found[first]


def _escaped(term: str) -> str:
    """A term as the pattern of itself."""
    return "".join(each if each.isalnum() else "\\" + each for each in term)


def _is_no_term(term: str) -> bool:
    """Whether no item can have it: no text, a blank, half of a surrogate pair."""
    return not term or any(each.isspace() or "\ud800" <= each <= "\udfff" for each in term)
