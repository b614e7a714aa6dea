"""A process whose loops ask services for ads over HTTP, see and click them, until it is told to stop.

Half of the ads are clicked. What a service did not take is sent again, to the other one, until it is taken.
Some events are told twice, replayed or forged. Each event that was taken is a line of the file that it is
given: its kind and the token of its ad. At its end it writes how often each answer came.
"""

import asyncio
import json
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

import httpx

from tests.faults.http_home import P_CLICK

SLOTS = 2
LOOK_SECONDS = 1.0  # between two visits of a loop, on average
PAUSE_SECONDS = 0.1  # after an answer without ads, or none at all
ASK_SECONDS = 30.0
LAST_SECONDS = 60.0  # that services have, once it is told to stop, to take what was not taken


class Shopper:
    """One loop: visits of users, each with a slate of ads."""

    def __init__(
        self, clients: list[httpx.AsyncClient], accepted: TextIO, answers: Counter[str], number: int
    ) -> None:
        self._clients, self._accepted, self._answers = clients, accepted, answers
        self._at, self._visits, self._name = number % len(clients), 0, f"u{number}"
        self._rng = random.Random(number)

    async def run(self, stop: asyncio.Event) -> None:
        """Goes on until `stop`, whatever is away; what was seen by then is told."""
        while not stop.is_set():
            self._visits += 1
            user = f"{self._name}-{self._visits}"
            answer = await self._post("/v1/ads", {"user_id": user, "slots": SLOTS})
            if not answer or not answer["ads"]:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            events = [event for ad in answer["ads"] for event in self._events(user, ad)]
            await self._send(events, stop)
            await self._send_oddly(events, stop)
            await asyncio.sleep(self._rng.uniform(0.0, 2 * LOOK_SECONDS))

    def _events(self, user: str, ad: Any) -> list[dict[str, Any]]:
        row = {"user_id": user, "item_id": ad["item_id"], "token": ad["token"]}
        found = [{"kind": "impression", "event_id": uuid4().hex, "viewable": True, **row}]
        if self._rng.random() < P_CLICK:
            found.append({"kind": "click", "event_id": uuid4().hex, **row})
        return found

    async def _send_oddly(self, events: list[dict[str, Any]], stop: asyncio.Event) -> None:
        chance = self._rng.random()
        if chance < 0.1:  # its client did not hear that they were taken
            await self._send(events, stop)
        elif chance < 0.2:
            await self._send([{**each, "event_id": uuid4().hex} for each in events], stop)
        elif chance < 0.25:
            changed = [_forged(each) for each in events]
            await self._send(changed, stop, is_told=False)

    async def _send(self, events: list[dict[str, Any]], stop: asyncio.Event, is_told: bool = True) -> None:
        """Sends until a service has taken all of them.

        Raises:
            TimeoutError: none did long after the end.
        """
        end: float | None = None
        while (answer := await self._post("/v1/events", events)) is None:
            end = end or (time.monotonic() + LAST_SECONDS if stop.is_set() else None)
            if end is not None and time.monotonic() > end:
                raise TimeoutError("events are not taken")
            await asyncio.sleep(PAUSE_SECONDS)
        if answer["accepted"] != len(events):
            raise ValueError(answer)
        if is_told:
            self._accepted.writelines(f"{each['kind']} {each['token']}\n" for each in events)
            self._accepted.flush()

    async def _post(self, path: str, body: Any) -> Any | None:
        """The answer; None where there is none: then the next request goes to the other service."""
        try:
            answer = await self._clients[self._at].post(path, json=body)
        except httpx.TransportError as error:
            self._answers[f"{path} {type(error).__name__}"] += 1
        else:
            self._answers[f"{path} {answer.status_code}"] += 1
            if answer.status_code == 200:
                return answer.json()
        self._at = (self._at + 1) % len(self._clients)
        return None


def _forged(event: dict[str, Any]) -> dict[str, Any]:
    token = event["token"]
    end = "AA" if token[-2:] != "AA" else "BB"
    return {**event, "event_id": uuid4().hex, "token": token[:-2] + end}


async def shop(loops: int, accepted: Path, addresses: list[str]) -> Counter[str]:
    """Runs so many loops until SIGTERM; what the services answered."""
    stop, answers = asyncio.Event(), Counter[str]()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    limits = httpx.Limits(max_connections=loops, max_keepalive_connections=loops)
    clients = [httpx.AsyncClient(base_url=each, limits=limits, timeout=ASK_SECONDS) for each in addresses]
    with accepted.open("a") as file:
        shoppers = [Shopper(clients, file, answers, number) for number in range(loops)]
        await asyncio.gather(*(each.run(stop) for each in shoppers))
    for client in clients:
        await client.aclose()
    return answers


if __name__ == "__main__":
    counted = asyncio.run(shop(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[4:]))
    Path(sys.argv[3]).write_text(json.dumps(counted))
