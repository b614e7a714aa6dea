"""What a query asks of fields beside words: a price is a filter, a brand, category or colour counts more."""

from collections.abc import Sequence
from dataclasses import dataclass

from recsys.analysis.folding import FoldedText
from recsys.filters import Filters
from recsys.search.understanding.category_evidence import CategoryEvidence
from recsys.search.understanding.named_values import CATEGORY, NamedValues
from recsys.search.understanding.parts import INTENT, QueryPart, Rewrite
from recsys.search.understanding.price import PriceRange, price_range

NAMED = 1.0  # weight of a value that the query names


@dataclass(frozen=True)
class FieldBoost:
    """Items with this value are rather meant; others are found too.

    Attributes:
        field: `category`, `brand` or `attributes.NAME`.
        weight: 1 where the query names the value, less where clicks or words speak for it.
        words: of the query that name it; "" where none does.
    """

    field: str
    value: str
    weight: float
    words: str = ""


@dataclass(frozen=True)
class Intent:
    """Conditions that hold, and boosts."""

    filters: Filters = Filters()
    boosts: tuple[FieldBoost, ...] = ()


@dataclass(frozen=True)
class PriceWords:
    """A price that was asked for, and the place of its words in the query."""

    prices: PriceRange
    start: int
    end: int


def price_words(
    query: str, folded: FoldedText, parts: Sequence[QueryPart], currency: str | None
) -> PriceWords | None:
    """The price that unquoted words of the query ask for."""
    prices = price_range(folded.text, currency)
    if prices is None:
        return None
    start, end = folded.span(prices.start, prices.end)
    if any(not part.rewritable and part.start < end and part.end > start for part in parts):
        return None
    return PriceWords(prices, start, min(end, len(query)))


def intent_of(
    key: str,
    parts: Sequence[QueryPart],
    price: PriceWords | None,
    names: NamedValues,
    evidence: CategoryEvidence,
) -> Intent:
    """The intent of a query without its price words.

    Names and categories boost and never filter: `apple` is a brand, a fruit and a scent, and a filter that is
    wrong hides what was asked for, while a wrong boost moves it down.
    """
    named = [
        FieldBoost(value.field, value.value, NAMED, words)
        for words, value in names.found_in([part for part in parts if not part.excluded])
    ]
    there = {boost.value for boost in named if boost.field == CATEGORY}
    terms = [term for part in parts if not part.excluded for term in part.terms]
    likely = [
        FieldBoost(CATEGORY, each.category, round(each.share, 4))
        for each in evidence.likely(key, terms)
        if each.category not in there
    ]
    filters = Filters()
    if price is not None:
        filters = Filters(
            price_min_micros=price.prices.least_micros, price_max_micros=price.prices.most_micros
        )
    return Intent(filters, (*named, *likely))


def intent_rewrites(query: str, intent: Intent, price: PriceWords | None) -> list[Rewrite]:
    """What was read as a price or a name."""
    rewrites = []
    if price is not None:
        rewrites.append(Rewrite(INTENT, query[price.start : price.end], _price_text(price.prices)))
    rewrites.extend(
        Rewrite(INTENT, boost.words, f"{boost.field}: {boost.value}")
        for boost in intent.boosts
        if boost.words
    )
    return rewrites


def _price_text(prices: PriceRange) -> str:
    least, most = (
        "" if micros is None else f"{micros / 1e6:g}" for micros in (prices.least_micros, prices.most_micros)
    )
    return f"price: {least or '0'} to {most}" if most else f"price: {least} or more"
