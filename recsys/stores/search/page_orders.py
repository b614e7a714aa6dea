"""Orders of first pages in Redis, each for some minutes, so that later pages go on in them."""

from typing import Any

import redis

from recsys.config import Settings
from recsys.stores.reconnecting import Reconnecting
from recsys.stores.redis.client import redis_errors
from recsys.stores.redis.shop_claim import connect

ORDER = "recsys:search:order:"


class RedisPageOrders:
    """A PageStore: any process of the shop finds what another has kept.

    Args:
        server: opened with the first page; Redis need not be up yet and may come back elsewhere.
        keep_seconds: how long an order is kept.
        timeout: of the connections, for messages.
    """

    def __init__(
        self, server: Reconnecting[redis.Redis], keep_seconds: int, timeout: float | None = None
    ) -> None:
        self._server = server
        self._keep_seconds = keep_seconds
        self._timeout = timeout

    @classmethod
    def open(cls, settings: Settings) -> "RedisPageOrders":
        """Those of the home's Redis."""
        timeout = settings.serving.feature_timeout_seconds  # a page waits for it as for features
        server = Reconnecting(lambda: connect(settings, timeout), lambda client: client.close())
        return cls(server, settings.search.page_seconds, timeout)

    def save(self, query_id: str, order: bytes) -> None:
        """Keeps the order of the answer `query_id`.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """

        def keep(client: Any) -> None:
            with redis_errors("keep the order of a page", self._timeout):
                client.set(ORDER + query_id, order, ex=self._keep_seconds)

        self._server.call(keep)

    def load(self, query_id: str) -> bytes | None:
        """The order of the answer `query_id`; None where it has expired.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """

        def read(client: Any) -> bytes | None:
            with redis_errors("read the order of a page", self._timeout):
                found: bytes | None = client.get(ORDER + query_id)
            return found

        return self._server.call(read)

    def close(self) -> None:
        """Closes the connection, if there is one."""
        self._server.close()
