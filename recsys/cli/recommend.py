"""`recsys recommend | similar | explain`: what the service would answer, and why, without the service."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli.filter_options import (
    Attribute,
    Brand,
    Category,
    CategoryPath,
    FiltersJson,
    NotCategory,
    PriceMax,
    PriceMin,
    Unavailable,
    filters_of,
)
from recsys.cli.options import AsJson, Seen, keep_seen
from recsys.cli.output import note, print_facts, print_json, print_rows
from recsys.config import load_settings
from recsys.documents import JsonObject
from recsys.funnel.requests import LANGUAGES, MAX_ITEMS, RecommendRequest, SimilarRequest
from recsys.instants import utc_now

if TYPE_CHECKING:
    from recsys.funnel.item_explanation import ItemExplanation
    from recsys.funnel.slate import Slate

_SHOWN_PARTS = 12  # of a score, the largest contributions

Count = Annotated[int, typer.Option("-k", min=1, max=MAX_ITEMS, help="How many items.")]
User = Annotated[str | None, typer.Argument(help="A user's id; without it a visitor without an account.")]
ContextItem = Annotated[str | None, typer.Option(help="The item that the user looks at.")]
ContextCategory = Annotated[str | None, typer.Option(help="The category that the user looks at.")]
Exclude = Annotated[list[str] | None, typer.Option(help="An item never to show; may be repeated.")]
Diversity = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="0 = by score alone, 1 = as different as possible. Default: serving's."),
]
WithoutRules = Annotated[
    bool, typer.Option("--without-rules", help="As if the shop had no rules, to compare.")
]
Language = Annotated[str, typer.Option(help="Of the reasons, en or zh.")]
Bundle = Annotated[str | None, typer.Option("--bundle", help="Which bundle. Default: the one in production.")]


def recommend(
    user: User = None,
    count: Count = 10,
    context_item: ContextItem = None,
    context_category: ContextCategory = None,
    category: Category = None,
    category_path: CategoryPath = None,
    not_category: NotCategory = None,
    brand: Brand = None,
    price_min: PriceMin = None,
    price_max: PriceMax = None,
    attribute: Attribute = None,
    include_unavailable: Unavailable = False,
    filters: FiltersJson = None,
    exclude: Exclude = None,
    seen: Seen = None,
    diversity: Diversity = None,
    language: Language = "en",
    without_rules: WithoutRules = False,
    bundle: Bundle = None,
    as_json: AsJson = False,
) -> None:
    """Recommend items to a user, as POST /v1/recommend does; the service need not run.

    --json prints that route's answer. It is not logged as served, so that nothing is learned from it. A user
    of whom nothing is known gets what suits the context and what is popular. Rules of the shop that fire
    are named below the table.

    \b
    Example:
      recsys recommend 900 -k 5
      recsys recommend 900 --category "SOFT DRINKS" --price-max 5 --seen remove
      recsys recommend 900 --category-path GROCERY --not-category "SOFT DRINKS" --attribute brand!=Private
      recsys recommend 900 --filters '{"any": [{"brands": ["National"]}, {"price_max_micros": 2000000}]}'
      recsys recommend --context-item 1029743 --json
    """
    wanted = filters_of(
        filters,
        categories=category,
        category_paths=category_path,
        not_categories=not_category,
        brands=brand,
        price_min=price_min,
        price_max=price_max,
        attributes=attribute,
        include_unavailable=include_unavailable,
    )
    request = RecommendRequest(
        secrets.token_hex(8),
        user,
        count,
        context_item,
        context_category,
        wanted,
        tuple(exclude or ()),
        keep_seen(seen),
        diversity,
        _language(language),
        rules=not without_rules,
    )
    from recsys.jobs.recommend.answers import recommend_items

    slate = recommend_items(load_settings(), request, utc_now(), bundle)
    _print_slate(slate, as_json, f"for {user or 'a visitor'}")


def similar(
    item: Annotated[str, typer.Argument(help="An item's id.")],
    count: Count = 10,
    category: Category = None,
    category_path: CategoryPath = None,
    not_category: NotCategory = None,
    brand: Brand = None,
    price_min: PriceMin = None,
    price_max: PriceMax = None,
    attribute: Attribute = None,
    include_unavailable: Unavailable = False,
    filters: FiltersJson = None,
    exclude: Exclude = None,
    language: Language = "en",
    bundle: Bundle = None,
    as_json: AsJson = False,
) -> None:
    """Show items that could stand in for one item, as POST /v1/similar does; the service need not run.

    \b
    Example:
      recsys similar 1029743 -k 5
      recsys similar 1029743 --brand National --json
    """
    wanted = filters_of(
        filters,
        categories=category,
        category_paths=category_path,
        not_categories=not_category,
        brands=brand,
        price_min=price_min,
        price_max=price_max,
        attributes=attribute,
        include_unavailable=include_unavailable,
    )
    excluded = tuple(exclude or ())
    request = SimilarRequest(secrets.token_hex(8), item, count, wanted, excluded, _language(language))
    from recsys.jobs.recommend.answers import similar_items

    slate = similar_items(load_settings(), request, utc_now(), bundle)
    _print_slate(slate, as_json, f"similar to {item}")


def explain(
    user: Annotated[str, typer.Argument(help="A user's id.")],
    item: Annotated[str, typer.Argument(help="An item's id, whether it is recommended or not.")],
    count: Count = 10,
    context_item: ContextItem = None,
    context_category: ContextCategory = None,
    category: Category = None,
    category_path: CategoryPath = None,
    not_category: NotCategory = None,
    brand: Brand = None,
    price_min: PriceMin = None,
    price_max: PriceMax = None,
    attribute: Attribute = None,
    include_unavailable: Unavailable = False,
    filters: FiltersJson = None,
    exclude: Exclude = None,
    seen: Seen = None,
    diversity: Diversity = None,
    bundle: Bundle = None,
    as_json: AsJson = False,
) -> None:
    """Tell why an item is recommended to a user, or which rule or stage keeps it off.

    Says which sources of candidates found it, its rank and score beside those of the last item shown, what
    each signal and feature adds to the score of an average candidate, and how old the features are. Give
    it the options that `recsys recommend` was asked with.

    \b
    Example:
      recsys explain 900 1029743
      recsys explain 900 1029743 --seen remove --json
    """
    wanted = filters_of(
        filters,
        categories=category,
        category_paths=category_path,
        not_categories=not_category,
        brands=brand,
        price_min=price_min,
        price_max=price_max,
        attributes=attribute,
        include_unavailable=include_unavailable,
    )
    request = RecommendRequest(
        secrets.token_hex(8),
        user,
        count,
        context_item,
        context_category,
        wanted,
        tuple(exclude or ()),
        keep_seen(seen),
        diversity,
    )
    from recsys.jobs.recommend.answers import explain_item

    found = explain_item(load_settings(), request, item, utc_now(), bundle)
    if as_json:
        print_json(asdict(found))
    else:
        _print_explanation(found)


def register(app: typer.Typer) -> None:
    """Adds `recommend`, `similar` and `explain` to the root command."""
    for command in (recommend, similar, explain):
        app.command()(command)


def _language(language: str) -> str:
    if language not in LANGUAGES:
        raise typer.BadParameter(
            f"{language!r} is not a valid language. Use {' or '.join(LANGUAGES)}.", param_hint="--language"
        )
    return language


def _print_slate(slate: "Slate", as_json: bool, title: str) -> None:
    if as_json:
        print_json(asdict(slate))
        return
    rows = [
        {
            "position": item.position,
            "item": item.item_id,
            "title": item.title,
            "category": item.category,
            "price": _price(item.price_micros),
            "score": item.score,
            "p_click": item.p_click,
            "reason": item.reason.text,
        }
        for item in slate.items
    ]
    print_rows(rows, as_json=False, title=title)
    for fired in slate.rules:
        note(f"rule {fired.rule_id} ({fired.name}): {fired.action} {fired.detail}, {fired.outcome}")
    if slate.redirect is not None:
        note(f"a rule sends the user to {slate.redirect} instead")
    for each in slate.notes:
        note(f"for the page: {each}")
    note(f"bundle {slate.bundle_id}, {slate.candidates} candidates")


def _print_explanation(found: "ItemExplanation") -> None:
    """The result, where the item stands, its scores taken apart, and its features."""
    print_facts(_standing(found), as_json=False, title=f"{found.title} ({found.item_id})")
    for stage in found.stages:
        rows = [asdict(part) for part in stage.parts if part.contribution][:_SHOWN_PARTS]
        title = f"{stage.model} {stage.score:.4f}, average {stage.average_score:.4f}"
        print_rows(rows, as_json=False, title=title)
    features = [
        {"of": row.of, "view": row.view, "age": age, "feature": name, "value": _shown(value)}
        for row in found.features
        for age in (_age(row.age_seconds) if row.age_seconds is not None else None,)
        for name, value in (row.values or {"(no row)": None}).items()
        if value or not row.values
    ]
    print_rows(features, as_json=False, title="features, those that are 0 or missing left out")
    note(f"bundle {found.slate.bundle_id}; --json tells all parts and features")


def _standing(found: "ItemExplanation") -> JsonObject:
    shown = f"shown at position {found.position}" if found.position else "not shown"
    facts: dict[str, Any] = {"result": shown}
    facts |= {f"because ({removal.code})": removal.text for removal in found.removals}
    facts |= {f"rule {each.rule_id}": f"{each.action} {each.detail}, {each.outcome}" for each in found.rules}
    facts |= {
        "rank": f"{found.rank} of {found.ranked}" if found.rank else f"none of {found.ranked}",
        "ordered by": found.order,
        "score": found.score,
        "score of the last shown": found.last_score,
        "p_click": found.p_click,
        "source": found.source or "none: it was no candidate",
    }
    sources: Mapping[str, Any] = {} if found.sources is None else asdict(found.sources)
    facts |= {name.replace("_", " "): value for name, value in sources.items() if name != "found_by"}
    if found.sources is not None:
        facts["found by"] = ", ".join(found.sources.found_by) or "no source"
    return facts


def _price(micros: int | None) -> str | None:
    return None if micros is None else f"{micros / 1_000_000:.2f}"


def _shown(value: object) -> object:
    return f"({len(value)} entries)" if isinstance(value, list) else value


def _age(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
