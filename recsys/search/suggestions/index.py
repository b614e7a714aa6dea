"""What somebody who types may be about to ask for: queries, categories, items."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from recsys.analysis.scanning import is_han
from recsys.analysis.stems import term_of
from recsys.arrays import BoolArray, IntArray
from recsys.errors import RequestError
from recsys.search.suggestions.completions import (
    Completions,
    completions_of,
    typed_words,
)
from recsys.search.suggestions.hidden import HiddenWords
from recsys.search.understanding.clicked_queries import query_key

MOST_SUGGESTIONS = 50
LONGEST_TYPED = 200  # characters that are looked at
LONGEST_QUERY = 100  # characters of a query that is suggested
_MOST_USER_QUERIES = 200
_POOL = 3  # times as many as are wanted are weighed for variety
_SAME_WORDS = 0.5  # how much of its weight a suggestion loses that only repeats words of another
_FUZZY = 0.3  # times the weight of what a typing error was corrected for

YOURS, POPULAR = "yours", "popular"


@dataclass(frozen=True)
class QuerySuggestion:
    """A query that finds something; `origin` is `yours` or `popular`."""

    text: str
    origin: str


@dataclass(frozen=True)
class CategorySuggestion:
    """A category and how many items it has."""

    category: str
    items: int


@dataclass(frozen=True)
class ItemSuggestion:
    """An item by its index, and its title."""

    item_index: int
    title: str


@dataclass(frozen=True)
class Suggestions:
    """The best first in each list."""

    queries: tuple[QuerySuggestion, ...]
    categories: tuple[CategorySuggestion, ...]
    items: tuple[ItemSuggestion, ...]


@dataclass(frozen=True)
class SuggestIndex:
    """Completions of queries, categories and items; immutable.

    Attributes:
        items: completions of titles. item_indexes: (N,) the item of each.
        new_items: of titles that came later; they hide those of the same items in `items`.
        new_indexes: the item of each.
    """

    queries: Completions
    categories: Completions
    items: Completions
    item_indexes: IntArray
    new_items: Completions = field(default_factory=lambda: completions_of((), ()))
    new_indexes: tuple[int, ...] = ()

    def suggest(
        self,
        typed: str,
        user_queries: Sequence[str] = (),
        count: int = 8,
        *,
        has_results: Callable[[str], bool] | None = None,
        hidden: HiddenWords | None = None,
        shown_items: BoolArray | None = None,
    ) -> Suggestions:
        """At most `count` of each kind for what was typed; with nothing typed no items.

        Args:
            user_queries: what this user asked for, the latest first.
            has_results: whether a query finds something now; None = as when the index was built.
            hidden: words that no suggestion has.
            shown_items: (N + 1,) by item index, which items may be given; None = all.

        Raises:
            RequestError: `count` is not between 1 and 50.
        """
        if not 1 <= count <= MOST_SUGGESTIONS:
            raise RequestError(f"count is {count}; ask for 1 to {MOST_SUGGESTIONS} suggestions")
        words = typed_words(typed[:LONGEST_TYPED])
        if not words and typed.strip():
            return Suggestions((), (), ())  # signs alone
        usable = _Usable(has_results, hidden or HiddenWords())
        return Suggestions(
            queries=self._queries(words, user_queries, count, usable),
            categories=self._categories(words, count, usable),
            items=self._items(words, count, usable, shown_items) if words else (),
        )

    def with_items(self, titles: Mapping[int, tuple[str, float]]) -> "SuggestIndex":
        """This with items that are new or changed: index -> (title, weight); an empty title is none."""
        known = {
            index: (text, float(weight))
            for index, text, weight in zip(
                self.new_indexes, self.new_items.texts, self.new_items.weights, strict=True
            )
        }
        known.update(titles)
        texts, weights = [text for text, _ in known.values()], [weight for _, weight in known.values()]
        return replace(self, new_items=completions_of(texts, weights), new_indexes=tuple(known))

    def _queries(
        self, words: Sequence[str], user_queries: Sequence[str], count: int, usable: "_Usable"
    ) -> tuple[QuerySuggestion, ...]:
        own = _own_queries(user_queries, words)
        chosen = _varied(own, max(1, count // 2), usable.query)
        found = _weighed(self.queries, words, count)
        more = _varied(found, count - len(chosen), usable.query, chosen)
        origins = [YOURS] * len(chosen) + [POPULAR] * len(more)
        return tuple(map(QuerySuggestion, (*chosen, *more), origins))

    def _categories(
        self, words: Sequence[str], count: int, usable: "_Usable"
    ) -> tuple[CategorySuggestion, ...]:
        found = [each for each in _weighed(self.categories, words, count) if usable.text(each[0])]
        weights = self.categories.weights
        return tuple(CategorySuggestion(text, int(weights[at])) for text, _, at in found[:count])

    def _items(
        self, words: Sequence[str], count: int, usable: "_Usable", shown: BoolArray | None
    ) -> tuple[ItemSuggestion, ...]:
        new = np.array(self.new_indexes, np.int64)
        allowed = _shown(self.item_indexes, shown)
        allowed[self.places_of_items(new)] = False
        found = [
            (text, weight, int(self.item_indexes[at]))
            for text, weight, at in _weighed(self.items, words, count, allowed)
        ]
        found += [
            (text, weight, self.new_indexes[at])
            for text, weight, at in _weighed(self.new_items, words, count, _shown(new, shown))
        ]
        found = sorted(found, key=lambda each: (-each[1], each[2]))[: _POOL * count]
        of = {text: index for text, _, index in reversed(found)}
        return tuple(ItemSuggestion(of[text], text) for text in _varied(found, count, usable.text))

    def places_of_items(self, indexes: IntArray) -> IntArray:
        """Where these items stand in `items`, those that do."""
        places = np.searchsorted(self.item_indexes, indexes)
        inside = places < len(self.item_indexes)
        places, indexes = places[inside], indexes[inside]
        there: IntArray = places[self.item_indexes[places] == indexes]
        return there


def _shown(indexes: IntArray, shown: BoolArray | None) -> BoolArray:
    """Which items may be given; those behind the end of `shown` may not."""
    if shown is None:
        return np.ones(len(indexes), bool)
    if not len(shown):
        return np.zeros(len(indexes), bool)
    if indexes.max(initial=0) < len(shown):
        return shown[indexes]
    return shown[np.minimum(indexes, len(shown) - 1)] & (indexes < len(shown))


def _own_queries(user_queries: Sequence[str], words: Sequence[str]) -> list["_Found"]:
    """This user's queries with all typed words, the last as a beginning; the latest weighs most."""
    found: list[_Found] = []
    for place, query in enumerate(user_queries[:_MOST_USER_QUERIES]):
        key = query_key(query) if len(query) <= LONGEST_QUERY else ""
        own = typed_words(key)
        if (
            own
            and set(words[:-1]) <= set(own)
            and (not words or any(_begins(word, words[-1]) for word in own))
        ):
            found.append((key, float(_MOST_USER_QUERIES - place), place))
    return found


def _begins(word: str, typed: str) -> bool:
    return typed in word if is_han(typed) else word.startswith(typed)


@dataclass(frozen=True)
class _Usable:
    has_results: Callable[[str], bool] | None
    hidden: HiddenWords

    def text(self, text: str) -> bool:
        return bool(text) and not self.hidden.hides(text)

    def query(self, text: str) -> bool:
        return self.text(text) and (self.has_results is None or self.has_results(text))


_Found = tuple[str, float, int]  # text, weight, place


def _weighed(
    completions: Completions, words: Sequence[str], count: int, allowed: BoolArray | None = None
) -> list[_Found]:
    """The heaviest completions; where they are few, also those of the last word with an error corrected.

    Args:
        allowed: (N,) which may be given; None = all.
    """
    exact = completions.found(words)
    if allowed is not None:
        exact &= allowed
    found = _texts(completions, completions.best(exact, words, _POOL * count))
    if len(found) < count and words:
        near = completions.found(words, fuzzy=True) & ~exact
        if allowed is not None:
            near &= allowed
        least = min((weight for _, weight, _ in found), default=float("inf"))
        more = completions.best(near, words, _POOL * count)
        found += _texts(completions, [(at, min(_FUZZY * weight, least)) for at, weight in more])
    return found


def _texts(completions: Completions, best: Iterable[tuple[int, float]]) -> list[_Found]:
    return [(completions.texts[at], weight, at) for at, weight in best]


def _varied(
    found: Sequence[_Found], count: int, usable: Callable[[str], bool], before: Sequence[str] = ()
) -> list[str]:
    """At most `count` usable texts, each the heaviest after what it repeats of those before is taken off.

        weight x (1 - .5 x most words shared with one before / words of both)

    Texts of the same words, in whatever order and inflection, come once.
    """
    chosen: list[str] = []
    rest = [(text, weight, _terms(text)) for text, weight, _ in found]
    repeated = [0.0] * len(rest)
    new = [_terms(text) for text in before]
    while rest and len(chosen) < count:
        for taken in new:
            repeated = [
                max(most, _overlap(each[2], taken)) for most, each in zip(repeated, rest, strict=True)
            ]
        scores = [
            weight * (1 - _SAME_WORDS * most) if most < 1 else -1.0
            for (_, weight, _), most in zip(rest, repeated, strict=True)
        ]
        place = max(range(len(rest)), key=scores.__getitem__)
        if scores[place] < 0:
            break  # all that is left was said before
        text, _, terms = rest.pop(place)
        del repeated[place]
        new = [terms] if usable(text) else []
        chosen += [text] if new else []
    return chosen


@functools.lru_cache(maxsize=1 << 15)
def _terms(text: str) -> frozenset[str]:
    return frozenset(term_of(word) for word in typed_words(text))


def _overlap(terms: frozenset[str], others: frozenset[str]) -> float:
    shared = len(terms & others)
    return shared / (len(terms) + len(others) - shared) if shared else float(terms == others)
