"""What people search for: needs in words of the catalog, how often each is had, and what is relevant to it.

    relevance(q, i) = 0.3 [i is in the category of q]
                    + 0.7 (sum of idf(w) over words w of q that i has) / (sum of idf(w) over words w of q)

A word counts in any form: `bottles` is `bottle`, and a quantity is a word, `500 ml`. Without a category the
words are all. It is the relevance of what is meant, whatever is then typed.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.errors import DataError
from recsys.simulation.habits import Habits
from recsys.simulation.item_space import ItemSpace

CATEGORY_SHARE = 0.3
_MOST_WORDS = 3  # of a need
_TRIES = 20  # items that are looked at for each need
_COMMON = 0.4  # of items: what stands on more of them tells nothing
_UNITS = "mm|cm|km|m|inch|in|ft|yd|mg|kg|g|oz|lb|ml|cl|l|gal|gb|tb|mb|w|v|ct|pk"
_QUANTITY = rf"\d+(?:\.\d+)?\s?(?:{_UNITS})\b"
_WORD = re.compile(rf"{_QUANTITY}|[\u4e00-\u9fff]{{2}}|[^\W\d_\u4e00-\u9fff]{{3,}}")
_PARTS = re.compile(rf"(\d+(?:\.\d+)?)\s?({_UNITS})")


@dataclass(frozen=True)
class Needs:
    """M needs, the most frequent first.

    Attributes:
        words: (M,) of each, in the order in which an item's title has them.
        category_of: (M,) index into the space's categories, 0 = any.
        directions: (M, WIDTH) in the space of tastes.
        weights: (M,) how often each is had, relative.
    """

    words: tuple[tuple[str, ...], ...]
    category_of: IntArray
    directions: FloatArray
    weights: DoubleArray
    _focus: float
    _items_of_word: dict[str, IntArray] = field(repr=False)
    _idf: dict[str, float] = field(repr=False)
    _space: ItemSpace = field(repr=False)
    _known: dict[int, DoubleArray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.words)

    def text(self, need: int) -> str:
        """The need without any error, as most people type it."""
        return " ".join(self.words[need])

    def category(self, need: int) -> str | None:
        """The category that is meant; None where any is."""
        return self._space.categories[self.category_of[need]] or None

    def relevance(self, need: int) -> DoubleArray:
        """(N + 1,) from 0 to 1, of every item; 0 of the padding."""
        if need not in self._known:
            self._known[need] = self._relevance(need)
        return self._known[need]

    def draw(self, tastes: FloatArray, rng: np.random.Generator) -> IntArray:
        """(B,) a need for each taste (B, WIDTH): frequent ones, and those near the taste, more often."""
        liking = np.log(self.weights) + self._focus * (tastes @ self.directions.T)
        return np.asarray((liking + rng.gumbel(size=liking.shape)).argmax(axis=1), np.int64)

    def _relevance(self, need: int) -> DoubleArray:
        words, size = self.words[need], len(self._space)
        found = np.zeros(size)
        for word in words:
            found[self._items_of_word[word]] += self._idf[word]
        found /= sum(self._idf[word] for word in words)
        code = self.category_of[need]
        if code:
            same = self._space.category_of == code
            found = CATEGORY_SHARE * same + (1 - CATEGORY_SHARE) * found
        found[0] = 0
        return found


def open_needs(habits: Habits, space: ItemSpace, items: pa.Table) -> Needs:
    """The needs of a world: each in words of an item that the shop sells, no two in the same words.

    Args:
        items: columns of `ITEM_SCHEMA`, those that `space` was made of.

    Raises:
        DataError: no item has a word to search for.
    """
    # The fifth chance beside the four of a world.
    rng = np.random.default_rng(np.random.SeedSequence(habits.seed, spawn_key=(4,)))
    titles = [title_words(title) for title in space.titles]
    texts = [title_words(text or "") for text in items[columns.TEXT].to_pylist()]
    everything = [[], *([*title, *text] for title, text in zip(titles[1:], texts, strict=True))]
    places = _items_of_words(everything)
    telling = {word for word, index in places.items() if len(index) <= max(2, _COMMON * len(space))}
    sources = rng.choice(
        len(space), habits.needs * _TRIES, p=space.exposure / space.exposure.sum(dtype=np.float64)
    )
    needs: dict[tuple[str, ...], int] = {}
    for item in sources.tolist():
        words = _chosen(titles[item], telling, rng)
        if words:
            needs.setdefault(words, item)
        if len(needs) == habits.needs:
            break
    if not needs:
        raise DataError(
            "no title of the catalog has a telling word, so there is nothing to search for. Import items "
            "with titles."
        )
    used = {word for words in needs for word in words}
    source = np.array(list(needs.values()), np.int64)
    return Needs(
        words=tuple(needs),
        category_of=space.category_of[source],
        directions=space.vectors[source],
        weights=np.arange(1, len(needs) + 1, dtype=np.float64) ** -habits.need_exponent,
        _focus=habits.need_focus,
        _items_of_word={word: places[word] for word in used},
        _idf={word: math.log(1 + len(space) / len(places[word])) for word in used},
        _space=space,
    )


def title_words(text: str) -> list[str]:
    """The words of a text from which needs are made: plain ones in the singular, and quantities.

    >>> title_words("Water BOTTLES, 500ml (pack)")
    ['water', 'bottle', '500 ml', 'pack']
    """
    return [_word(found) for found in _WORD.findall(text.lower())]


def _word(text: str) -> str:
    quantity = _PARTS.fullmatch(text)
    if quantity:
        return f"{quantity[1]} {quantity[2]}"
    return text[:-1] if len(text) > 4 and text.endswith("s") and not text.endswith("ss") else text


def _items_of_words(words: Iterable[Iterable[str]]) -> dict[str, IntArray]:
    """Word -> ascending indexes of the items that have it."""
    places: dict[str, list[int]] = {}
    for index, each in enumerate(words):
        for word in dict.fromkeys(each):
            places.setdefault(word, []).append(index)
    return {word: np.array(index, np.int64) for word, index in places.items()}


def _chosen(title: list[str], known: set[str], rng: np.random.Generator) -> tuple[str, ...]:
    """One to three telling words of a title, in its order; () where it has none."""
    telling = [word for word, _ in Counter(title).items() if word in known]
    count = min(len(telling), int(rng.integers(1, _MOST_WORDS + 1)))
    kept = np.sort(rng.permutation(len(telling))[:count])
    return tuple(telling[place] for place in kept.tolist())
