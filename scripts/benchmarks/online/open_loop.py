"""A client that asks at given rates whether or not answers come back; a program, on a core of its own.

`python open_loop.py PORT CORE PLAN RECORDS` reads a plan (JSON) and writes what became of each request. A
request counts from the instant at which it was due: a late answer does not make the next question later.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

FAILED = 0  # the status of a request whose connection broke
MOST_CONNECTIONS = 240
MOST_IDLE_SECONDS = 2.0  # the service closes an idle connection after 5


@dataclass(frozen=True)
class Phase:
    """Requests a second to each path for some seconds; `at_once`: a closed loop of so many instead."""

    seconds: float
    rates: dict[str, float]
    at_once: int = 0


@dataclass(frozen=True)
class Record:
    """What became of one request; seconds are from the beginning of its phase."""

    phase: int
    path: str
    due: float
    took: float
    status: int
    retry_after: bool
    degraded: tuple[str, ...]
    event_id: str = ""


@dataclass
class _Answer:
    status: int
    head: bytes
    body: bytes


class _Connection(asyncio.Protocol):
    """One request at a time over one connection that is kept."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: asyncio.Future[_Answer] | None = None
        self._transport: asyncio.Transport | None = None
        self._answered = 0.0
        self._closed = False

    @property
    def usable(self) -> bool:
        """Whether the service surely keeps it for the next request."""
        return not self._closed and time.perf_counter() - self._answered < MOST_IDLE_SECONDS

    def close(self) -> None:
        """Ends the connection."""
        assert self._transport is not None
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps what is written to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes) -> "asyncio.Future[_Answer]":
        """The answer to `request`."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        """Completes the answer where it is whole."""
        self._buffer += data
        head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(rest) >= length and self._waiting is not None and not self._waiting.done():
            self._buffer.clear()
            self._answered = time.perf_counter()
            self._waiting.set_result(_Answer(int(head[9:12]), head, rest[:length]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails the request that waits."""
        self._closed = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(_Answer(FAILED, b"", b""))


class _Client:
    """Connections that are opened as they are needed, up to a bound."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)

    async def ask(self, request: bytes) -> _Answer:
        """The answer, of an idle connection or a new one."""
        async with self._room:
            connection = self._idle.pop() if self._idle else None
            while connection is not None and not connection.usable:
                connection.close()
                connection = self._idle.pop() if self._idle else None
            try:
                if connection is None:
                    loop = asyncio.get_running_loop()
                    _, connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
                answer = await connection.ask(request)
            except OSError:
                return _Answer(FAILED, b"", b"")
            self._idle.append(connection)
            return answer


class _Load:
    """Asks by a plan; `bodies` gives the body of a path's nth request, and the id of its event."""

    def __init__(self, port: int, users: Sequence[str], items: Sequence[str], seed: int) -> None:
        self._client = _Client(port)
        self._users, self._items = users, items
        self._rng = np.random.default_rng(seed)
        self._asked: list[tuple[int, str, float, float, _Answer, str]] = []
        self._number = 0

    def records(self) -> list[Record]:
        """What became of all requests, in the order in which their answers came."""
        return [
            Record(phase, path, due, took, answer.status, b"retry-after" in answer.head.lower(), codes, event)
            for phase, path, due, took, answer, event in self._asked
            for codes in [_degraded_of(path, answer)]
        ]

    async def run(self, plan: Sequence[Phase]) -> None:
        """Goes through the phases, one right behind the other; late answers run into the next one."""
        asked: list[asyncio.Task[None]] = []
        for number, phase in enumerate(plan):
            began = time.perf_counter()
            if phase.at_once:
                loops = (self._keep_asking(number, phase, began) for _ in range(phase.at_once))
                await asyncio.gather(*loops)
                continue
            for due, path in sorted(
                (place / rate, path)
                for path, rate in phase.rates.items()
                for place in range(int(rate * phase.seconds))
            ):
                wait = began + due - time.perf_counter()
                if wait > 0:
                    await asyncio.sleep(wait)
                asked.append(asyncio.create_task(self._ask(number, path, began, due)))
            await asyncio.sleep(max(0.0, began + phase.seconds - time.perf_counter()))
        await asyncio.gather(*asked)

    async def _keep_asking(self, number: int, phase: Phase, began: float) -> None:
        (path,) = phase.rates
        while (due := time.perf_counter() - began) < phase.seconds:
            await self._ask(number, path, began, due)

    async def _ask(self, phase: int, path: str, began: float, due: float) -> None:
        body, event_id = self._body(path)
        lines = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        request = f"{lines}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        answer = await self._client.ask(request)
        self._asked.append((phase, path, due, time.perf_counter() - began - due, answer, event_id))

    def _body(self, path: str) -> tuple[str, str]:
        self._number += 1
        user = self._users[int(self._rng.integers(len(self._users)))]
        if not path.endswith("/events"):
            return json.dumps({"user_id": user, "k": 10}), ""
        event_id = f"overload-{os.getpid()}-{self._number}"
        item = self._items[int(self._rng.integers(len(self._items)))]
        return json.dumps({"kind": "view", "event_id": event_id, "user_id": user, "item_id": item}), event_id


def _degraded_of(path: str, answer: _Answer) -> tuple[str, ...]:
    if answer.status != 200 or path.endswith("/events"):
        return ()
    return tuple(json.loads(answer.body)["degraded"])


def main() -> None:
    """Runs the plan of the command line."""
    port, core, plan_file, records_file = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    plan = json.loads(Path(plan_file).read_text("utf-8"))
    load = _Load(int(port), plan["users"], plan["items"], plan["seed"])
    gc.disable()
    asyncio.run(load.run([Phase(**phase) for phase in plan["phases"]]))
    Path(records_file).write_text(json.dumps([asdict(record) for record in load.records()]), "utf-8")


if __name__ == "__main__":
    main()
