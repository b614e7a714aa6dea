"""The gate of budgets in Redis: one script a question, shared by all processes that serve ads."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Any

import redis

from recsys.ads.pacing.budget_gate import HoldRequest, Refusal, RefusalReason, Spent, Usage, UserCap
from recsys.config import Settings
from recsys.instants import SECOND
from recsys.service_settings import AdsSettings
from recsys.stores.ads_gate.keys import account_keys, seen_key
from recsys.stores.ads_gate.scripts import (
    COUNT_SEEN,
    FORGET,
    HOLD,
    REBUILD,
    REFRESH,
    SETTLE,
    USAGE,
    Call,
    Script,
)
from recsys.stores.reconnecting import Reconnecting
from recsys.stores.redis.client import redis_errors
from recsys.stores.redis.exchange import Exchange, pack_command
from recsys.stores.redis.shop_claim import connect

TIMEOUT_SECONDS = 0.1
ACCOUNTS_AT_ONCE = 16  # whose budgets are read in one round trip: a millisecond of Redis


class _Server:
    """A client of the server, and what its commands are sent by with less work than the client has."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.exchange = Exchange(client)

    def close(self) -> None:
        """Closes the client and the calling thread's connection."""
        self.exchange.close()
        self._client.close()


class RedisBudgetGate:
    """A `BudgetGate`; a hold is one round trip, two where a user's cap is counted.

    It remembers the newest generation that it saw of each account, and each hold makes a newer one: a server
    that lost a hold it had granted, by a flush, a fail-over or a roll-back, has to be rebuilt. Redis must
    not evict keys (`noeviction`).
    """

    def __init__(
        self, open_client: Callable[[], Any], settings: AdsSettings, timeout_seconds: float | None = None
    ) -> None:
        """Connects with the first call; `timeout_seconds`: that `open_client` waits, None = a request's."""
        self._timeout = TIMEOUT_SECONDS if timeout_seconds is None else timeout_seconds
        self._server = Reconnecting(lambda: _Server(open_client()), lambda server: server.close())
        self._settings = settings
        self._generations: dict[str, int] = {}
        self._lock = Lock()

    @classmethod
    def open(cls, settings: Settings, timeout_seconds: float | None = None) -> "RedisBudgetGate":
        """The gate beside the shop's features; connects with the first call.

        Args:
            timeout_seconds: for an answer; None = as long as a request may wait for its ads' budgets.
        """
        seconds = TIMEOUT_SECONDS if timeout_seconds is None else timeout_seconds
        return cls(lambda: connect(settings, seconds), settings.ads, seconds)

    def hold(self, request: HoldRequest) -> Refusal | None:
        """As the protocol says."""
        lasts = self._settings.hold_seconds_of(request.pricing)
        levels = [word for level in request.levels for word in (level.name, level.cap_micros)]
        seen = self._generations.get(request.account_id, 0)
        words = (
            seen,
            request.hold_id,
            request.cost_micros,
            round(lasts * SECOND),
            request.price_micros,
            *levels,
        )
        state, _, *full = self._run("hold a budget", HOLD, request.account_id, *words)
        if state != b"held":
            return Refusal(RefusalReason(state.decode()), full[0].decode() if full else None)
        if request.user_cap is not None and not self._count_seen(request.user_cap, request.hold_id):
            self._end(request.account_id, request.hold_id)
            return Refusal(RefusalReason.FREQUENCY)
        return None

    def release(self, request: HoldRequest) -> None:
        """As the protocol says."""
        self._end(request.account_id, request.hold_id)
        if request.user_cap is not None:
            key = seen_key(request.user_cap)
            command = pack_command(b"ZREM", key.encode(), request.hold_id.encode())
            self._call("uncount what a user saw", lambda exchange: exchange(command, 1))

    def settle(self, account_id: str, hold_id: str, spent: Spent) -> None:
        """As the protocol says."""
        self._end(account_id, hold_id, *_words(spent))

    def usage(self, account_id: str, names: Sequence[str]) -> Usage:
        """As the protocol says."""
        return self.usages({account_id: names})[account_id]

    def usages(self, asked: Mapping[str, Sequence[str]]) -> dict[str, Usage]:
        """As the protocol says; Redis serves others between the steps."""
        found: dict[str, Usage] = {}
        accounts = list(asked.items())
        for start in range(0, len(accounts), ACCOUNTS_AT_ONCE):
            some = accounts[start : start + ACCOUNTS_AT_ONCE]
            calls: list[Call] = [
                (account_keys(each), (self._generations.get(each, 0), *names)) for each, names in some
            ]
            replies = self._call("read budgets", partial(USAGE.run_many, calls=calls))
            for (account_id, names), reply in zip(some, replies, strict=True):
                found[account_id] = used = _usage(names, reply)
                self.expect(account_id, used.generation)
        return found

    def refresh(self, account_id: str, spent: Spent) -> bool:
        """As the protocol says."""
        seen = self._generations.get(account_id, 0)
        state, _ = self._run("refresh budgets", REFRESH, account_id, seen, *_words(spent))
        return bool(state == b"open")

    def rebuild(self, account_id: str, spent: Spent) -> None:
        """As the protocol says."""
        seen = self._generations.get(account_id, 0)
        self._run("rebuild budgets", REBUILD, account_id, seen, *_words(spent))

    def forget(self, account_id: str, names: Sequence[str]) -> None:
        """As the protocol says."""
        keys = account_keys(account_id)
        self._call("forget budgets", lambda exchange: FORGET.run(exchange, keys, *names))

    def expect(self, account_id: str, generation: int) -> None:
        """As the protocol says."""
        with self._lock:
            self._generations[account_id] = max(self._generations.get(account_id, 0), generation)

    def close(self) -> None:
        """Closes the connections."""
        self._server.close()

    def _count_seen(self, cap: UserCap, hold_id: str) -> bool:
        words = (hold_id, cap.cap.window_seconds * SECOND, cap.cap.count)
        return bool(
            self._call(
                "count what a user saw", lambda exchange: COUNT_SEEN.run(exchange, (seen_key(cap),), *words)
            )
        )

    def _end(self, account_id: str, hold_id: str, *words: str | int) -> None:
        keys = account_keys(account_id)
        self._call("end a hold", lambda exchange: SETTLE.run(exchange, keys, hold_id, *words))

    def _run(self, operation: str, script: Script, account_id: str, *words: str | int) -> list[Any]:
        """The reply of a script that tells the generation second; it is remembered."""
        keys = account_keys(account_id)
        reply: list[Any] = self._call(operation, lambda exchange: script.run(exchange, keys, *words))
        self.expect(account_id, int(reply[1]))
        return reply

    def _call(self, operation: str, command: Callable[[Exchange], Any]) -> Any:
        def run(server: _Server) -> Any:
            with redis_errors(operation, self._timeout):
                return command(server.exchange)

        return self._server.call(run)


def _usage(names: Sequence[str], reply: Sequence[Any]) -> Usage:
    _, generation, *used = reply
    if not int(generation):
        return Usage(0, dict.fromkeys(names, 0), dict.fromkeys(names, 0))
    spent, held = (dict(zip(names, map(int, used[place::2]), strict=True)) for place in (0, 1))
    return Usage(int(generation), spent, held)


def _words(spent: Spent) -> list[str | int]:
    return [word for name, micros in spent.items() for word in (name, micros)]
