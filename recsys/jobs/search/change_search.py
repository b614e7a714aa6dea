"""Searches with rules or synonyms that are tried: answered by the bundle in production, as it would serve."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from recsys.catalog import AttributeValue
from recsys.config import Settings
from recsys.errors import ArtifactNotFoundError
from recsys.jobs.recommend.answers import ask_storefront
from recsys.jobs.search.rule_preview import fired_by_query
from recsys.rules.preview import Answered, Ask
from recsys.rules.rule_set import RuleSet
from recsys.rules.synonym_rows import SynonymRows
from recsys.search.requests import MAX_ITEMS, SearchRequest
from recsys.search.searcher import Searcher
from recsys.search.shop_words import FixedWords, ShopWords, stored_synonyms

log = logging.getLogger(__name__)
OpenSearcher = Callable[[], Searcher | None]


@dataclass(frozen=True)
class TriedSet:
    """A RuleSource of rules that are tried, with the attributes of the shop's users."""

    current: RuleSet
    attributes: Callable[[str], Mapping[str, AttributeValue]]

    def attributes_of(self, user_id: str) -> Mapping[str, AttributeValue]:
        """The shop's attributes of a user."""
        return self.attributes(user_id)


def searcher_in_production(settings: Settings) -> OpenSearcher:
    """Opens the searcher of the bundle in production when it is first needed, and once.

    None, and a warning that says why, where no bundle is in production or it has no search indexes.
    """

    @cache
    def opened() -> Searcher | None:
        try:
            return ask_storefront(settings, None, lambda shop: shop.searcher())
        except ArtifactNotFoundError as error:
            log.warning("no search is asked: %s", error)
            return None

    return opened


def searched_with_rules(opened: OpenSearcher, now: datetime) -> Ask[RuleSet]:
    """What a query is answered with rules in force; without a searcher which rules fire."""

    def ask(query: str, rules: RuleSet) -> Answered:
        searcher = opened()
        if searcher is None:
            return fired_by_query(now)(query, rules)
        tried = TriedSet(rules, searcher.rules.attributes_of)
        return _answered(replace(searcher, rules=tried), query, now)

    return ask


def searched_with_synonyms(opened: OpenSearcher, now: datetime) -> Ask[tuple[SynonymRows, ...]]:
    """What a query is answered with these sets of synonyms; no items without a searcher."""
    known: dict[int, tuple[Sequence[SynonymRows], FixedWords]] = {}

    def words_of(sets: tuple[SynonymRows, ...]) -> FixedWords:
        if id(sets) not in known:  # kept with the sets, whose id is theirs as long as they live
            known[id(sets)] = (sets, FixedWords(ShopWords(stored_synonyms(sets))))
        return known[id(sets)][1]

    def ask(query: str, sets: tuple[SynonymRows, ...]) -> Answered:
        searcher = opened()
        if searcher is None:
            return Answered(None)
        return _answered(replace(searcher, words=words_of(sets)), query, now)

    return ask


def _answered(searcher: Searcher, query: str, now: datetime) -> Answered:
    """The first page of a visitor's search; it is kept for no later one."""
    searcher = replace(searcher, pager=replace(searcher.pager, pages=None))
    answer = searcher.search(SearchRequest("preview", query, k=MAX_ITEMS), now)
    return Answered(tuple(item.item_id for item in answer.items), answer.total, answer.rules)
