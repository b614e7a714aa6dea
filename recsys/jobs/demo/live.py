"""The demo's last step: the same household before and after five events, and how long that took."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from recsys import columns
from recsys.client import RecsysClient
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import RecsysError, StoreUnavailableError
from recsys.funnel.slate import EVENTS_NOT_VISIBLE_YET, Slate
from recsys.stores.lake.dataset_files import load_items
from recsys.stores.lake.event_lake import open_lake

# The five events: which of two items, and what is done with it.
STEPS = ((0, columns.VIEW), (0, columns.CART), (0, columns.PURCHASE), (1, columns.VIEW), (1, columns.CART))
WORKER_START_SECONDS = 60.0
VISIBLE_SECONDS = 10.0


@dataclass(frozen=True)
class SentEvent:
    """One of the five events."""

    kind: str
    item_id: str


@dataclass(frozen=True)
class SlateChange:
    """A slate before and after five events; `milliseconds` from sending them to the second slate."""

    user_id: str
    events: tuple[SentEvent, ...]
    milliseconds: float
    before: tuple[str, ...]
    after: tuple[str, ...]

    def to_json(self) -> JsonObject:
        """The part `live` of what `recsys demo --json` prints."""
        return asdict(self)


def unfamiliar_items(settings: Settings, user_id: str) -> list[str]:
    """Two items for five events: the most frequent of the most frequent category that the user never touched.

    Raises:
        RecsysError: the user knows every category.
    """
    names = [columns.USER_ID, columns.ITEM_ID]
    events = open_lake(settings.paths).read(columns=names).to_pandas()
    items = load_items(settings.paths).select([columns.ITEM_ID, columns.CATEGORY]).to_pandas()
    events = events.merge(items, on=columns.ITEM_ID)
    known = events.loc[events[columns.USER_ID] == user_id, columns.CATEGORY].unique()
    foreign = events[~events[columns.CATEGORY].isin(known)]
    counts = foreign.groupby(columns.CATEGORY)[columns.ITEM_ID].agg(["count", "nunique"])
    wide = counts[counts["nunique"] >= 2]
    if wide.empty:
        raise RecsysError(f"user {user_id!r} knows every category. Ask for another one.")
    wanted = foreign[foreign[columns.CATEGORY] == wide["count"].idxmax()]
    best: list[str] = wanted[columns.ITEM_ID].value_counts().index[:2].tolist()
    return best


def before_and_after(settings: Settings, address: str, user_id: str, items: Sequence[str]) -> SlateChange:
    """What five events about two `items` change on one household's slate.

    Raises:
        StoreUnavailableError: the events did not become visible.
    """
    key = settings.api_key.get_secret_value() if settings.api_key else None
    with RecsysClient(address, key) as shop:
        before = shop.recommend(user_id, k=10)
        # A search changes no feature: it tells when the worker has started, which is not to be measured.
        search = {"kind": columns.SEARCH, "user_id": user_id, "query": "something new"}
        _slate_after(shop, user_id, shop.send([_dated(search)]).token, WORKER_START_SECONDS)
        events = [{"kind": kind, "user_id": user_id, "item_id": items[item]} for item, kind in STEPS]
        ago = range(len(events), 0, -1)
        started = time.monotonic()
        sent = shop.send([_dated(event, seconds) for event, seconds in zip(events, ago, strict=True)])
        if sent.refused:
            raise RecsysError(f"an event was rejected: {sent.refused[0].message}")
        after = _slate_after(shop, user_id, sent.token, VISIBLE_SECONDS)
        milliseconds = (time.monotonic() - started) * 1000
    return SlateChange(
        user_id=user_id,
        events=tuple(SentEvent(event["kind"], event["item_id"]) for event in events),
        milliseconds=round(milliseconds, 1),
        before=_titles(before),
        after=_titles(after),
    )


def _dated(event: Mapping[str, str], seconds_ago: int = 0) -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return {**event, "event_id": f"demo-{uuid4().hex}", "at": at.isoformat()}


def _slate_after(shop: RecsysClient, user_id: str, token: str | None, seconds: float) -> Slate:
    """The first slate that knows the events of `token`."""
    end = time.monotonic() + seconds
    while True:
        slate = shop.recommend(user_id, k=10, token=token)
        if EVENTS_NOT_VISIBLE_YET not in slate.degraded:
            return slate
        if time.monotonic() > end:
            raise StoreUnavailableError(
                "event stream", "make events visible", seconds, "`recsys stream status` tells how far it is."
            )


def _titles(slate: Slate) -> tuple[str, ...]:
    return tuple(f"{item.title} ({item.item_id})" for item in slate.items)
