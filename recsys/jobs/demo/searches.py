"""The demo's searches: what POST /v1/search and GET /v1/suggest answer to a storefront."""

import time
from dataclasses import asdict, dataclass
from uuid import uuid4

from recsys import columns
from recsys.client import RecsysClient, search_event
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import RecsysError
from recsys.events import Event
from recsys.funnel.slate import EVENTS_NOT_VISIBLE_YET
from recsys.instants import utc_now

SHOWN = 10
LONG_PAGE = 100  # as far as positions before and after a click are compared
CLICKED = 20  # the position that is clicked, or the last
TYPED = "froz"
# What the shopper typed wrongly, what no title says, and a filter with counts of what is left.
SEARCHES: tuple[JsonObject, ...] = (
    {"query": "frozen chiken dinner"},
    {"query": "something to clean windows"},
    {"query": "pasta", "filters": {"price_max_micros": 5_000_000}, "facets": ["brand", "price"]},
)
BY_TASTE = "yogurt"
BEFORE_A_CLICK = "cereal"
VISIBLE_SECONDS = 10.0


@dataclass(frozen=True)
class AnsweredSearch:
    """One search: the body that was sent, the answer, and how long it took over HTTP."""

    body: JsonObject
    answer: JsonObject
    milliseconds: float

    @property
    def items(self) -> list[JsonObject]:
        """What was found, in its order."""
        found: list[JsonObject] = self.answer["items"]
        return found


@dataclass(frozen=True)
class TwoTastes:
    """The same search by two users; `shared` of the items shown are on both pages."""

    first: AnsweredSearch
    second: AnsweredSearch
    shared: int


@dataclass(frozen=True)
class NextSearch:
    """The same search again after a click.

    Attributes:
        before, after: the clicked item's position; `after` is None where it fell off the page of `LONG_PAGE`.
        like_before, like_after: how many of the first `SHOWN` have the clicked item's title.
        seen: whether the second answer knew of the click; False: the stream was too slow.
        milliseconds: from sending the click to the second answer.
    """

    query: str
    user_id: str
    item_id: str
    title: str
    before: int
    after: int | None
    like_before: int
    like_after: int
    seen: bool
    milliseconds: float

    @property
    def moved_up(self) -> bool:
        """Whether the clicked item, or more of the items that are called like it, stand further up."""
        rose = self.after is not None and self.after < self.before
        return rose or self.like_after > self.like_before


@dataclass(frozen=True)
class DemoSearches:
    """All that the demo searches for."""

    searches: tuple[AnsweredSearch, ...]
    tastes: TwoTastes
    after_click: NextSearch
    suggestions: JsonObject

    def to_json(self) -> JsonObject:
        """The part `searches` of what `recsys demo --json` prints."""
        return {**asdict(self), "moved_up": self.after_click.moved_up}


def try_searches(
    settings: Settings, address: str, two_users: tuple[str, str], clicking_user: str
) -> DemoSearches:
    """What the service at `address` finds for anybody, for two users, and for one who clicks on an item.

    Raises:
        StoreUnavailableError: the service does not answer.
    """
    key = settings.api_key.get_secret_value() if settings.api_key else None
    with RecsysClient(address, key, timeout=10) as shop:
        return DemoSearches(
            searches=tuple(ask(shop, body) for body in SEARCHES),
            tastes=two_tastes(shop, BY_TASTE, *two_users),
            after_click=search_after_click(shop, BEFORE_A_CLICK, clicking_user),
            suggestions=shop.get("/v1/suggest", {"q": TYPED}),
        )


def ask(shop: RecsysClient, body: JsonObject) -> AnsweredSearch:
    """The answer to one search, `SHOWN` items unless `body` has its own `k`."""
    body = {"k": SHOWN, **body}
    started = time.monotonic()
    answer = shop.post("/v1/search", body)
    return AnsweredSearch(body, answer, round((time.monotonic() - started) * 1000, 1))


def two_tastes(shop: RecsysClient, query: str, first: str, second: str) -> TwoTastes:
    """One search by two users."""
    pages = [ask(shop, {"query": query, "user_id": user}) for user in (first, second)]
    ids = [{item["item_id"] for item in page.items} for page in pages]
    return TwoTastes(pages[0], pages[1], len(ids[0] & ids[1]))


def search_after_click(shop: RecsysClient, query: str, user_id: str) -> NextSearch:
    """What one click at position `CLICKED`, reported as a storefront reports it, changes on the next search.

    Raises:
        RecsysError: nothing was found, or the click was refused.
    """
    body = {"query": query, "user_id": user_id, "k": LONG_PAGE}
    page = ask(shop, body)
    if not page.items:
        raise RecsysError(f"{query!r} finds nothing in this shop. Run `recsys train` and the demo again.")
    clicked = page.items[min(CLICKED, len(page.items)) - 1]
    started = time.monotonic()
    sent = shop.send([_searched(page, user_id), _clicked(page, clicked, user_id)])
    if sent.refused:
        raise RecsysError(f"an event was rejected: {sent.refused[0].message}")
    after, seen = _page_with_events(shop, {**body, "token": sent.token})
    milliseconds = (time.monotonic() - started) * 1000
    places = {item["item_id"]: item["position"] for item in after.items}
    return NextSearch(
        query=query,
        user_id=user_id,
        item_id=clicked["item_id"],
        title=clicked["title"],
        before=clicked["position"],
        after=places.get(clicked["item_id"]),
        like_before=_called(page, clicked["title"]),
        like_after=_called(after, clicked["title"]),
        seen=seen,
        milliseconds=round(milliseconds, 1),
    )


def _searched(page: AnsweredSearch, user_id: str) -> Event:
    answer = page.answer
    return search_event(answer["query"], user_id, answer["request_id"], results=answer["total"])


def _clicked(page: AnsweredSearch, item: JsonObject, user_id: str) -> JsonObject:
    return {
        "event_id": f"demo-{uuid4().hex}",
        "kind": columns.CLICK,
        "at": utc_now().isoformat(),
        "user_id": user_id,
        "item_id": item["item_id"],
        "position": item["position"],
        "request_id": page.answer["request_id"],
        "query_id": page.answer["query_id"],
    }


def _page_with_events(shop: RecsysClient, body: JsonObject) -> tuple[AnsweredSearch, bool]:
    """The first answer that knows the events of the token, or the last one in time, and whether it does."""
    end = time.monotonic() + VISIBLE_SECONDS
    while True:
        page = ask(shop, body)
        seen = EVENTS_NOT_VISIBLE_YET not in page.answer["degraded"]
        if seen or time.monotonic() > end:
            return page, seen


def _called(page: AnsweredSearch, title: str) -> int:
    return sum(item["title"] == title for item in page.items[:SHOWN])
