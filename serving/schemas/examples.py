"""Examples of bodies and answers for OpenAPI. Users, items and categories are those of the demo shop."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from recsys.documents import JsonObject

Examples: TypeAlias = dict[str, dict[str, Any]]  # name -> {"value": ...}, as FastAPI takes them

USER, BANANAS, MILK, BREAD = "900", "1082185", "1029743", "951590"
FRUIT = "TROPICAL FRUIT"
_ID, _BUNDLE = "4f1d6a0c9b2e8735", "complete-journey-20261127-060000-1a2b"


def _named(**values: Any) -> Examples:
    """`values` as OpenAPI's examples; underscores of their names stand for blanks."""
    return {name.replace("_", " "): {"value": value} for name, value in values.items()}


def _item(position: int, item: tuple[str, str, str, int], source: str, reason: JsonObject) -> JsonObject:
    item_id, title, category, price_micros = item
    return {
        "position": position,
        "item_id": item_id,
        "title": title,
        "category": category,
        "price_micros": price_micros,
        "score": round(2.5 / position, 3),
        "p_click": round(0.4 / position, 3),
        "source": source,
        "reason": reason,
    }


_BANANAS = (BANANAS, "Bananas 40 LB", FRUIT, 980_000)
_MILK = (MILK, "Fluid Milk White Only 1 GA", "FLUID MILK PRODUCTS", 2_790_000)
_BREAD = (BREAD, "Mainstream White Bread 20 OZ", "BAKED BREAD/BUNS/ROLLS", 1_500_000)
_BOUGHT = {
    "code": "bought_before",
    "text": "bought before, last on 2026-11-20",
    "parameters": {"date": "2026-11-20"},
}
_TOGETHER = {
    "code": "together",
    "text": "often goes with Bananas 40 LB",
    "parameters": {"title": "Bananas 40 LB", "item_id": BANANAS},
}


def _slate(user_id: str | None, *items: JsonObject, fired: Sequence[JsonObject] = ()) -> JsonObject:
    view = {"oldest_at": "2026-11-26T21:04:00+00:00", "newest_at": "2026-11-27T06:29:58+00:00"}
    return {
        "request_id": _ID,
        "user_id": user_id,
        "bundle_id": _BUNDLE,
        "at": "2026-11-27T06:30:00.250000+00:00",
        "items": list(items),
        "candidates": 500,
        "features": {
            "service": "ranking_v1",
            "freshness_seconds": 33_960.25,
            "views": {"item_engagement": {**view, "rows": 498, "missing": 2}},
        },
        "cold_start": False,
        "degraded": [],
        "rules": list(fired),
        "rules_version": 12,
        "redirect": None,
        "notes": [],
    }


_PIN = {
    "rule_id": "milk-second",
    "name": "Milk of the week",
    "version": 3,
    "action": "pin",
    "detail": f"item '{MILK}' at position 2",
    "outcome": "applied",
}
SLATE = _slate(
    USER, _item(1, _BANANAS, "repeat", _BOUGHT), _item(2, _MILK, "together", _TOGETHER), fired=[_PIN]
)
SIMILAR_SLATE = _slate(None, _item(1, _BREAD, "context", _TOGETHER))
SEARCH_ANSWER = {
    "request_id": _ID,
    "query_id": _ID,
    "user_id": USER,
    "bundle_id": _BUNDLE,
    "at": "2026-11-27T06:30:00.250000+00:00",
    "query": "wite bread",
    "rewritten": "white bread",
    "rewrites": [{"name": "spelling", "before": "wite", "after": "white"}],
    "total": 1,
    "items": [
        {
            "position": 1,
            "item_id": BREAD,
            "product_id": None,
            "title": "Mainstream White Bread 20 OZ",
            "matches": [{"field": "title", "words": ["wite", "bread"], "spans": [[11, 16], [17, 22]]}],
            "category": "BAKED BREAD/BUNS/ROLLS",
            "brand": "National",
            "price_micros": 1_500_000,
            "available": True,
            "found_by": "both",
            "score": 0.9,
            "parts": {"words": 0.5, "meaning": 0.4},
            "pinned": False,
        }
    ],
    "relaxed": [],
    "facets": [
        {
            "name": "brand",
            "values": [{"value": "National", "count": 1, "selected": False}],
            "distinct": 1,
            "ranges": [],
            "least": None,
            "most": None,
        }
    ],
    "sort": "relevance",
    "cursor": None,
    "words_wanted": 2,
    "words_matched": 2,
    "redirect": None,
    "notes": [],
    "rules": [],
    "rules_version": 0,
    "features": {"service": "ranking_v1", "freshness_seconds": 33_960.25, "views": {}},
    "personalised": False,
    "degraded": [],
}
ROWS = [
    {**SLATE, "request_id": f"{_ID}-0"},
    {
        "error": {
            "code": "invalid_request",
            "message": "'user' is not a field of the body (got '900')",
            "remedy": "Did you mean 'user_id'?",
            "request_id": f"{_ID}-1",
        }
    },
]

RECOMMEND = _named(
    ten_items_for_a_user={"user_id": USER, "k": 10},
    for_a_visitor_beside_an_item={"context_item_id": BANANAS, "k": 5},
    within_a_category_and_a_price={
        "user_id": USER,
        "k": 5,
        "filters": {"categories": [FRUIT, "FLUID MILK PRODUCTS"], "price_max_micros": 5_000_000},
    },
)
SEARCH = _named(
    a_query_of_a_user={"query": "wite bread", "user_id": USER, "facets": ["brand"], "k": 20},
    within_a_price={"query": "milk", "filters": {"price_max_micros": 3_000_000}, "sort": "price"},
    a_category_without_words={"filters": {"categories": [FRUIT]}, "facets": ["brand", "price"]},
)
TYPED = _named(a_beginning="whi")
SUGGESTIONS = {
    "request_id": _ID,
    "typed": "whi",
    "bundle_id": _BUNDLE,
    "queries": [{"query": "white bread", "origin": "popular"}],
    "categories": [],
    "items": [
        {"item_id": BREAD, "title": "Mainstream White Bread 20 OZ", "category": "BAKED BREAD/BUNS/ROLLS"}
    ],
    "degraded": [],
}
SIMILAR = _named(similar_items={"item_id": BANANAS, "k": 10})
BATCH = _named(
    two_users_and_a_visitor={"requests": [{"user_id": USER, "k": 5}, {"user_id": "1", "k": 5}, {"k": 5}]}
)

EVENTS = _named(
    a_view={"kind": "view", "event_id": "7f3c", "user_id": USER, "item_id": BANANAS},
    a_click_on_a_slate={
        "kind": "click",
        "event_id": "7f3d",
        "user_id": USER,
        "item_id": BANANAS,
        "request_id": _ID,
        "position": 1,
    },
    a_click_on_an_ad={
        "kind": "click",
        "event_id": "7f3f",
        "user_id": USER,
        "item_id": BANANAS,
        "request_id": _ID,
        "token": "WzEsInNob3AiXQ.c2lnbmF0dXJl",
    },
    a_new_price=[{"kind": "item_upsert", "event_id": "7f3e", "item_id": BANANAS, "price_micros": 990_000}],
)
EVENT_LINES = "\n".join(
    f'{{"kind": "view", "event_id": "{event_id}", "user_id": "{USER}", "item_id": "{item_id}"}}'
    for event_id, item_id in (("7f40", BANANAS), ("7f41", MILK))
)
COLLECTED = {"accepted": 1, "refused": 0, "token": "3:1889041423237021696", "verdicts": []}

USER_ID = _named(a_household=USER)
ITEM_ID = _named(bananas=BANANAS)
COUNT = _named(the_last_five=5)
ITEM = {
    "item_id": BANANAS,
    "title": "Bananas 40 LB",
    "category": FRUIT,
    "brand": "National",
    "price_micros": 980_000,
    "available": True,
    "attributes": {"department": "PRODUCE", "product_type": "BANANAS"},
    "popularity": 421.5,
    "features": {"item_purchase_count_7d": 312, "item_click_rate_30d": None},
    "bundle_id": _BUNDLE,
    "degraded": [],
}
HISTORY = {
    "user_id": USER,
    "entries": [
        {"item_id": BANANAS, "title": "Bananas 40 LB", "kind": "purchase", "at": "2026-11-20T17:31:00+00:00"}
    ],
}
ALIVE = {"status": "ok", "bundle_id": None}
READY = {"status": "ok", "bundle_id": _BUNDLE, "problems": [], "details": []}
METRICS = (
    "# HELP recsys_requests_in_flight Requests being answered\n"
    "# TYPE recsys_requests_in_flight gauge\n"
    "recsys_requests_in_flight 1.0\n"
)
