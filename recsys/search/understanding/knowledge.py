"""What a shop knows of words: learned from its catalog and log, kept in a file, grown by new items."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

import numpy as np

from recsys.analysis.analyzer import Analyzer
from recsys.errors import ArtifactMismatchError
from recsys.search.understanding.catalog_words import (
    FIELDS_KEPT,
    catalog_lexicon,
    correctable_words,
    near_words_of,
    words_of,
)
from recsys.search.understanding.category_evidence import CategoryEvidence, category_evidence
from recsys.search.understanding.clicked_queries import (
    clicked_queries,
    clicked_queries_from_arrays,
    clicked_query_arrays,
)
from recsys.search.understanding.lexicon import lexicon_arrays, lexicon_from_arrays
from recsys.search.understanding.named_values import NamedValue, catalog_values, named_values
from recsys.search.understanding.near_words import NearWords
from recsys.search.understanding.spelling import Speller
from recsys.search.understanding.synonyms import SynonymSet
from recsys.search.understanding.text_arrays import NamedArrays, packed_texts, unpacked_texts
from recsys.search.understanding.understand import QueryKnowledge

_LEAST_LETTERS = 3  # of a word of the language
_PARTS = ("lexicon", "near", "clicked", "names", "categories", "language")


@dataclass(frozen=True)
class CatalogTexts:
    """(N) of each item: its title, category, brand ("" = none), and attributes by name."""

    titles: Sequence[str]
    categories: Sequence[str]
    brands: Sequence[str]
    attributes: Iterable[Mapping[str, object]] = ()

    def fields(self) -> list[tuple[str, str, str]]:
        """(N) title, category and brand of each item in the order of titles: those of one title in a row."""
        return sorted(zip(self.titles, self.categories, self.brands, strict=True))


@dataclass(frozen=True)
class QueryClicks:
    """A query of the log, where it led, and how often; only of answers that did not correct it.

    Clicks behind a correction would say that the typing error is right.
    """

    query: str
    category: str  # of the items clicked; "" where they have none
    clicks: int


@dataclass(frozen=True)
class ShopWords:
    """What is learned from beside the catalog.

    Attributes:
        clicks: of the query log.
        language: words that are right though the catalog lacks them, see `language_words`.
        currency: the shop's code.
    """

    clicks: Sequence[QueryClicks] = ()
    language: frozenset[str] = field(default_factory=frozenset)
    currency: str | None = None


def language_words(tokens: Iterable[str]) -> frozenset[str]:
    """The whole words in a tokenizer's vocabulary, of WordPiece or SentencePiece.

    >>> sorted(language_words(["lease", "##ing", "[CLS]", "of", "7th"]))
    ['lease']
    >>> sorted(language_words(["▁lease", "ing", "▁of"]))
    ['lease']
    """
    texts = list(tokens)
    marked = any(text.startswith("▁") for text in texts)
    whole = (text[1:] for text in texts if text.startswith("▁")) if marked else iter(texts)
    return frozenset(
        text.lower() for text in whole if len(text) >= _LEAST_LETTERS and text.isalpha() and text.isascii()
    )


def learned_knowledge(catalog: CatalogTexts, shop: ShopWords | None = None) -> QueryKnowledge:
    """What a catalog and a log say of words, without synonyms; `replace(..., synonyms=...)` sets them."""
    shop = shop or ShopWords()
    analyzer = Analyzer()
    items = catalog.fields()
    lexicon = catalog_lexicon(items, analyzer)
    near = near_words_of(correctable_words(lexicon))
    counts: dict[str, int] = {}
    for row in shop.clicks:
        counts[row.query] = counts.get(row.query, 0) + row.clicks
    terms = lru_cache(maxsize=FIELDS_KEPT)(partial(_terms, analyzer))
    values = catalog_values(catalog.categories, catalog.brands, catalog.attributes)
    return QueryKnowledge(
        speller=Speller(lexicon, near, shop.language),
        clicked=clicked_queries(counts.items()),
        names=named_values(values, analyzer),
        categories=category_evidence(
            ((terms(title), category) for title, category, _ in items),
            ((row.query, terms(row.query), row.category, row.clicks) for row in shop.clicks),
        ),
        currency=shop.currency,
        analyzer=analyzer,
    )


def _terms(analyzer: Analyzer, text: str) -> list[str]:
    return [term for word in analyzer.query_words(text) for term in word.terms]


def with_new_texts(knowledge: QueryKnowledge, texts: Iterable[str]) -> QueryKnowledge:
    """This and the words of new or changed items' titles, categories and brands."""
    before = knowledge.lexicon
    lexicon = before.with_texts(words_of(knowledge.analyzer, text) for text in texts if text)
    new = correctable_words(lexicon, since=len(before.words))
    near = near_words_of(new, knowledge.speller.near) if new else knowledge.speller.near
    speller = Speller(lexicon, near, knowledge.speller.language_words, knowledge.speller.weights)
    return replace(knowledge, speller=speller)


def knowledge_arrays(knowledge: QueryKnowledge) -> NamedArrays:
    """What was learned as named arrays, for a file without code in it; without synonyms."""
    names = knowledge.names.values
    near = knowledge.speller.near
    parts: dict[str, NamedArrays] = {
        "lexicon": lexicon_arrays(knowledge.lexicon),
        "near": {"keys": near.keys, "owners": near.owners, "letters": near.letters},
        "clicked": clicked_query_arrays(knowledge.clicked),
        "names": {
            "fields": packed_texts([value.field for value in names]),
            "values": packed_texts([value.value for value in names]),
            "items": np.array([value.items for value in names], np.int64),
        },
        "categories": {
            **_weight_arrays("queries", knowledge.categories.of_queries),
            **_weight_arrays("terms", knowledge.categories.of_terms),
        },
        "language": {
            "words": packed_texts(sorted(knowledge.speller.language_words)),
            "currency": packed_texts([knowledge.currency or ""]),
        },
    }
    return {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}


def knowledge_from_arrays(arrays: NamedArrays, synonyms: SynonymSet | None = None) -> QueryKnowledge:
    """What `knowledge_arrays` wrote, with these synonyms; ArtifactMismatchError where an array is missing."""
    parts = {
        part: {
            name.removeprefix(f"{part}."): each
            for name, each in arrays.items()
            if name.startswith(f"{part}.")
        }
        for part in _PARTS
    }
    try:
        return _knowledge(parts, synonyms or SynonymSet())
    except KeyError as error:
        raise ArtifactMismatchError(
            f"what was learned of words has no {error.args[0]!r}; train the bundle again"
        ) from None


def _knowledge(parts: Mapping[str, NamedArrays], synonyms: SynonymSet) -> QueryKnowledge:
    analyzer = Analyzer()
    near, names, language = parts["near"], parts["names"], parts["language"]
    values = zip(
        unpacked_texts(names["fields"]), unpacked_texts(names["values"]), names["items"].tolist(), strict=True
    )
    return QueryKnowledge(
        speller=Speller(
            lexicon_from_arrays(parts["lexicon"]),
            NearWords(near["keys"], near["owners"], near["letters"]),
            frozenset(unpacked_texts(language["words"])),
        ),
        clicked=clicked_queries_from_arrays(parts["clicked"]),
        synonyms=synonyms,
        names=named_values((NamedValue(*value) for value in values), analyzer),
        categories=CategoryEvidence(
            _weights("queries", parts["categories"]), _weights("terms", parts["categories"])
        ),
        currency=unpacked_texts(language["currency"])[0] or None,
        analyzer=analyzer,
    )


def _weight_arrays(name: str, weights: Mapping[str, Mapping[str, float]]) -> NamedArrays:
    rows = [(key, category, weight) for key, row in weights.items() for category, weight in row.items()]
    categories = sorted({category for _, category, _ in rows})
    place = {category: index for index, category in enumerate(categories)}
    return {
        f"{name}": packed_texts(list(weights)),
        f"{name}_lengths": np.array([len(row) for row in weights.values()], np.int64),
        f"{name}_categories": packed_texts(categories),
        f"{name}_places": np.array([place[category] for _, category, _ in rows], np.int64),
        f"{name}_weights": np.array([weight for _, _, weight in rows], np.float64),
    }


def _weights(name: str, arrays: NamedArrays) -> dict[str, dict[str, float]]:
    categories = unpacked_texts(arrays[f"{name}_categories"])
    places, values = arrays[f"{name}_places"].tolist(), arrays[f"{name}_weights"].tolist()
    found: dict[str, dict[str, float]] = {}
    start = 0
    for key, length in zip(unpacked_texts(arrays[name]), arrays[f"{name}_lengths"].tolist(), strict=True):
        rows = range(start, start + length)
        found[key] = {categories[places[row]]: values[row] for row in rows}
        start += length
    return found
