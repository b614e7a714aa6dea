"""Asks before and after a change: recommendations as the service makes them, and rules by themselves."""

from collections.abc import Callable, Mapping
from datetime import datetime

from recsys.catalog import AttributeValue
from recsys.config import Settings
from recsys.errors import ArtifactNotFoundError
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest
from recsys.jobs.recommend.loading import NO_BUNDLE, BundleLoader, set_threads
from recsys.rules.preview import Answered, Ask
from recsys.rules.rule_set import RuleSet, Situation
from recsys.stores.registry.registry import Registry
from recsys.stores.rules.user_attributes import UserAttributes


class TriedRules:
    """A RuleSource whose rules are changed between one request and the next; for one thread.

    Attributes:
        current: the rules that the next request gets.
    """

    def __init__(self, attributes_of: Callable[[str], Mapping[str, AttributeValue]]) -> None:
        self.current = RuleSet()
        self._attributes_of = attributes_of

    def attributes_of(self, user_id: str) -> Mapping[str, AttributeValue]:
        """The shop's attributes of a user."""
        return self._attributes_of(user_id)


def fired_by_query(now: datetime) -> Ask[RuleSet]:
    """Which rules of search fire for a query, where no index can be asked; the query is not rewritten."""

    def ask(query: str, rules: RuleSet) -> Answered:
        return Answered(None, 0, rules.effects(Situation("search", now, query)).fired)

    return ask


def recommended_to(recommender: Recommender, rules: TriedRules, count: int, now: datetime) -> Ask[RuleSet]:
    """What a user is recommended; `rules` is the recommender's own source."""

    def ask(user_id: str, tried: RuleSet) -> Answered:
        rules.current = tried
        slate = recommender.recommend(RecommendRequest("preview", user_id, count), now)
        return Answered(tuple(item.item_id for item in slate.items), slate.candidates, slate.rules)

    return ask


def open_recommended_to(settings: Settings, count: int, now: datetime) -> Ask[RuleSet]:
    """`recommended_to` of the bundle in production.

    Raises:
        ArtifactNotFoundError: there is none.
    """
    set_threads(settings.serving.threads)
    with Registry.open(settings) as registry:
        record = registry.production()
    if record is None:
        raise ArtifactNotFoundError(NO_BUNDLE)
    attributes = UserAttributes(settings.paths)
    attributes.refresh()
    source = TriedRules(attributes.of)
    return recommended_to(BundleLoader(settings, rules=source).recommender(record), source, count, now)
