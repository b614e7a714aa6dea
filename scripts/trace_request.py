#!/usr/bin/env python3
"""The modules that one `/v1/recommend` enters, from the route's function to the finished slate.

    RECSYS_HOME=.recsys .venv/bin/python scripts/trace_request.py --user ann
    .venv/bin/python scripts/trace_request.py --json

With RECSYS_HOME it is the home's bundle in production that answers, and its Redis has to run; without, a shop
of random data is made in a temporary folder. A module counts as entered where one of its functions is called;
constructors that `dataclass` writes do not count.
"""

import argparse
import asyncio
import inspect
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

from recsys.cli.output import note, print_json, print_rows
from recsys.config import Settings, load_settings
from recsys.funnel.slate import Slate
from serving.app import create_app
from serving.deployment import open_deployment

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

ROUTE = "/v1/recommend"
ITEMS, USERS = 2000, 20  # of the random shop
POOL = "answer"  # names of the threads that answers are computed in begin with it


class CallTrace:
    """Counts calls from the route's function to the finished slate, in its thread and in those of the pool.

    Args:
        route: the code of the route's function, which waits for a thread of the pool.

    Attributes:
        calls: module -> calls of its functions, in the order of the first; for a coroutine, times it goes on.
    """

    def __init__(self, route: CodeType) -> None:
        self.calls: Counter[str] = Counter()
        self._route = route
        self._inside = False  # the route's function
        self._unfinished = False  # the slate

    def __call__(self, frame: FrameType, event: str, value: Any) -> None:
        """What `sys.setprofile` and `threading.setprofile` take."""
        code = frame.f_code
        if code is self._route:
            self._unfinished = self._unfinished or (event == "call" and not self.calls)
            self._inside = event == "call"
        if event == "return" and isinstance(value, Slate):
            self._unfinished = False
        module = frame.f_globals.get("__name__", "")
        ours = module.partition(".")[0] in ("recsys", "serving") and not code.co_filename.startswith("<")
        if ours and event == "call" and self._answers():
            self.calls[module] += 1

    def _answers(self) -> bool:
        """Whether this thread is at work for the request."""
        thread = threading.current_thread()
        at_work = self._inside if thread is threading.main_thread() else thread.name.startswith(POOL)
        return self._unfinished and at_work


def main() -> None:
    """Traces one request and prints its modules."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--user", help="user id; default: a visitor, and a known user of the random shop")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with _shop() as (settings, known_user):
        deployment, close = open_deployment(settings)
        try:
            calls = asyncio.run(_trace(create_app(deployment), options.user or known_user))
        finally:
            close()
    rows = [{"module": module, "calls": count} for module, count in calls.items()]
    if options.json:
        print_json({"modules": rows, "count": len(rows)})
    else:
        print_rows(rows, as_json=False, title=f"{ROUTE}: {len(rows)} modules")


@contextmanager
def _shop() -> Iterator[tuple[Settings, str | None]]:
    """The settings of a shop that can be served, and a user that it knows."""
    if "RECSYS_HOME" in os.environ:
        yield load_settings(), None
        return
    from online import random_shop

    note("RECSYS_HOME is not set: a shop of random data answers")
    with tempfile.TemporaryDirectory(prefix="recsys-trace-") as folder:
        settings = Settings(home=Path(folder), root=load_settings().root)
        with random_shop.open_shop(settings, ITEMS, USERS):
            yield settings, random_shop.user_id(0)


async def _trace(app: FastAPI, user: str | None) -> Counter[str]:
    """The calls of the second of two equal requests: the first opens connections and fills caches."""
    routes = [route for route in app.routes if isinstance(route, APIRoute) and route.path == ROUTE]
    trace = CallTrace(inspect.unwrap(routes[0].endpoint).__code__)
    threading.setprofile(trace)  # the pool's threads start with the first request
    sys.setprofile(trace)
    try:
        await _recommend(app, user)
        trace.calls.clear()
        await _recommend(app, user)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return trace.calls


async def _recommend(app: FastAPI, user: str | None) -> None:
    """Sends one request.

    Raises:
        RuntimeError: the answer is not a full slate.
    """
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.post(ROUTE, json={"user_id": user})
    slate = response.json()
    if response.status_code != 200 or slate["degraded"] or not slate["items"]:
        raise RuntimeError(f"not a full answer ({response.status_code}): {response.text[:300]}")


if __name__ == "__main__":
    main()
