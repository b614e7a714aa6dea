"""Changes to a copy of the index: items added, changed and removed, in views that are made afterwards."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from recsys.analysis.analyzer import Analyzer
from recsys.arrays import IntArray
from recsys.errors import ArtifactError
from recsys.retrieval.lexical.build import opened_index
from recsys.retrieval.lexical.index import LexicalIndex, TitleLengths
from recsys.retrieval.lexical.item_text import ItemText
from recsys.retrieval.lexical.postings import Change, PostingCache, Postings, replaced
from recsys.retrieval.lexical.schema import INDEX, FieldTerms, document, field_terms
from recsys.retrieval.lexical.scoring import Scoring
from recsys.versions.spare_capacity import SpareCapacity

_HEAP_BYTES = 32 << 20


class LexicalWriter:
    """The one writer of a folder; of one thread at a time. Views that were given out stay as they are."""

    def __init__(self, folder: Path, scoring: Scoring | None = None) -> None:
        """Opens the index at `folder`, whose files it will change: a copy that belongs to this process.

        Raises:
            ArtifactMismatchError: another version wrote it, or it is damaged.
            ArtifactError: another writer has it.
        """
        self._folder = folder
        self._scoring = scoring
        self._analyzer = Analyzer()
        self._cache = PostingCache()
        self._spare = SpareCapacity()
        self._index = opened_index(folder)
        try:
            # Never as a context: that commits after an error.
            self._writer: Any = self._index.writer(_HEAP_BYTES, num_threads=1)
        except ValueError as error:
            raise ArtifactError(
                f"the lexical index at {folder} has a writer already ({error}). "
                "Each process needs a copy of its own."
            ) from error
        self._view = LexicalIndex(
            self._index.schema, self._index.searcher(), cache=self._cache, scoring=scoring
        )

    @property
    def view(self) -> LexicalIndex:
        """The index as of the last change."""
        return self._view

    def apply(self, upserts: Iterable[ItemText], deletes: Iterable[int] = ()) -> LexicalIndex:
        """A view in which `upserts` are as given and `deletes` are gone; all of the changes or none.

        Args:
            upserts: items that are new or replace those of the same index; of one given twice, the last.
            deletes: indexes of items; unknown ones are no error.

        Raises:
            ArtifactError: the disk refuses; the view stays as it was.
        """
        items = {item.index: item for item in upserts}
        gone = np.unique(np.array([*items, *deletes], np.int32))
        if not len(gone):
            return self._view
        try:
            added = {index: field_terms(item, self._analyzer) for index, item in items.items()}
            self._change(gone, added)
        except BaseException as error:
            self._writer.rollback()
            if not isinstance(error, ValueError | OSError):
                raise
            raise ArtifactError(
                f"the lexical index at {self._folder} could not be changed: {error}. Make room; "
                "until then searches see it as it was."
            ) from error
        self._view = self._next_view(gone, added)
        return self._view

    def close(self) -> None:
        """Lets the folder go; views go on."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.wait_merging_threads()

    def __enter__(self) -> "LexicalWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _change(self, gone: Postings, added: Mapping[int, Sequence[FieldTerms]]) -> None:
        import tantivy

        # By a query: tantivy's delete by a number makes a signed term, which no unsigned field has.
        self._writer.delete_documents_by_query(
            tantivy.Query.term_set_query(self._index.schema, INDEX, gone.tolist())
        )
        for index, fields in added.items():
            self._writer.add_document(document(index, fields))
        self._writer.commit()
        self._index.reload()  # by itself it would be later, in another thread

    def _next_view(self, gone: Postings, added: Mapping[int, Sequence[FieldTerms]]) -> LexicalIndex:
        before, version = self._view, self._view.version + 1
        index = np.array(sorted(added), np.int64)
        words = np.array([len(added[place][0].first) for place in index.tolist()], np.int32)
        size = max(len(before.title_terms), int(index.max(initial=-1)) + 1)
        there = gone[np.isin(gone, before.items)]
        lengths = TitleLengths(
            before.lengths.total - int(before.title_terms[there].sum()) + int(words.sum()),
            max(before.lengths.longest, int(words.max(initial=0))),
        )
        self._cache.note_change(version, Change(gone, _inverted(added)))
        return LexicalIndex(
            self._index.schema,
            self._index.searcher(),
            version=version,
            cache=self._cache,
            items=self._items(there, index),
            title_terms=self._spare.with_rows("title terms", before.title_terms, size, index, words),
            lengths=lengths,
            scoring=self._scoring,
        )

    def _items(self, gone: Postings, added: IntArray) -> IntArray:
        """The items of the view without those that are `gone`, with those that were `added`."""
        items = self._view.items
        if np.array_equal(gone, added):
            return items
        if len(gone) or (len(items) and added[0] < items[-1]):
            return replaced(items, gone, added)
        size = len(items) + len(added)
        return self._spare.with_rows("items", items, size, np.arange(len(items), size), added)


def _inverted(added: Mapping[int, Sequence[FieldTerms]]) -> Mapping[tuple[str, str], Postings]:
    """(field, term) -> the items that have it, ascending."""
    having: dict[tuple[str, str], list[int]] = {}
    for index in sorted(added):
        for field, term in {(each.field, term) for each in added[index] for term in each.terms}:
            having.setdefault((field, term), []).append(index)
    return {key: np.array(items, np.int32) for key, items in having.items()}
