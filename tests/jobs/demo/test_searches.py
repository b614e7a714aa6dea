"""The demo's searches against a service that answers from a list."""

import json
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from recsys.cli.demo.searches import print_search, print_searches
from recsys.client import RecsysClient
from recsys.documents import JsonObject
from recsys.errors import RecsysError
from recsys.funnel.slate import EVENTS_NOT_VISIBLE_YET
from recsys.jobs.demo.searches import (
    CLICKED,
    AnsweredSearch,
    DemoSearches,
    NextSearch,
    ask,
    search_after_click,
    two_tastes,
)

TITLES = ["flakes"] * 19 + ["oats"] * 11  # 30 items: the clicked position 20 is the first of the oats
SUGGESTED = {
    "typed": "froz",
    "queries": [{"query": "frozen peas", "origin": "popular"}],
    "categories": [{"category": "FROZEN", "items": 268}],
    "items": [{"item_id": "7", "title": "Frozen Fruit", "category": "FROZEN"}],
}


def answer(query: str, order: list[int], degraded: tuple[str, ...] = ()) -> JsonObject:
    """An answer of the service with the items in that order."""
    items = [
        {"position": place, "item_id": str(item), "title": TITLES[item], "price_micros": 1_500_000}
        | {"found_by": "words", "score": 0.5}
        for place, item in enumerate(order, start=1)
    ]
    return {"request_id": "r1", "query_id": "r1", "query": query, "total": len(items), "items": items} | {
        "rewrites": [{"name": "spelling", "before": "chiken", "after": "chicken"}],
        "facets": [],
        "degraded": list(degraded),
    }


class Shop:
    """Orders by user, and by whether a token came; keeps what events came."""

    def __init__(self, after_click: list[int], late: int = 0) -> None:
        self.after_click, self.late = after_click, late
        self.events: list[JsonObject] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The answer to one request."""
        if request.url.path == "/v1/suggest":
            return httpx.Response(200, json={**SUGGESTED, "typed": request.url.params["q"]})
        body = json.loads(request.content)
        if request.url.path == "/v1/events":
            self.events += body
            return httpx.Response(200, json={"accepted": len(body), "verdicts": [], "token": "0:5"})
        if "token" not in body:
            order = list(range(30)) if body.get("user_id") != "bob" else list(range(29, -1, -1))
            return httpx.Response(200, json=answer(body["query"], order[: body["k"]]))
        self.late -= 1
        late = (EVENTS_NOT_VISIBLE_YET,) if self.late >= 0 else ()
        return httpx.Response(
            200, json=answer(body["query"], list(range(30)) if late else self.after_click, late)
        )


def client(shop: Shop) -> RecsysClient:
    """A client whose network is `shop`."""
    return RecsysClient("http://shop", transport=httpx.MockTransport(shop))


@pytest.fixture
def moved() -> Iterator[tuple[NextSearch, Shop]]:
    """The clicked item and its like on top after the click, which is seen at the second try."""
    shop = Shop([*range(19, 30), *range(19)], late=1)
    with client(shop) as service:
        yield search_after_click(service, "cereal", "ann"), shop


def test_two_users_see_what_they_share(moved: tuple[NextSearch, Shop]) -> None:
    with client(moved[1]) as service:
        tastes = two_tastes(service, "cereal", "ann", "bob")
    assert tastes.shared == 0  # 0 to 9 and 29 to 20
    assert tastes.first.body == {"k": 10, "query": "cereal", "user_id": "ann"}


def test_a_click_is_reported_as_a_storefront_does_and_the_next_search_waits_for_it(
    moved: tuple[NextSearch, Shop],
) -> None:
    change, shop = moved
    assert (change.item_id, change.before, change.after) == ("19", CLICKED, 1)
    assert (change.like_before, change.like_after) == (0, 10)  # the first ten: flakes, then oats
    assert change.seen
    assert change.moved_up
    search, click = shop.events
    assert (search["kind"], search["results"], search["query_id"]) == ("search", 30, "r1")
    assert (click["kind"], click["item_id"], click["position"], click["request_id"]) == (
        "click",
        "19",
        20,
        "r1",
    )


def test_that_nothing_moved_or_was_found_is_said(moved: tuple[NextSearch, Shop]) -> None:
    with client(Shop(list(range(30)))) as service:
        same = search_after_click(service, "cereal", "ann")
    assert (same.before, same.after, same.moved_up) == (20, 20, False)
    with client(Shop([0, 1])) as service:
        gone = search_after_click(service, "cereal", "ann")
    assert (gone.after, gone.moved_up) == (None, False)
    empty = httpx.MockTransport(lambda _: httpx.Response(200, json=answer("cereal", [])))
    with (
        RecsysClient("http://shop", transport=empty) as service,
        pytest.raises(RecsysError, match="'cereal' finds nothing"),
    ):
        search_after_click(service, "cereal", "ann")


def test_people_see_all_of_it(moved: tuple[NextSearch, Shop], capsys: pytest.CaptureFixture[str]) -> None:
    change, shop = moved
    with client(shop) as service:
        page = ask(service, {"query": "chiken"})
        found = DemoSearches(
            (page,),
            two_tastes(service, "cereal", "ann", "bob"),
            change,
            service.get("/v1/suggest", {"q": "froz"}),
        )
    print_searches(found, print)
    shown = " ".join(capsys.readouterr().out.split())
    assert "spelling: chiken -> chicken" in shown
    assert "household bob" in shown
    assert "clicks on oats (19) at 20" in shown
    assert "position 1; of the first ten, 0 had that title before and 10 after" in shown
    assert "nor its like moved up" not in shown
    assert "frozen peas" in shown
    same = replace(found, after_click=replace(change, after=20, like_after=0))
    print_searches(same, print)
    assert "Neither the item nor its like moved up." in capsys.readouterr().out
    print_searches(replace(found, after_click=replace(change, seen=False, after=None)), print)
    assert "was not visible in time" in capsys.readouterr().out


def test_facets_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    ranges = [(None, 1e6, 122), (1e6, 2e6, 356), (2e6, None, 265)]
    facets = [
        {"name": "brand", "values": [{"value": "National", "count": 554}], "ranges": []},
        {
            "name": "price",
            "values": [],
            "ranges": [{"least": least, "below": below, "count": count} for least, below, count in ranges],
        },
    ]
    body = {"query": "pasta", "filters": {"price_max_micros": 5_000_000}}
    print_search(AnsweredSearch(body, {**answer("pasta", [0], ("x",)), "facets": facets}, 12.0), print)
    shown = capsys.readouterr().out
    assert "brand: National 554" in shown
    assert "price: below 1.00: 122, 1.00 to 2.00: 356, from 2.00: 265" in shown
    assert "price at most 5.00" in shown
    assert "degraded: x" in shown


def test_a_search_that_finds_nothing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    print_search(AnsweredSearch({"query": "unicorn"}, answer("unicorn", []), 12.0), print)
    assert "search 'unicorn': 0 found in 12 ms" in capsys.readouterr().out
