"""The demo's last act: the same household before and after five events, and how long that took."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from recsys import columns
from recsys.cli.output import note, print_rows
from recsys.client import RecsysClient
from recsys.config import Settings
from recsys.errors import RecsysError, StoreUnavailableError
from recsys.funnel.slate import EVENTS_NOT_VISIBLE_YET, Slate
from recsys.instants import utc_now

# The five events: which of two items, and what is done with it.
STEPS = ((0, columns.VIEW), (0, columns.CART), (0, columns.PURCHASE), (1, columns.VIEW), (1, columns.CART))
TAKEN_UP_SECONDS = 60.0
PATIENCE_SECONDS = 10.0


@contextmanager
def stream_worker(settings: Settings) -> Iterator[None]:
    """`recsys stream run` in a process group of its own, ready to process; stopped at the end."""
    program = Path(sys.executable).parent / "recsys"
    log = settings.paths.home / "stream.log"
    note(f"$ recsys stream run  (log: {log})")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(program), "stream", "run"], stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def something_new(settings: Settings, user_id: str) -> list[str]:
    """Two items for five events: the most wanted of the most wanted category that the user never touched."""
    from recsys.stores.lake.dataset_files import load_items
    from recsys.stores.lake.event_lake import open_lake

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


def before_and_after(settings: Settings, address: str, user_id: str, items: Sequence[str]) -> dict[str, Any]:
    """What five events about two `items` change on one household's slate.

    Raises:
        StoreUnavailableError: the events did not become visible.
    """
    key = settings.api_key.get_secret_value() if settings.api_key else None
    with RecsysClient(address, key) as shop:
        before = shop.recommend(user_id, k=10)
        # A search changes no feature: it tells when the worker has started, which is not to be measured.
        search = {"kind": columns.SEARCH, "user_id": user_id, "query": "something new"}
        _knowing(shop, user_id, shop.send([_now(search)]).token, TAKEN_UP_SECONDS)
        events = [{"kind": kind, "user_id": user_id, "item_id": items[item]} for item, kind in STEPS]
        ago = range(len(events), 0, -1)
        started = time.monotonic()
        sent = shop.send([_now(event, seconds) for event, seconds in zip(events, ago, strict=True)])
        if sent.refused:
            raise RecsysError(f"an event was refused: {sent.refused[0].message}")
        after = _knowing(shop, user_id, sent.token, PATIENCE_SECONDS)
        milliseconds = (time.monotonic() - started) * 1000
    return {
        "user_id": user_id,
        "events": [{"kind": event["kind"], "item_id": event["item_id"]} for event in events],
        "milliseconds": round(milliseconds, 1),
        "before": _titles(before),
        "after": _titles(after),
    }


def show_change(change: Mapping[str, Any]) -> None:
    """Both slates side by side; what the five events brought in is marked."""
    known = set(change["before"])
    after = [title if title in known else f"+ {title}" for title in change["after"]]
    rows = [
        {"position": place, "before": before, "after": now}
        for place, (before, now) in enumerate(zip(change["before"], after, strict=True), start=1)
    ]
    what = f"household {change['user_id']} before and after five events"
    print_rows(
        rows, as_json=False, title=f"{what}, {change['milliseconds']:.0f} ms from sending to the slate"
    )


def _now(event: Mapping[str, str], seconds_ago: int = 0) -> dict[str, str]:
    at = utc_now() - timedelta(seconds=seconds_ago)
    return {**event, "event_id": f"demo-{uuid4().hex}", "at": at.isoformat()}


def _knowing(shop: RecsysClient, user_id: str, token: str | None, seconds: float) -> Slate:
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


def _titles(slate: Slate) -> list[str]:
    return [f"{item.title} ({item.item_id})" for item in slate.items]
