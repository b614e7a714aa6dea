"""The shop's rules in the funnel: which fire for a request, what they remove, move and pin."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import numpy as np

from recsys.arrays import BoolArray, IntArray
from recsys.catalog import AttributeValue
from recsys.filters import Filters
from recsys.funnel.catalog import Catalog
from recsys.funnel.online_features import FeatureRows
from recsys.funnel.ranking import Ranked, concatenate_ranked
from recsys.funnel.requests import RecommendRequest, SimilarRequest
from recsys.funnel.slate import Slate
from recsys.funnel.user_facts import UserFacts
from recsys.rules.applying import ItemEffects, ItemLookup, WantedPin, place_pins
from recsys.rules.effects import Effects, FiredRule
from recsys.rules.rule_set import RuleSet, Situation

NO_CATALOG_ITEM = "the catalog has no such item"
IS_HIDDEN = "a rule hides the item"
NOT_PASSING = "a rule's filter removes it"
NOT_ALLOWED = "the request's filters or exclusions remove it"
NOT_IN_STOCK = "it cannot be bought now, or costs what the filters exclude"
BEYOND_SLATE = "the slate ends before its position"


class RuleSource(Protocol):
    """The rules that are in force, and what the shop knows of its users."""

    @property
    def current(self) -> RuleSet:
        """The rules now: one immutable set, replaced as a whole."""
        ...

    def attributes_of(self, user_id: str) -> Mapping[str, AttributeValue]:
        """The shop's attributes of a user; none where they are not known. Never raises."""
        ...


class FixedRules:
    """A RuleSource that never changes.

    Attributes:
        current: the rules.
    """

    def __init__(
        self,
        current: RuleSet | None = None,
        attributes: Mapping[str, Mapping[str, AttributeValue]] | None = None,
    ) -> None:
        self.current = RuleSet() if current is None else current
        self._attributes = attributes or {}

    def attributes_of(self, user_id: str) -> Mapping[str, AttributeValue]:
        """As they were given."""
        return self._attributes.get(user_id, {})


@dataclass(frozen=True)
class AppliedRules:
    """What rules do to one request: in words and by item index.

    Attributes:
        lookup: how they found items.
    """

    effects: Effects
    items: ItemEffects
    lookup: ItemLookup

    def reorder(self, order: Ranked) -> Ranked:
        """`order`, best first, with boosts and buries."""
        return order if self.items.factors is None else order.take(self.items.order(order.candidates.index))

    def mark(self, slate: Slate, fired: tuple[FiredRule, ...]) -> Slate:
        """`slate` with what the rules say beside its items."""
        effects = self.effects
        return replace(
            slate,
            rules=fired,
            rules_version=effects.version,
            redirect=effects.redirect,
            notes=effects.notes,
        )


def apply_rules(
    rules: RuleSet, catalog: Catalog, situation: Situation, allowed: BoolArray
) -> tuple[AppliedRules, BoolArray]:
    """What the rules that fire in `situation` do, and what of `allowed` (N + 1,) they leave."""
    lookup = ItemLookup(len(catalog), catalog.items.vocabulary.indexes, catalog.passing)
    effects = rules.effects(situation)
    applied = AppliedRules(effects, ItemEffects.of(effects, lookup), lookup)
    return applied, applied.items.without_removed(allowed)


def situation_of(
    request: RecommendRequest,
    catalog: Catalog,
    context_item: int,
    user: FeatureRows | None,
    source: RuleSource,
    now: datetime,
) -> Situation:
    """The situation of a recommendation; `context_item` is an index, 0 = none."""
    user_id = request.user_id

    def attributes() -> Mapping[str, AttributeValue]:
        return {} if user_id is None else source.attributes_of(user_id)

    place = () if request.context_category is None else (request.context_category,)
    return Situation(
        surface="recommend",
        now=now,
        categories=(*place, *request.filters.categories, *request.filters.category_paths),
        context_item=request.context_item_id,
        context_categories=(*place, *_category_of(catalog, context_item)),
        facts=UserFacts(user, now, attributes),
    )


def similar_situation(request: SimilarRequest, catalog: Catalog, item: int, now: datetime) -> Situation:
    """The situation of a request for items like the one at index `item`."""
    return Situation(
        surface="similar",
        now=now,
        categories=(*request.filters.categories, *request.filters.category_paths),
        context_item=request.item_id,
        context_categories=_category_of(catalog, item),
    )


def tightened(filters: Filters, effects: Effects) -> Filters:
    """`filters` with the prices that rules require too, so that prices of now are held against both."""
    least, most = filters.price_min_micros, filters.price_max_micros
    for each in effects.filters:
        lower, upper = each.filters.price_min_micros, each.filters.price_max_micros
        least = lower if least is None else max(least, lower or 0)
        most = upper if most is None else min(most, most if upper is None else upper)
    return replace(filters, price_min_micros=least, price_max_micros=most)


def pin_items(
    rules: AppliedRules,
    chosen: Ranked,
    order: Ranked,
    allowed: BoolArray,
    count: int,
    score_items: Callable[[IntArray], Ranked],
) -> tuple[Ranked, tuple[FiredRule, ...]]:
    """`chosen` with the pinned items in their places, and what became of every rule.

    Args:
        order: all that may be shown. allowed: (N + 1,) what request and rules allow.
        count: the slate's length.
        score_items: scores items that are no candidates; leaves out what may not be shown now.
    """
    fired = list(rules.items.fired)
    if not rules.items.pins:
        return chosen, tuple(fired)
    pins = allowed_pins(rules, allowed, fired)
    pool = _with_pinned(order, pins, score_items)
    places = {index: place for place, index in enumerate(pool.candidates.index.tolist())}
    for pin in pins:
        if pin.index not in places:
            fired[pin.fired] = fired[pin.fired].ended("left_out", NOT_IN_STOCK)
    shown = [pin for pin in pins if pin.index in places]
    index, positions = place_pins(chosen.candidates.index, shown, count)
    for pin in shown:
        position = positions.get(pin.fired)
        if position is None:
            fired[pin.fired] = fired[pin.fired].ended("left_out", BEYOND_SLATE)
        elif position != pin.position:
            fired[pin.fired] = fired[pin.fired].ended("moved", f"to position {position}")
    return pool.take(np.array([places[each] for each in index.tolist()], np.int64)), tuple(fired)


def allowed_pins(rules: AppliedRules, allowed: BoolArray, fired: list[FiredRule]) -> list[WantedPin]:
    """The pins of items that may be shown; what became of the others is written into `fired`.

    Args:
        allowed: (N + 1,) what request and rules allow.
    """
    items, found = rules.items, []
    for pin in items.pins:
        why = ""
        if not pin.index:
            why = NO_CATALOG_ITEM
        elif items.hidden is not None and items.hidden[pin.index]:
            why = IS_HIDDEN
        elif items.required is not None and not items.required[pin.index]:
            why = NOT_PASSING
        elif not allowed[pin.index]:
            why = NOT_ALLOWED
        if why:
            fired[pin.fired] = fired[pin.fired].ended("left_out", why)
        else:
            found.append(pin)
    return found


def _with_pinned(
    order: Ranked, pins: Sequence[WantedPin], score_items: Callable[[IntArray], Ranked]
) -> Ranked:
    known = set(order.candidates.index.tolist())
    missing = [pin.index for pin in pins if pin.index not in known]
    if not missing:
        return order
    return concatenate_ranked([order, score_items(np.array(missing, np.int64))])


def _category_of(catalog: Catalog, item: int) -> tuple[str, ...]:
    category = catalog.items.categories[item] if item else ""
    return (category,) if category else ()
