"""The shop's rules in a search: which fire for it, and the places of what they pin."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from recsys.arrays import IntArray
from recsys.funnel.catalog import Catalog
from recsys.funnel.merchandising import AppliedRules, RuleSource, allowed_pins, apply_rules
from recsys.funnel.online_features import Profile
from recsys.funnel.user_facts import UserFacts
from recsys.rules.applying import place_pins
from recsys.rules.effects import FiredRule
from recsys.rules.rule_set import Situation
from recsys.search.course import Course
from recsys.search.products import Products
from recsys.search.requests import RELEVANCE, SearchRequest
from recsys.search.understanding.understand import UnderstoodQuery


@dataclass(frozen=True)
class Pinned:
    """An order with pinned items in their places.

    Attributes:
        order: item indexes, one a product. items: those that are pinned.
        fired: every rule that fired, with what became of it.
    """

    order: IntArray
    items: frozenset[int]
    fired: tuple[FiredRule, ...]


def rules_for(
    request: SearchRequest,
    understood: UnderstoodQuery,
    profile: Profile,
    source: RuleSource,
    catalog: Catalog,
    now: datetime,
) -> AppliedRules:
    """What the rules that are in force do to one search."""
    user_id = request.user_id
    facts = UserFacts(profile.rows, now, lambda: {} if user_id is None else source.attributes_of(user_id))
    situation = Situation(
        surface="search",
        now=now,
        query=understood.original,
        rewritten=understood.text,
        categories=(*request.filters.categories, *request.filters.category_paths),
        facts=facts,
    )
    return apply_rules(source.current, catalog, situation, np.ones(len(catalog), bool))[0]


def pin_products(course: Course, order: IntArray, products: Products) -> Pinned:
    """`order` with the pinned items that may be shown in their places; only where relevance orders."""
    rules = course.rules
    fired = list(rules.items.fired)
    if not rules.items.pins or course.request.sort != RELEVANCE:
        return Pinned(order, frozenset(), tuple(fired))
    pins = allowed_pins(rules, course.allowed, fired)
    lead = products.lead
    others = order[~np.isin(lead[order], lead[[pin.index for pin in pins]])]
    placed, positions = place_pins(others, pins, len(others) + len(pins))
    for pin in pins:
        if positions[pin.fired] != pin.position:
            fired[pin.fired] = fired[pin.fired].ended("moved", f"to position {positions[pin.fired]}")
    return Pinned(placed, frozenset(pin.index for pin in pins), tuple(fired))
