"""Fits from which cosine on an item matches: by pieces of the shop's own titles, or by judged pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.errors import DataError
from recsys.progress import Progress, silent
from recsys.retrieval.text_index import TextIndex
from recsys.search.match_threshold import FORMS, Form, MatchThreshold, Reached, in_form

Spans = Callable[[str], Sequence[tuple[int, int]]]  # where the words of a text begin and end, in order
Encode = Callable[[str], FloatArray]

FALSE_MATCH_RATE = 0.001  # of the items, by chance
QUERIES = 2400  # pieces of titles
LONGEST = 8  # words of a piece; longer queries share the last limit
RANDOM_ITEMS = 256  # for each query
_LEAST_GAIN = 0.01  # share of pairs that another form must keep more than the plain cosine
_FEWEST = 60  # queries of a length, to have a limit of its own


class JudgedPair(NamedTuple):
    """A query, the index of an item, and whether somebody judged it relevant."""

    query: str
    item: int
    relevant: bool


@dataclass(frozen=True)
class _Pairs:
    """Q queries with one item that belongs to each, and R that do not.

    Attributes:
        words: (Q,). mean, deviation: (Q,) of the background.
        good: (Q,) cosines. bad: (Q, R) cosines, NaN where an item is none of the bad ones.
    """

    words: IntArray
    mean: FloatArray
    deviation: FloatArray
    good: FloatArray
    bad: FloatArray

    def in_form(self, form: Form) -> tuple[FloatArray, FloatArray]:
        """`good` and `bad` as this form compares them."""
        mean, deviation = self.mean[:, None], self.deviation[:, None]
        good = in_form(form, self.good[:, None], mean, deviation)[:, 0]
        return good, in_form(form, self.bad, mean, deviation)

    def take(self, rows: BoolArray) -> "_Pairs":
        """The queries where `rows` (Q,) holds."""
        parts = (self.words, self.mean, self.deviation, self.good, self.bad)
        return _Pairs(*(part[rows] for part in parts))  # type: ignore[arg-type]


def fit_match_threshold(
    titles: Sequence[str],
    index: TextIndex,
    encode: Encode,
    spans: Spans,
    *,
    clicked: Sequence[tuple[str, int]] = (),
    false_match_rate: float = FALSE_MATCH_RATE,
    encoder: str = "",
    seed: int = 0,
    progress: Progress = silent,
) -> MatchThreshold:
    """The limits at which that share of random items matches a query, by its number of words.

    Queries are pieces of one to LONGEST words of random titles, which belong to their items, and queries that
    people clicked on. A random item that has all words of the query belongs to it too and is left out. Of the
    forms the one is taken that keeps the most pairs, the plain cosine where no other keeps a hundredth more.
    Half of the queries choose, the other half say what is reached.

    Args:
        titles: (N + 1) texts by item index. encode: (E,) unit vector of a query.
        clicked: queries with the index of an item that was clicked on.

    Raises:
        DataError: fewer than two items have a text.
    """
    rng = np.random.default_rng(seed)
    queries = _title_pieces(titles, spans, rng) + [_Asked(text, item, spans) for text, item in clicked]
    if len(queries) < 2:
        raise DataError(
            f"{len(queries)} titles with words are too few to fit what matches by meaning. Import items with "
            "titles, or search by words alone."
        )
    queries = [queries[place] for place in rng.permutation(len(queries)).tolist()]
    pairs = _measure_pairs(queries, titles, index, encode, spans, rng, progress)
    half = np.arange(len(queries)) % 2 == 0
    chosen, rest = pairs.take(half), pairs.take(~half)
    fitted = {form: _limits(chosen, form, false_match_rate) for form in FORMS}
    kept = {form: _kept_share(rest, form, limits) for form, limits in fitted.items()}
    best = max(FORMS, key=lambda form: kept[form])
    form: Form = best if kept[best] >= kept["cosine"] + _LEAST_GAIN else "cosine"
    source = "pieces of titles" + (" and clicked queries" if clicked else "")
    reached = _reached(rest, form, fitted[form])
    return MatchThreshold(form, fitted[form], reached, false_match_rate, source, encoder)


def fit_judged_threshold(
    fitted: MatchThreshold,
    judged: Sequence[JudgedPair],
    held_out: Sequence[JudgedPair],
    index: TextIndex,
    encode: Encode,
    spans: Spans,
) -> MatchThreshold:
    """`fitted` with the limits that part judged pairs best, and what these reach on the pairs held out.

    At a limit the share of relevant pairs that it keeps, minus the share of others that it keeps, is the
    largest (Youden's J). A number of words with few pairs has the limit of all.

    Raises:
        DataError: no judged pair is relevant, or none is not.
    """
    words, relevant, values = _judged_values(fitted, judged, index, encode, spans)
    if relevant.all() or not relevant.any():
        raise DataError(
            f"of {len(judged)} judged pairs {int(relevant.sum())} are relevant: both kinds are needed. "
            "Lower or raise the grade from which a pair is relevant."
        )
    limits = []
    for length in range(1, len(fitted.limits) + 1):
        own = words == length
        parts = own if min((relevant & own).sum(), (~relevant & own).sum()) >= _FEWEST else words > 0
        limits.append(_parting_limit(values[parts], relevant[parts]))
    words, relevant, values = _judged_values(fitted, held_out, index, encode, spans)
    reached = []
    for length, limit in enumerate(limits, 1):
        own = words == length
        good, bad = values[own & relevant] >= limit, values[own & ~relevant] >= limit
        if len(good) and len(bad):
            queries = len({held_out[row].query for row in np.flatnonzero(own).tolist()})
            reached.append(Reached(length, queries, _rounded(good.mean()), _rounded(bad.mean())))
    return replace(fitted, limits=tuple(limits), reached=tuple(reached), source="judged pairs")


def _judged_values(
    fitted: MatchThreshold, judged: Sequence[JudgedPair], index: TextIndex, encode: Encode, spans: Spans
) -> tuple[IntArray, BoolArray, FloatArray]:
    """(P,) of each pair: words of the query, as the limits count them, relevance, and the value compared."""
    vectors = {pair.query: encode(pair.query) for pair in judged}
    background = {query: index.background(vector) for query, vector in vectors.items()}
    count = {query: len(spans(query)) for query in vectors}
    cosines = [float(index.cosines(vectors[pair.query], np.array([pair.item]))[0]) for pair in judged]
    of_queries = np.array([background[pair.query] for pair in judged], np.float32).reshape(-1, 2)
    values = in_form(fitted.form, np.array(cosines, np.float32), of_queries[:, 0], of_queries[:, 1])
    words = np.array([count[pair.query] for pair in judged], np.int64)
    relevant = np.array([pair.relevant for pair in judged], np.bool_)
    return np.clip(words, 1, len(fitted.limits)), relevant, values


class _Asked:
    """A query, the words in it and the index of the item that belongs to it."""

    def __init__(self, text: str, item: int, spans: Spans) -> None:
        self.text, self.item = text, item
        self.words = frozenset(text[start:end].casefold() for start, end in spans(text))
        self.length = max(1, len(spans(text)))


def _title_pieces(titles: Sequence[str], spans: Spans, rng: np.random.Generator) -> list[_Asked]:
    """Pieces of random titles, which are shorter than these where they can be."""
    found: list[_Asked] = []
    for item in rng.permutation(np.arange(1, len(titles)))[: 2 * QUERIES].tolist():
        title = titles[item]
        places = spans(title)
        if not places or len(found) == QUERIES:
            continue
        length = int(rng.integers(1, min(LONGEST, max(1, len(places) - 1)) + 1))
        first = int(rng.integers(0, len(places) - length + 1))
        found.append(_Asked(title[places[first][0] : places[first + length - 1][1]], item, spans))
    return found


def _measure_pairs(
    queries: Sequence[_Asked],
    titles: Sequence[str],
    index: TextIndex,
    encode: Encode,
    spans: Spans,
    rng: np.random.Generator,
    progress: Progress,
) -> _Pairs:
    count = min(RANDOM_ITEMS, len(index) - 1)
    good, bad = np.zeros(len(queries), np.float32), np.full((len(queries), count), np.nan, np.float32)
    mean, deviation = np.zeros(len(queries), np.float32), np.ones(len(queries), np.float32)
    words = _WordsOf(titles, spans)
    with progress("fit match threshold", len(queries)) as advance:
        for row, query in enumerate(queries):
            vector = encode(query.text)
            others = 1 + rng.choice(len(index) - 1, count, replace=False)
            cosines = index.cosines(vector, np.append(query.item, others))
            good[row] = cosines[0]
            belongs = [item == query.item or words.among(query.words, item) for item in others.tolist()]
            bad[row] = np.where(belongs, np.nan, cosines[1:])
            mean[row], deviation[row] = index.background(vector)
            advance(1)
    lengths = np.minimum([query.length for query in queries], LONGEST).astype(np.int64)
    return _Pairs(lengths, mean, deviation, good, bad)


class _WordsOf:
    """The words of titles, found once each."""

    def __init__(self, titles: Sequence[str], spans: Spans) -> None:
        self._titles, self._spans = titles, spans
        self._known: dict[int, frozenset[str]] = {}

    def among(self, words: frozenset[str], item: int) -> bool:
        """Whether the item has all of them. Most titles lack their characters, which is cheap to see."""
        folded = self._titles[item].casefold()
        return all(word in folded for word in words) and words <= self._of(item)

    def _of(self, item: int) -> frozenset[str]:
        known = self._known.get(item)
        if known is None:
            title = self._titles[item]
            known = frozenset(title[start:end].casefold() for start, end in self._spans(title))
            self._known[item] = known
        return known


def _limits(pairs: _Pairs, form: Form, rate: float) -> tuple[float, ...]:
    """The limit of each number of words; of one with few queries that of all."""
    _, bad = pairs.in_form(form)
    limits = []
    for length in range(1, LONGEST + 1):
        own = pairs.words == length
        rows = own if own.sum() >= _FEWEST else np.ones(len(own), bool)
        known = bad[rows][~np.isnan(bad[rows])]
        limits.append(float(np.quantile(known, 1 - rate)) if len(known) else 1.0)
    return tuple(limits)


def _kept_share(pairs: _Pairs, form: Form, limits: Sequence[float]) -> float:
    good, _ = pairs.in_form(form)
    return float((good >= np.array(limits)[pairs.words - 1]).mean())


def _reached(pairs: _Pairs, form: Form, limits: Sequence[float]) -> tuple[Reached, ...]:
    good, bad = pairs.in_form(form)
    found = []
    for length in np.unique(pairs.words).tolist():
        own, limit = pairs.words == length, limits[length - 1]
        known = bad[own][~np.isnan(bad[own])]
        false = _rounded((known >= limit).mean()) if len(known) else 0.0
        found.append(Reached(length, int(own.sum()), _rounded((good[own] >= limit).mean()), false))
    return tuple(found)


def _parting_limit(values: FloatArray, relevant: BoolArray) -> float:
    """The value at which the share of relevant ones at or above, minus that of others, is the largest."""
    order = np.argsort(-values, kind="stable")
    good, bad = relevant[order] / relevant.sum(), ~relevant[order] / (~relevant).sum()
    return float(values[order][np.argmax(np.cumsum(good) - np.cumsum(bad))])


def _rounded(share: float) -> float:
    return round(float(share), 5)
