"""What people asked for before and then clicked on: these queries are right as they are."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from recsys.analysis.folding import normalise
from recsys.search.understanding.text_arrays import NamedArrays, packed_texts, unpacked_texts

LEAST_CLICKS = 2  # one click may be a mistake
_LEAST_WORD_CLICKS = 5


@dataclass(frozen=True)
class ClickedQueries:
    """Queries, normalised, and how often a result of theirs was clicked."""

    clicks: Mapping[str, int] = field(default_factory=dict)
    words: frozenset[str] = frozenset()  # of which people click on results

    def has(self, normalised: str) -> bool:
        """Whether people click on what this query finds."""
        return self.clicks.get(normalised, 0) >= LEAST_CLICKS


def clicked_queries(counts: Iterable[tuple[str, int]]) -> ClickedQueries:
    """The clicked queries of (query, clicks), which may repeat a query in other writings."""
    clicks: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for query, count in counts:
        if count > 0:
            key = query_key(query)
            clicks[key] += count
            words.update(dict.fromkeys(key.split(), count))
    kept = frozenset(word for word, count in words.items() if count >= _LEAST_WORD_CLICKS)
    return ClickedQueries(dict(clicks), kept)


def query_key(query: str) -> str:
    """A query as it is counted: folded, single blanks.

    >>> query_key("  Red   DRESS ")
    'red dress'
    """
    return " ".join(normalise(query).split())


def clicked_query_arrays(queries: ClickedQueries) -> NamedArrays:
    """The clicked queries as named arrays."""
    counts = np.array(list(queries.clicks.values()), np.int64)
    return {"queries": packed_texts(list(queries.clicks)), "clicks": counts}


def clicked_queries_from_arrays(arrays: NamedArrays) -> ClickedQueries:
    """What `clicked_query_arrays` wrote."""
    texts = unpacked_texts(arrays["queries"])
    return clicked_queries(zip(texts, arrays["clicks"].tolist(), strict=True))
