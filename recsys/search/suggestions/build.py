"""The index of suggestions out of a log and a catalog, and as arrays of a file."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from recsys.errors import ArtifactMismatchError
from recsys.search.suggestions.completions import (
    completion_arrays,
    completions_from_arrays,
    completions_of,
    typed_words,
)
from recsys.search.suggestions.index import LONGEST_QUERY, SuggestIndex
from recsys.search.understanding.clicked_queries import query_key
from recsys.search.understanding.text_arrays import NamedArrays

MOST_QUERIES = 100_000  # of the log that are kept, the most frequent


def suggest_index(
    query_counts: Iterable[tuple[str, int]],
    categories: Sequence[str],
    titles: Sequence[str],
    popularity: Sequence[float],
    has_results: Callable[[str], bool] | None = None,
) -> SuggestIndex:
    """The index of a log and a catalog.

    Args:
        query_counts: (query, times asked, by many people); writings of one query are added up, under its most
            frequent writing. Of those that find something the most frequent are kept.
        categories: (N + 1) of each item by its index; "" is none. titles: (N + 1), row 0 is padding.
        popularity: (N + 1) how often each item is wanted.
        has_results: whether a query finds something; None = all do.
    """
    queries = _frequent_queries(query_counts, has_results)
    sizes: dict[str, int] = {}
    for category in categories:
        if category:
            sizes[category] = sizes.get(category, 0) + 1
    shown = [index for index, title in enumerate(titles) if index and title]
    return SuggestIndex(
        queries=completions_of(list(queries), list(queries.values())),
        categories=completions_of(list(sizes), list(sizes.values())),
        items=completions_of([titles[index] for index in shown], [popularity[index] for index in shown]),
        item_indexes=np.array(shown, np.int64),
    )


def _frequent_queries(
    query_counts: Iterable[tuple[str, int]], has_results: Callable[[str], bool] | None
) -> dict[str, float]:
    counts: dict[str, int] = {}
    for query, count in query_counts:
        key = query_key(query)
        if count > 0 and key and len(key) <= LONGEST_QUERY and typed_words(key):
            counts[key] = counts.get(key, 0) + count
    ranked = sorted(counts, key=lambda key: (-counts[key], key))[:MOST_QUERIES]
    return {key: float(counts[key]) for key in ranked if has_results is None or has_results(key)}


_KINDS = ("queries", "categories", "items")


def suggest_arrays(index: SuggestIndex) -> NamedArrays:
    """The index as named arrays, for a file without code in it; without items that came later."""
    arrays = {
        f"{kind}.{name}": array
        for kind in _KINDS
        for name, array in completion_arrays(getattr(index, kind)).items()
    }
    return {**arrays, "item_indexes": index.item_indexes}


def suggest_index_from_arrays(arrays: NamedArrays) -> SuggestIndex:
    """What `suggest_arrays` wrote; ArtifactMismatchError where an array is missing."""
    queries, categories, items = (
        completions_from_arrays(
            {
                name.removeprefix(f"{kind}."): each
                for name, each in arrays.items()
                if name.startswith(f"{kind}.")
            }
        )
        for kind in _KINDS
    )
    if "item_indexes" not in arrays:
        raise ArtifactMismatchError("the suggestions have no item_indexes; train the bundle again")
    return SuggestIndex(queries, categories, items, arrays["item_indexes"])
