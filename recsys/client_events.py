"""The events that a client reports of answers: of a search, of what was shown, and of what was clicked."""

import hashlib
from datetime import datetime
from uuid import uuid4

from recsys.documents import JsonObject
from recsys.errors import RequestError
from recsys.events import Click, Impression, Search
from recsys.funnel.slate import Slate
from recsys.instants import utc_now


def impressions(
    slate: Slate, user_id: str | None = None, at: datetime | None = None, surface: str | None = None
) -> list[Impression]:
    """What a client reports once a slate was shown: each item, at its position.

    Their ids follow from the slate: reported twice they count once. Nobody measured whether an item was in
    sight: a page that does sends `viewable` and `visible_ms`, see docs/serving.md.

    Args:
        user_id: who saw it; needed for the slate of a visitor.
        at: when; default: now.
        surface: the place of the shop.

    Raises:
        RequestError: no user is known to have seen it.
    """
    when = at or utc_now()
    shown = f"{slate.request_id}-{slate.at.timestamp():.6f}"
    return [
        Impression(
            event_id=f"impression-{shown}-{item.position}",
            at=when,
            user_id=_user_of(slate, user_id),
            request_id=slate.request_id,
            item_id=item.item_id,
            position=item.position,
            surface=surface,
        )
        for item in slate.items
    ]


def click(slate: Slate, position: int, user_id: str | None = None, at: datetime | None = None) -> Click:
    """The click on the item at `position` (from 1) of `slate`.

    Args:
        user_id, at: as of `impressions`.

    Raises:
        RequestError: the slate has no such position, or no user is known to have seen it.
    """
    item = next((item for item in slate.items if item.position == position), None)
    if item is None:
        raise RequestError(
            f"position {position} is not on the slate. It has {len(slate.items)} items, from 1."
        )
    return Click(
        event_id=uuid4().hex,
        at=at or utc_now(),
        user_id=_user_of(slate, user_id),
        request_id=slate.request_id,
        item_id=item.item_id,
        position=position,
    )


def ad_impression(
    item_id: str,
    token: str,
    user_id: str,
    request_id: str,
    *,
    surface: str | None = None,
    position: int | None = None,
    viewable: bool | None = None,
    visible_ms: int | None = None,
    session_id: str | None = None,
    at: datetime | None = None,
) -> Impression:
    """What a client reports once a sponsored item was shown. Reported twice it counts once.

    Args:
        token: of the item, as its answer had it. request_id: of that answer.
        viewable: whether half of it was in sight for a second; None = nobody measured, and then nothing is
            billed for its being seen, and nothing is learned from it.
        position: on the page, from 1. at: when; default: now.
    """
    return Impression(
        event_id=f"impression-{hashlib.blake2b(token.encode(), digest_size=16).hexdigest()}",
        at=at or utc_now(),
        user_id=user_id,
        session_id=session_id,
        request_id=request_id,
        item_id=item_id,
        position=position,
        surface=surface,
        viewable=viewable,
        visible_ms=visible_ms,
        token=token,
    )


def ad_click(
    item_id: str,
    token: str,
    user_id: str,
    request_id: str,
    *,
    position: int | None = None,
    session_id: str | None = None,
    at: datetime | None = None,
) -> Click:
    """The click on a sponsored item; arguments as of `ad_impression`."""
    return Click(
        event_id=uuid4().hex,
        at=at or utc_now(),
        user_id=user_id,
        session_id=session_id,
        request_id=request_id,
        item_id=item_id,
        position=position,
        token=token,
    )


def search_event(
    query: str,
    user_id: str,
    request_id: str,
    *,
    query_id: str | None = None,
    results: int | None = None,
    filters: JsonObject | None = None,
    surface: str | None = None,
    page: int = 1,
    session_id: str | None = None,
    at: datetime | None = None,
) -> Search:
    """What a client reports once a search was answered, and once a further page of it was; never a keystroke.

    Its id follows from the answer: reported twice it counts once.

    Args:
        request_id: of the answer.
        query_id: of the search with all of its pages: the `request_id` of the first. Page 1 needs none.
        results: how many items were found in all; None = not known, which is not 0.
        filters: as the request had them. surface: the search box. page: from 1. at: when; default: now.

    Raises:
        RequestError: a later page does not say which search it belongs to.
    """
    if query_id is None and page > 1:
        raise RequestError(
            f"page {page} belongs to a search. Say by `query_id` to which: its first request_id."
        )
    return Search(
        event_id=f"search-{request_id}",
        at=at or utc_now(),
        user_id=user_id,
        session_id=session_id,
        request_id=request_id,
        query_id=query_id or request_id,
        query=query,
        results=results,
        filters=filters,
        surface=surface,
        page=page,
    )


def _user_of(slate: Slate, user_id: str | None) -> str:
    found = user_id or slate.user_id
    if found is None:
        raise RequestError("the slate was made for a visitor. Say by `user_id` who saw it.")
    return found
