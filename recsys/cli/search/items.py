"""`recsys search QUERY`: what the service would answer, without the service."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

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
from recsys.cli.options import AsJson
from recsys.cli.output import note, print_facts, print_json, print_rows
from recsys.config import load_settings
from recsys.documents import JsonObject
from recsys.instants import utc_now
from recsys.search.requests import MAX_ITEMS, RELEVANCE, SORTS, FacetRequest, SearchRequest

if TYPE_CHECKING:
    from recsys.search.answer import SearchAnswer, SearchItem
    from recsys.search.understanding.parts import Rewrite

Query = Annotated[
    str, typer.Argument(help='What is searched for; "a phrase" and -word are strict; empty: everything.')
]
User = Annotated[str | None, typer.Option(help="A user's id, whose taste moves the order.")]
Count = Annotated[int, typer.Option("-k", min=1, max=MAX_ITEMS, help="How many products.")]
Facets = Annotated[
    list[str] | None,
    typer.Option(
        "--facet", help="Count the values of category, brand, category_path, price, attributes.NAME."
    ),
]
Sort = Annotated[str, typer.Option(help=f"One of {', '.join(SORTS)}.")]
CursorText = Annotated[str | None, typer.Option("--cursor", help="Of the page before.")]
Dial = Annotated[
    float | None,
    typer.Option("--personal", min=0, max=1, help="0 = by the query alone. Default: the service's."),
]
Without = Annotated[
    list[str] | None, typer.Option(help="A rewriter not to use, such as spelling; may be repeated.")
]
Bundle = Annotated[str | None, typer.Option("--bundle", help="Which bundle. Default: the one in production.")]


def items(
    query: Query,
    user: User = None,
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
    facet: Facets = None,
    sort: Sort = RELEVANCE,
    cursor: CursorText = None,
    personal: Dial = None,
    without: Without = None,
    bundle: Bundle = None,
    as_json: AsJson = False,
) -> None:
    """Search as POST /v1/search does; the service need not run. `items` may be left out before the query.

    Shows what was corrected, which rules fired, and the parts of each item's score. --json prints the route's
    answer. It is not logged as served, so that nothing is learned from it.

    \b
    Example:
      recsys search "frozen chiken dinner" --user 900
      recsys search "pasta" --facet brand --price-max 5 --sort price
      recsys search items "rules" --json
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
    request = SearchRequest(
        request_id=secrets.token_hex(8),
        query=query,
        user_id=user,
        filters=wanted,
        facets=tuple(FacetRequest(name) for name in facet or ()),
        sort=sort,
        k=count,
        cursor=cursor,
        personalisation=personal,
        without=frozenset(without or ()),
    )
    from recsys.jobs.search.answers import search_items

    answer = search_items(load_settings(), request, utc_now(), bundle)
    if as_json:
        print_json(asdict(answer))
    else:
        _print_answer(answer)


def _print_answer(answer: "SearchAnswer") -> None:
    print_facts(_facts(answer), as_json=False)
    print_rows(_rows(answer.items), as_json=False, title=f"{answer.total} products")
    if answer.relaxed:
        print_rows(_rows(answer.relaxed), as_json=False, title="with some of the words")
    for facet in answer.facets:
        values = [{"value": each.value, "products": each.count} for each in facet.values]
        ranges = [{"from": each.least, "below": each.below, "products": each.count} for each in facet.ranges]
        print_rows(values or ranges, as_json=False, title=facet.name)
    if answer.cursor:
        note(f"next page: --cursor {answer.cursor}")
    note(f"bundle {answer.bundle_id}")


def _facts(answer: "SearchAnswer") -> JsonObject:
    facts: dict[str, object] = {"searched for": answer.rewritten}
    facts |= {f"{each.name} ({place})": f"{each.before} -> {each.after}" for place, each in _numbered(answer)}
    if answer.words_wanted is not None:
        facts["words that match"] = f"{answer.words_matched} of {answer.words_wanted}"
    facts |= {f"rule {each.name}": f"{each.action}, {each.outcome}: {each.detail}" for each in answer.rules}
    if answer.redirect:
        facts["redirect"] = answer.redirect
    if answer.degraded:
        facts["degraded"] = ", ".join(answer.degraded)
    return facts


def _numbered(answer: "SearchAnswer") -> Sequence[tuple[int, "Rewrite"]]:
    return list(enumerate(answer.rewrites, start=1))


def _rows(items: Sequence["SearchItem"]) -> list[JsonObject]:
    return [
        {
            "position": item.position,
            "item": item.item_id,
            "title": item.title,
            "category": item.category,
            "price": None if item.price_micros is None else f"{item.price_micros / 1_000_000:.2f}",
            "found by": item.found_by,
            "score": item.score,
            "parts": ", ".join(f"{name} {value:.3f}" for name, value in item.parts.items()),
        }
        for item in items
    ]
