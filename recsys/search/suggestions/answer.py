"""What is asked of suggestions and what they answer."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from recsys.dataset.item_table import ItemTable
from recsys.funnel.catalog import Catalog
from recsys.funnel.online_features import FeatureSource, asked_queries, read_user_if_there
from recsys.search.answer import NOT_PERSONALISED
from recsys.search.matching import WordIndex
from recsys.search.suggestions.hidden import HiddenWords
from recsys.search.suggestions.index import SuggestIndex, Suggestions
from recsys.search.understanding.understand import SPELLING_REWRITERS, QueryKnowledge, understand


@dataclass(frozen=True)
class SuggestRequest:
    """What somebody has typed so far.

    Attributes:
        count: of each kind, at most.
    """

    request_id: str
    typed: str
    user_id: str | None = None
    count: int = 8


@dataclass(frozen=True)
class SuggestedQuery:
    """A query to search for."""

    query: str = field(metadata={"description": "what to search for; it finds something"})
    origin: str = field(metadata={"description": "`yours`: this user asked for it before; or `popular`"})


@dataclass(frozen=True)
class SuggestedCategory:
    """A category to go to."""

    category: str = field(metadata={"description": "its name"})
    items: int = field(metadata={"description": "how many items it has"})


@dataclass(frozen=True)
class SuggestedItem:
    """An item that may be meant."""

    item_id: str = field(metadata={"description": "id of the item"})
    title: str = field(metadata={"description": "what is shown"})
    category: str | None = field(metadata={"description": "null where the catalog has none"})


@dataclass(frozen=True)
class SuggestAnswer:
    """The best first in each list."""

    request_id: str = field(metadata={"description": "the request's id; no event carries it"})
    typed: str = field(metadata={"description": "as it came"})
    bundle_id: str = field(metadata={"description": "the bundle that it was made with"})
    queries: tuple[SuggestedQuery, ...] = field(metadata={"description": "what to type on"})
    categories: tuple[SuggestedCategory, ...] = field(metadata={"description": "where to go"})
    items: tuple[SuggestedItem, ...] = field(metadata={"description": "items that may be meant"})
    degraded: tuple[str, ...] = field(
        default=(), metadata={"description": "what is not as it should be; empty when all is well"}
    )

    @classmethod
    def of(
        cls, request: SuggestRequest, found: Suggestions, items: ItemTable, bundle_id: str
    ) -> "SuggestAnswer":
        """The answer that names what was found."""
        return cls(
            request_id=request.request_id,
            typed=request.typed,
            bundle_id=bundle_id,
            queries=tuple(SuggestedQuery(each.text, each.origin) for each in found.queries),
            categories=tuple(SuggestedCategory(each.category, each.items) for each in found.categories),
            items=tuple(
                SuggestedItem(
                    items.vocabulary.ids[each.item_index],
                    each.title,
                    items.categories[each.item_index] or None,
                )
                for each in found.items
            ),
        )


def suggest(
    index: SuggestIndex,
    request: SuggestRequest,
    features: FeatureSource,
    finds: Callable[[str], bool],
    hidden: HiddenWords,
    catalog: Catalog,
    bundle_id: str,
) -> SuggestAnswer:
    """What `index` suggests for what was typed: queries that find something, own ones first, items in stock.

    Args:
        features: where the user's own queries come from; the answer says where they could not be read.

    Raises:
        RequestError: `count` is too large.
    """
    user, away = read_user_if_there(features, request.user_id)
    found = index.suggest(
        request.typed,
        [each.text for each in asked_queries(user)],
        request.count,
        has_results=finds,
        hidden=hidden,
        shown_items=catalog.items.available,
    )
    answer = SuggestAnswer.of(request, found, catalog.items, bundle_id)
    return replace(answer, degraded=(NOT_PERSONALISED,)) if away else answer


def finds_something(knowledge: QueryKnowledge, words: WordIndex | None, catalog: Catalog, query: str) -> bool:
    """Whether the words of `query`, as they are, find an item that is in stock."""
    if words is None:
        return True
    asked = understand(query, knowledge, SPELLING_REWRITERS).lexical
    return bool(catalog.items.available[words.matching(asked, asked.least)].any())


def finds_words(knowledge: QueryKnowledge, words: WordIndex, query: str) -> bool:
    """Whether the words of `query`, as they are, find any item."""
    asked = understand(query, knowledge, SPELLING_REWRITERS).lexical
    return len(words.matching(asked, asked.least)) > 0
