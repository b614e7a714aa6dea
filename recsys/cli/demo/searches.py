"""The searches of `recsys demo` as tables for people."""

from collections.abc import Callable
from itertools import zip_longest
from typing import TYPE_CHECKING

from recsys.cli.output import print_rows
from recsys.documents import JsonObject

if TYPE_CHECKING:
    from recsys.jobs.demo.searches import AnsweredSearch, DemoSearches, NextSearch, TwoTastes

Say = Callable[[str], None]
_MICROS = 1_000_000


def print_searches(found: "DemoSearches", say: Say) -> None:
    """All of them; `say` prints a line."""
    for search in found.searches:
        print_search(search, say)
    _print_tastes(found.tastes)
    say(_click_line(found.after_click))
    _print_suggestions(found.suggestions)


def print_search(search: "AnsweredSearch", say: Say) -> None:
    """What one search found, with what was changed in the query, and the facets that were asked for."""
    answer = search.answer
    say("")
    for change in answer["rewrites"]:
        say(f"  {change['name']}: {change['before']} -> {change['after']}")
    rows = [
        {
            "position": item["position"],
            "title": _titled(item),
            "price": _money(item["price_micros"]),
            "found by": item["found_by"],
            "score": round(float(item["score"]), 3),
        }
        for item in search.items
    ]
    found = f"{answer['total']:,} found in {search.milliseconds:.0f} ms"
    title = f"search {answer['query']!r}{_filter_text(search.body)}: {found}"
    if rows:
        print_rows(rows, as_json=False, title=title)
    else:  # a table without rows has no title
        say(title)
    for facet in answer["facets"]:
        say(f"  {facet['name']}: {_facet_text(facet)}")
    if answer["degraded"]:
        say(f"  degraded: {', '.join(answer['degraded'])}")


def _print_tastes(tastes: "TwoTastes") -> None:
    first, second = tastes.first, tastes.second
    names = [f"household {page.body['user_id']}" for page in (first, second)]
    rows: list[JsonObject] = [
        {"position": place, names[0]: _titled(one) if one else "", names[1]: _titled(other) if other else ""}
        for place, (one, other) in enumerate(zip_longest(first.items, second.items), start=1)
    ]
    shared = f"{tastes.shared} of {len(first.items)} items are on both pages"
    print_rows(rows, as_json=False, title=f"search {first.body['query']!r} by two households: {shared}")


def _click_line(search: "NextSearch") -> str:
    after = "no longer on the page" if search.after is None else f"position {search.after}"
    item = f"{search.title} ({search.item_id})"
    lines = [
        f"\nHousehold {search.user_id} searches {search.query!r}, clicks on {item} at {search.before}.",
        f"The next search, {search.milliseconds:.0f} ms after the click: {after}; of the first ten, "
        f"{search.like_before} had that title before and {search.like_after} after.",
    ]
    if not search.seen:
        lines.append("The click was not visible in time: `recsys stream status` tells how far the stream is.")
    elif not search.moved_up:
        lines.append("Neither the item nor its like moved up.")
    return "\n".join(lines)


def _print_suggestions(answer: JsonObject) -> None:
    rows = [
        *({"kind": "query", "text": each["query"], "items": ""} for each in answer["queries"]),
        *(
            {"kind": "category", "text": each["category"], "items": each["items"]}
            for each in answer["categories"]
        ),
        *({"kind": "item", "text": _titled(each), "items": ""} for each in answer["items"]),
    ]
    print_rows(rows, as_json=False, title=f"suggested for {answer['typed']!r}")


def _titled(item: JsonObject) -> str:
    return f"{item['title']} ({item['item_id']})"


def _money(micros: int | None) -> str:
    return "" if micros is None else f"{micros / _MICROS:.2f}"


def _filter_text(body: JsonObject) -> str:
    most = body.get("filters", {}).get("price_max_micros")
    return "" if most is None else f", price at most {_money(most)}"


def _facet_text(facet: JsonObject) -> str:
    values = [f"{each['value']} {each['count']:,}" for each in facet["values"]]
    ranges = [f"{_range_text(each)} {each['count']:,}" for each in facet["ranges"]]
    return ", ".join([*values, *ranges])


def _range_text(bounds: JsonObject) -> str:
    if bounds["least"] is None:
        return f"below {bounds['below'] / _MICROS:.2f}:"
    if bounds["below"] is None:
        return f"from {bounds['least'] / _MICROS:.2f}:"
    return f"{bounds['least'] / _MICROS:.2f} to {bounds['below'] / _MICROS:.2f}:"
