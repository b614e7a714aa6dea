"""What a ranker of search is told of a query and an item: numbers without a language or a shop in them.

All words count by how rare they are in the catalog, all scores by the best of the query or by the query's
background, so that what was learned on one shop says something on another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recsys.analysis.analyzer import Analyzer
from recsys.analysis.scanning import is_han
from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recsys.retrieval.term_rows import Occurrences, TermRows

MOST_TERMS = 32  # of a query; a longer one is looked at up to there
_EPSILON = 1e-6
_DEPTHS = (10, 100)  # places of the two lists whose scores say how good an item's are

QUERY_FEATURES = (
    "query_terms",
    "query_characters",
    "query_rarity_mean",
    "query_rarity_max",
    "query_unknown_share",
    "query_digit_share",
    "query_han_share",
    "query_best_lexical",
    "query_best_cosine",
    "query_cosine_mean",
    "query_cosine_deviation",
    "query_cosine_10",
    "query_cosine_100",
    "query_lexical_10",
    "query_lexical_100",
)
WORD_FEATURES = (
    "rarity_coverage",
    "count_coverage",
    "known_coverage",
    "rarest_missing",
    "first_matched",
    "last_matched",
    "last_alike",
    "alike_mean",
    "alike_least",
    "alike_rarity_mean",
    "neighbours_kept",
    "is_phrase",
    "title_coverage",
    "title_rarity_coverage",
    "first_place",
    "last_place",
    "last_term_place",
    "title_length",
    "title_extra",
    "digits_matched",
    "title_digits",
)
SCORE_FEATURES = (
    "lexical_of_best",
    "lexical_of_possible",
    "lexical_over_100",
    "cosine",
    "cosine_standard",
    "cosine_below_best",
    "cosine_over_10",
    "cosine_over_100",
    "feedback",
    "feedback_below_best",
)
# Of what only some shops know; NaN where it is not known.
FIELD_FEATURES = ("category_coverage", "brand_coverage", "attribute_coverage", "identifier_match")
ITEM_FEATURES = ("popularity", "price_of_median", "age_days", "personal")
FEATURES = QUERY_FEATURES + WORD_FEATURES + SCORE_FEATURES + FIELD_FEATURES + ITEM_FEATURES


@dataclass(frozen=True)
class QueryTerms:
    """A query as terms of a catalog; make it once a query.

    Attributes:
        terms: at most MOST_TERMS, each once, in order. numbers: (A,) in the catalog, -1 = no text has it.
        rarity: (A,). digits, main: (A,) bool; main are the words in their order, the others say a part of
            them or several together. alike: (A, V) likeness to each term of the catalog.
        characters: of the query.
    """

    terms: tuple[str, ...]
    numbers: IntArray
    rarity: FloatArray
    digits: BoolArray
    main: BoolArray
    alike: FloatArray
    characters: int

    @classmethod
    def of(cls, text: str, titles: TermRows, analyzer: Analyzer) -> "QueryTerms":
        """The terms of the query as it is searched for: corrected, without excluded words."""
        first, more = analyzer.term_stream(text)
        main = [term for place, term in enumerate(first) if not _ends_run(first, place)]
        others = [term for term, _ in more if not (is_han(term) and len(term) == 1)]
        terms = tuple(dict.fromkeys([*main, *others]))[:MOST_TERMS]
        numbers = np.array([titles.numbers.get(term, -1) for term in terms], np.int64)
        return cls(
            terms,
            numbers,
            titles.rarity(numbers.tolist()),
            np.array([any(each.isdigit() for each in term) for term in terms], bool),
            np.isin(terms, main),
            titles.alike(terms),
            len(text.strip()),
        )


def _ends_run(first: Sequence[str], place: int) -> bool:
    """Whether a term is the last character of a run of Han characters, which is in a pair already."""
    term = first[place]
    return (
        is_han(term)
        and len(term) == 1
        and place > 0
        and len(first[place - 1]) == 2
        and is_han(first[place - 1])
    )


@dataclass(frozen=True)
class FoundScores:
    """What both indexes say of K items and of the query.

    Attributes:
        lexical: (K,) scores, 0 = no word. best_lexical: the largest of the query, of any item.
            lexical_at: the scores at the places of both _DEPTHS in its list, 0 where it is shorter.
        cosine: (K,). best_cosine, cosine_at: the same. background: see `TextIndex.background`.
        feedback: (K,) mean cosine with the texts of the first items; best_feedback: the largest of these.
    """

    lexical: FloatArray
    best_lexical: float
    lexical_at: tuple[float, float]
    cosine: FloatArray
    best_cosine: float
    cosine_at: tuple[float, float]
    background: tuple[float, float]
    feedback: FloatArray
    best_feedback: float


@dataclass(frozen=True)
class KnownOfItems:
    """What else is known of K items; None where nothing is.

    Attributes:
        fields: name of FIELD_FEATURES but for the identifier -> terms of that field, by item index.
        identifier: (K,) whether one of the item's identifiers is asked for.
        popularity: (K,) from 0 to 1. price: (K,) logarithm of the price over the median one. age_days: (K,)
            logarithm of 1 + days. personal: (K,) the user's score of the item, in deviations.
    """

    fields: Mapping[str, TermRows] = field(default_factory=dict)
    identifier: BoolArray | None = None
    popularity: FloatArray | None = None
    price: FloatArray | None = None
    age_days: FloatArray | None = None
    personal: FloatArray | None = None


def places_of(scores: FloatArray) -> tuple[float, float]:
    """The scores at both depths of a list that is sorted, best first; 0 beyond its end.

    >>> places_of(np.arange(20, 0, -1, dtype=np.float32))
    (11.0, 0.0)
    """
    first, second = (float(scores[depth - 1]) if len(scores) >= depth else 0.0 for depth in _DEPTHS)
    return first, second


def relevance_features(
    query: QueryTerms,
    index: IntArray,
    titles: TermRows,
    found: FoundScores,
    known: KnownOfItems | None = None,
) -> FloatArray:
    """(K, F) float32 in the order of FEATURES of the items `index` (K,); NaN where something is not known."""
    known = known or KnownOfItems()
    possible = float(query.rarity[query.main].sum()) + _EPSILON
    columns = (
        _query_columns(query, found, possible)
        | _word_columns(query, titles.of(index), titles)
        | _score_columns(found, possible)
        | _known_columns(query, index, known)
    )
    features = np.full((len(index), len(FEATURES)), np.nan, np.float32)
    for place, name in enumerate(FEATURES):
        if name in columns:
            features[:, place] = columns[name]
    return features


def _query_columns(query: QueryTerms, found: FoundScores, possible: float) -> dict[str, float]:
    rarity = query.rarity[query.main]
    some = bool(len(rarity))
    mean, deviation = found.background
    return {
        "query_terms": len(rarity),
        "query_characters": min(query.characters, 200),
        "query_rarity_mean": float(rarity.mean()) if some else 0.0,
        "query_rarity_max": float(rarity.max()) if some else 0.0,
        "query_unknown_share": float((query.numbers[query.main] < 0).mean()) if some else 0.0,
        "query_digit_share": float(query.digits[query.main].mean()) if some else 0.0,
        "query_han_share": float(np.mean([is_han(term) for term in query.terms])) if some else 0.0,
        "query_best_lexical": found.best_lexical / possible,
        "query_best_cosine": (found.best_cosine - mean) / deviation,
        "query_cosine_mean": mean,
        "query_cosine_deviation": deviation,
        "query_cosine_10": (found.cosine_at[0] - mean) / deviation,
        "query_cosine_100": (found.cosine_at[1] - mean) / deviation,
        "query_lexical_10": found.lexical_at[0] / (found.best_lexical + _EPSILON),
        "query_lexical_100": found.lexical_at[1] / (found.best_lexical + _EPSILON),
    }


def _score_columns(found: FoundScores, possible: float) -> dict[str, FloatArray]:
    mean, deviation = found.background
    return {
        "lexical_of_best": found.lexical / (found.best_lexical + _EPSILON),
        "lexical_of_possible": found.lexical / possible,
        "lexical_over_100": found.lexical / (found.lexical_at[1] + _EPSILON)
        if found.lexical_at[1]
        else np.full(len(found.lexical), np.nan, np.float32),
        "cosine": found.cosine,
        "cosine_standard": (found.cosine - mean) / deviation,
        "cosine_below_best": (found.cosine - found.best_cosine) / deviation,
        "cosine_over_10": (found.cosine - found.cosine_at[0]) / deviation,
        "cosine_over_100": (found.cosine - found.cosine_at[1]) / deviation,
        "feedback": found.feedback,
        "feedback_below_best": found.feedback - found.best_feedback,
    }


def _known_columns(query: QueryTerms, index: IntArray, known: KnownOfItems) -> dict[str, FloatArray]:
    columns = {
        name: _coverage(query, rows, index) for name, rows in known.fields.items() if name in FIELD_FEATURES
    }
    given = {
        "identifier_match": known.identifier,
        "popularity": known.popularity,
        "price_of_median": known.price,
        "age_days": known.age_days,
        "personal": known.personal,
    }
    return columns | {name: values.astype(np.float32) for name, values in given.items() if values is not None}


def _coverage(query: QueryTerms, rows: TermRows, index: IntArray) -> FloatArray:
    """(K,) the share of the query's rarity whose terms a field has; NaN where it is empty."""
    numbers = np.array([rows.numbers.get(term, -1) for term in query.terms], np.int64)
    found = rows.of(index)
    matched = _first_places(found, numbers, len(rows.numbers)) >= 0
    share = matched @ query.rarity / (query.rarity.sum() + _EPSILON)
    covered: FloatArray = np.where(found.lengths > 0, share, np.nan).astype(np.float32)
    return covered


def _first_places(found: Occurrences, numbers: IntArray, terms: int) -> IntArray:
    """(K, A) the first position of each of the terms `numbers` in each item; -1 where it is not there."""
    places = np.full((len(found.lengths), len(numbers)), -1, np.int64)
    column = np.full(terms + 1, -1, np.int64)
    column[numbers[numbers >= 0]] = np.flatnonzero(numbers >= 0)
    hit = np.flatnonzero(column[found.term] >= 0)[::-1]  # the first of several is written last
    order = hit[np.argsort(-found.position[hit], kind="stable")]
    places[found.row[order], column[found.term[order]]] = found.position[order]
    return places


def _word_columns(query: QueryTerms, found: Occurrences, titles: TermRows) -> dict[str, FloatArray]:
    count, terms = len(found.lengths), len(query.terms)
    if not terms:
        return {}
    places = _first_places(found, query.numbers, len(titles.numbers))
    matched, rarity, main = places >= 0, query.rarity.astype(np.float64), query.main
    words, length = matched[:, main], np.maximum(found.lengths, 1)
    alike = np.zeros((count, terms))
    starts = np.flatnonzero(np.diff(found.row, prepend=-1))
    if len(starts):
        best = np.maximum.reduceat(query.alike[:, found.term], starts, axis=1)
        alike[found.row[starts]] = best.T
    known = rarity * (query.numbers >= 0)
    last = int(np.flatnonzero(main)[-1])
    among = np.where(matched, places, 10_000)
    furthest, nearest = np.where(matched, places, -1).max(1), among.min(1)
    some = matched.any(1)
    pairs = _neighbours_kept(places[:, main])
    digits = query.digits
    title_digits, title_rarity, matched_rarity = _title_sums(query, found, titles, count)
    columns: dict[str, DoubleArray] = {
        "rarity_coverage": matched @ rarity / (rarity.sum() + _EPSILON),
        "count_coverage": words.mean(1),
        "known_coverage": matched @ known / (known.sum() + _EPSILON),
        "rarest_missing": np.where(matched, 0, rarity).max(1) / (rarity.max() + _EPSILON),
        "first_matched": matched[:, 0].astype(np.float64),
        "last_matched": matched[:, last].astype(np.float64),
        "last_alike": alike[:, last],
        "alike_mean": alike[:, main].mean(1),
        "alike_least": alike[:, main].min(1),
        "alike_rarity_mean": alike @ rarity / (rarity.sum() + _EPSILON),
        "neighbours_kept": pairs,
        "is_phrase": ((pairs == 1) & words.all(1)).astype(np.float64),
        "title_coverage": words.sum(1) / length,
        "title_rarity_coverage": matched_rarity / (title_rarity + _EPSILON),
        "first_place": np.where(some, nearest / length, np.nan),
        "last_place": np.where(some, (length - 1 - furthest) / length, np.nan),
        "last_term_place": np.where(matched[:, last], (length - 1 - places[:, last]) / length, np.nan),
        "title_length": length.astype(np.float64),
        "title_extra": title_rarity - matched_rarity,
        "digits_matched": matched[:, digits].mean(1) if digits.any() else np.full(count, np.nan),
        "title_digits": title_digits,
    }
    return {name: values.astype(np.float32) for name, values in columns.items()}


def _neighbours_kept(places: IntArray) -> DoubleArray:
    """(K,) of the pairs of words that follow one another in the query, the share that do in the title."""
    if places.shape[1] < 2:
        return np.ones(len(places)) * (places[:, 0] >= 0)
    beside = (places[:, 1:] - places[:, :-1] == 1) & (places[:, 1:] >= 0) & (places[:, :-1] >= 0)
    kept: DoubleArray = beside.mean(1)
    return kept


def _title_sums(
    query: QueryTerms, found: Occurrences, titles: TermRows, count: int
) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Of each title: terms with digits, the rarity of all its terms, and that of those in the query."""
    rarity = titles.all_rarities[found.term]
    in_query = np.isin(found.term, query.numbers)
    digits = titles.with_digits[found.term]
    several = (digits.astype(np.float64), rarity, rarity * in_query)
    sums = np.stack([np.bincount(found.row, weights=each, minlength=count) for each in several])
    return sums[0], sums[1], sums[2]
