"""Token buckets in Redis, one for all processes of a service."""

import hashlib
from collections.abc import Callable
from typing import Any

import redis

from recsys.access.rates import Grant, RateBound
from recsys.config import Settings
from recsys.stores.reconnecting import Reconnecting
from recsys.stores.redis.client import redis_errors
from recsys.stores.redis.shop_claim import connect

TIMEOUT_SECONDS = 0.1
RATE_KEY = "recsys:rate:"  # and the key's id

# The bucket of recsys/access/rates.py by the server's clock, so that no process's clock matters. Numbers
# are written as text: Redis would cut the fraction of a returned number off.
_TAKE = """
local rate, capacity, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1] or capacity), tonumber(kept[2] or now)
tokens = math.min(tokens + math.max(now - at, 0) * rate, capacity)
local granted = math.min(wanted, math.floor(tokens + 1e-9))
local wait = 0
if granted == 0 then wait = (1 - tokens) / rate end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.9f', tokens - granted), 'at',
  string.format('%.6f', math.max(now, at)))
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / rate * 1000) + 1000)
return {granted, string.format('%.6f', wait)}
"""
_TAKE_SHA = hashlib.sha1(_TAKE.encode(), usedforsecurity=False).hexdigest()


class RedisRates:
    """A `TokenSource` that all processes share; one round trip a call."""

    def __init__(self, open_client: Callable[[], Any]) -> None:
        self._client = Reconnecting(open_client, lambda client: client.close())

    @classmethod
    def open(cls, settings: Settings) -> "RedisRates":
        """The buckets beside the shop's features; connects with the first call."""
        return cls(lambda: connect(settings, TIMEOUT_SECONDS))

    def take(self, key_id: str, bound: RateBound, wanted: int) -> Grant:
        """As the protocol says."""
        words = (f"{RATE_KEY}{key_id}", repr(bound.rate), repr(bound.capacity), wanted)
        granted, wait = self._client.call(lambda client: _take(client, words))
        return Grant(int(granted), float(wait))

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()


def _take(client: Any, words: tuple[str | int, ...]) -> Any:
    with redis_errors("count a key's requests", TIMEOUT_SECONDS):
        try:
            return client.evalsha(_TAKE_SHA, 1, *words)
        except redis.exceptions.NoScriptError:
            return client.eval(_TAKE, 1, *words)
