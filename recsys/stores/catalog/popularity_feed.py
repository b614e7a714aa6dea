"""What is popular now, for services: forward-decayed weights of items in one sorted set of Redis."""

from collections.abc import Mapping
from typing import Any

import redis

from recsys.stores.redis.client import redis_errors

POPULARITY = "recsys:popularity"
WRITE_AT_ONCE = 5000


class PopularityFeed:
    """Item id -> score, see `recsys.retrieval.popularity.live_popularity` for what a score is.

    Scores are whole values, not increments: writing one again after a crash does no harm.
    """

    def __init__(self, client: redis.Redis, timeout: float | None = None) -> None:
        """Args:
        timeout: seconds after which the client gives up, for messages.
        """
        self._client: Any = client
        self._timeout = timeout

    def update(self, scores: Mapping[str, float]) -> None:
        """Sets the scores of these items.

        Raises:
            StoreUnavailableError: Redis does not answer; some scores may be set.
        """
        pairs = list(scores.items())
        with redis_errors("write popularity", self._timeout):
            for start in range(0, len(pairs), WRITE_AT_ONCE):
                self._client.zadd(POPULARITY, dict(pairs[start : start + WRITE_AT_ONCE]))

    def top(self, count: int) -> dict[str, float]:
        """The `count` items with the largest scores.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        with redis_errors("read popularity", self._timeout):
            found = self._client.zrevrange(POPULARITY, 0, count - 1, withscores=True)
        return {item.decode(): score for item, score in found}

    def clear(self) -> None:
        """Forgets all scores: what a rebuilt state begins with."""
        with redis_errors("clear popularity", self._timeout):
            self._client.delete(POPULARITY)
