"""What search answers: a page of products, how many there are, facets, and how the answer came about.

What a field is stands in its metadata, which OpenAPI shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from recsys.documents import JsonObject
from recsys.funnel.slate import FeatureStatus
from recsys.rules.effects import FiredRule
from recsys.search.facets import Facet
from recsys.search.highlight import FieldMatch
from recsys.search.understanding.parts import Rewrite

# What may be wrong with an answer that is an answer all the same; see docs/search.md for the ladder.
MEANING_UNAVAILABLE = "meaning_unavailable"  # the query's vector: words alone answer
WORDS_UNAVAILABLE = "words_unavailable"  # the index of words: meaning alone answers
SEARCH_UNAVAILABLE = "search_unavailable"  # both: what is popular among what passes the filters
NOT_PERSONALISED = "not_personalised"  # the user's features could not be read
PAGES_NOT_STORED = "pages_not_stored"  # later pages go on behind the last item, in the order as it is then
SEARCH_DEGRADATIONS = (
    MEANING_UNAVAILABLE,
    WORDS_UNAVAILABLE,
    SEARCH_UNAVAILABLE,
    NOT_PERSONALISED,
    PAGES_NOT_STORED,
)

# Why an item was found.
BY_WORDS, BY_MEANING, BY_BOTH, BY_FILTERS, BY_POPULARITY = "words", "meaning", "both", "filters", "popularity"
FOUND_BY = (BY_WORDS, BY_MEANING, BY_BOTH, BY_FILTERS, BY_POPULARITY)


@dataclass(frozen=True)
class SearchItem:
    """One product on the page, by its best variant."""

    position: int = field(metadata={"description": "from 1, over all pages"})
    item_id: str = field(metadata={"description": "id of the variant that is shown"})
    product_id: str | None = field(metadata={"description": "the product; null where the item is its own"})
    title: str = field(metadata={"description": "what is shown; the id where the item has no title"})
    matches: tuple[FieldMatch, ...] = field(
        metadata={"description": "fields that have words of the query, and where; empty where none has"}
    )
    category: str | None = field(metadata={"description": "null where the catalog has none"})
    brand: str | None = field(metadata={"description": "null where the catalog has none"})
    price_micros: int | None = field(
        metadata={"description": "as of now, in millionths of the currency unit; null where it is not known"}
    )
    available: bool = field(metadata={"description": "whether it can be bought now; sold out items stay"})
    found_by: str = field(metadata={"description": "words, meaning, both, the filters or popularity"})
    score: float = field(metadata={"description": "comparable within one answer; the sum of `parts`"})
    parts: Mapping[str, float] = field(metadata={"description": "what each thing adds to the score"})
    pinned: bool = field(metadata={"description": "whether a rule put it here"})


@dataclass(frozen=True)
class SearchAnswer:
    """The answer to one search."""

    request_id: str = field(metadata={"description": "what an impression or a click of this page carries"})
    query_id: str = field(metadata={"description": "request id of the first page, on all its pages"})
    user_id: str | None = field(metadata={"description": "who asked; null for a visitor"})
    bundle_id: str = field(metadata={"description": "the bundle that it was made with"})
    at: datetime = field(metadata={"description": "when it was made, UTC"})
    query: str = field(metadata={"description": "as it came"})
    rewritten: str = field(metadata={"description": "what was searched for"})
    rewrites: tuple[Rewrite, ...] = field(metadata={"description": "what changed the query, in order"})
    total: int = field(metadata={"description": "products that match; exact"})
    items: tuple[SearchItem, ...] = field(metadata={"description": "in the order in which they are shown"})
    relaxed: tuple[SearchItem, ...] = field(
        metadata={"description": "where a first page is not full: items with any word, outside of `total`"}
    )
    facets: tuple[Facet, ...] = field(metadata={"description": "those that were asked for, in that order"})
    sort: str = field(metadata={"description": "the order of the items"})
    cursor: str | None = field(metadata={"description": "of the next page; null on the last"})
    words_wanted: int | None = field(
        metadata={"description": "words of the query that an item should match; null without words"}
    )
    words_matched: int | None = field(
        metadata={"description": "words that the items do match at least; 0 = meaning alone"}
    )
    redirect: str | None = field(metadata={"description": "where a rule sends this search"})
    notes: tuple[str | JsonObject, ...] = field(metadata={"description": "what rules hand to the page"})
    rules: tuple[FiredRule, ...] = field(metadata={"description": "the rules that this answer was made by"})
    rules_version: int = field(metadata={"description": "of the whole rule set; 0 = none"})
    features: FeatureStatus = field(metadata={"description": "how fresh the features were"})
    personalised: bool = field(metadata={"description": "whether the user's taste moved the order"})
    degraded: tuple[str, ...] = field(
        metadata={"description": "what was not as it should be; empty on a good day"}
    )
