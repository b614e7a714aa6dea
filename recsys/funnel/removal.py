"""What keeps an item off a slate: the shop's rules, a request's own, and what is known of it now."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recsys import columns
from recsys.filters import Filters, NoneOf
from recsys.funnel.candidates import CandidateContext
from recsys.funnel.catalog import Catalog, passes_now, prices_now
from recsys.funnel.merchandising import AppliedRules
from recsys.funnel.online_features import FeatureRows, Profile
from recsys.funnel.requests import RecommendRequest
from recsys.instants import from_micros
from recsys.rules.applying import hidden_by, weighed_by
from recsys.rules.effects import FiredRule

CONTEXT_ITEM, HAD_BEFORE, EXCLUDED = "context_item", "had_before", "excluded"
FILTER_CATEGORY, FILTER_BRAND = "filter_category", "filter_brand"
FILTER_PRICE, FILTER_ATTRIBUTE = "filter_price", "filter_attribute"
FILTER_CATEGORY_PATH, FILTER_FIRST_AT = "filter_category_path", "filter_first_at"
FILTER_ITEM, FILTER_PRODUCT, FILTER_ANY, FILTER_NOT = (
    "filter_item",
    "filter_product",
    "filter_any",
    "filter_not",
)
HIDDEN_BY_RULE, FILTERED_BY_RULE = "hidden_by_rule", "filtered_by_rule"
UNAVAILABLE = "unavailable"
NOT_FOUND, BEYOND_CANDIDATES = "not_found", "beyond_candidates"
BELOW_LAST_SHOWN, TOO_SIMILAR = "below_last_shown", "too_similar"


@dataclass(frozen=True)
class Removal:
    """One thing that keeps an item off a slate: a stable code, and a sentence."""

    code: str
    text: str


def removals_by_rules(rules: AppliedRules | None, index: int) -> Iterator[Removal]:
    """Every rule of the shop that alone keeps item `index` off."""
    for fired in () if rules is None else hidden_by(rules.effects, rules.lookup, index):
        named = f"rule {fired.rule_id!r} ({fired.name}), version {fired.version}"
        if fired.action == "hide":
            yield Removal(HIDDEN_BY_RULE, f"hidden by {named}")
        else:
            yield Removal(FILTERED_BY_RULE, f"{named} shows {fired.detail}")


def rules_about(rules: AppliedRules | None, fired: tuple[FiredRule, ...], index: int) -> Iterator[FiredRule]:
    """Those of `fired` that hide, filter, move or pin item `index`, with what became of them."""
    if rules is None:
        return
    about = {*hidden_by(rules.effects, rules.lookup, index), *weighed_by(rules.effects, rules.lookup, index)}
    pinned = {pin.fired for pin in rules.items.pins if pin.index == index}
    for place, (before, after) in enumerate(zip(rules.effects.fired, fired, strict=True)):
        if before in about or place in pinned:
            yield after


def removals_by_request(
    catalog: Catalog, request: RecommendRequest, context: CandidateContext, profile: Profile, index: int
) -> Iterator[Removal]:
    """Everything in `request` that alone keeps item `index` off; the same that `allowed_items` applies."""
    if index == context.context_item:
        yield Removal(CONTEXT_ITEM, "it is the item that is looked at")
    if not context.repeats and index in profile.items:
        yield Removal(HAD_BEFORE, "the user had it before, and what a user had is removed")
    if catalog.ids[index] in request.exclude:
        yield Removal(EXCLUDED, "the request excludes it")
    for code, only, what in _single_filters(catalog, request.filters, index):
        if not catalog.passing(only)[index]:
            yield Removal(code, f"a filter: {what}")


def _single_filters(catalog: Catalog, wanted: Filters, index: int) -> Iterator[tuple[str, Filters, str]]:
    """Each condition of `wanted` alone: its code, and what is said of item `index` where it is not met."""
    items, own = catalog.items, catalog.ids[index]
    yield (
        FILTER_CATEGORY,
        Filters(categories=wanted.categories),
        f"its category is {items.categories[index]!r}",
    )
    yield FILTER_BRAND, Filters(brands=wanted.brands), f"its brand is {items.brands[index]!r}"
    yield (
        FILTER_CATEGORY_PATH,
        Filters(category_paths=wanted.category_paths),
        f"its category path is {items.category_paths[index]!r}",
    )
    yield (
        FILTER_PRICE,
        Filters(price_min_micros=wanted.price_min_micros, price_max_micros=wanted.price_max_micros),
        f"its price is {shown_price(int(items.price_micros[index]))}",
    )
    yield (
        FILTER_FIRST_AT,
        Filters(first_at_min=wanted.first_at_min, first_at_max=wanted.first_at_max),
        f"it entered the shop {_shown_instant(int(items.first_at[index]))}",
    )
    yield FILTER_ITEM, Filters(item_ids=wanted.item_ids), "it is not one of those asked for"
    product = items.products[index] or own
    yield FILTER_PRODUCT, Filters(product_ids=wanted.product_ids), f"its product is {product!r}"
    for name, value in wanted.attributes.items():
        shown = f"its attributes have no {name} {value!r}"
        if isinstance(value, NoneOf):
            shown = f"its attributes have a {name} that is not wanted"
        yield FILTER_ATTRIBUTE, Filters(attributes={name: value}), shown
    yield FILTER_ANY, Filters(any_of=wanted.any_of), "it meets none of the filters under `any`"
    yield FILTER_NOT, Filters(none_of=wanted.none_of), "it meets one of the filters under `not`"


def removals_now(
    catalog: Catalog, filters: Filters, index: int, row: FeatureRows | None
) -> Iterator[Removal]:
    """What is known of item `index` as of now and keeps it off; the same that `passes_now` applies."""
    at = np.array([index])
    if not passes_now(catalog, at, Filters(include_unavailable=filters.include_unavailable), row)[0]:
        online = row is not None and not row.missing[columns.ITEM_CONTENT][0]
        said_by = "the online store" if online else "the bundle's catalog"
        yield Removal(UNAVAILABLE, f"it cannot be bought now, as {said_by} says")
    priced = Filters(
        price_min_micros=filters.price_min_micros,
        price_max_micros=filters.price_max_micros,
        include_unavailable=True,
    )
    if not passes_now(catalog, at, priced, row)[0]:
        price = int(prices_now(catalog, at, row)[0])
        yield Removal(FILTER_PRICE, f"a filter: its price is {shown_price(price)} now")


def _shown_instant(micros: int) -> str:
    return f"at {from_micros(micros).isoformat()}" if micros else "at an instant that is not known"


def shown_price(micros: int) -> str:
    """A price in units of the currency.

    >>> shown_price(2_500_000), shown_price(0)
    ('2.50', 'unknown')
    """
    return f"{micros / 1_000_000:.2f}" if micros > 0 else "unknown"
