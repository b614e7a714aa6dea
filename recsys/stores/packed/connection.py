"""Redis clients of a Feast repository: from its `connection_string`, or found with nothing configured."""

from typing import Any

from feast import RepoConfig
from feast.infra.online_stores.redis import RedisOnlineStore
from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from recsys.config import Settings, load_settings
from recsys.errors import ConfigError
from recsys.stores.redis.client import READ_SIZE, open_url
from recsys.stores.redis.server import redis_url


def open_client(config: RepoConfig, settings: Settings | None = None, timeout: float | None = None) -> Any:
    """A client of the repository's Redis, cluster or sentinel.

    Args:
        settings: where to find the server if the repository does not say; default: those of its folder.
        timeout: seconds for a connection and for each reply; None waits for ever.

    Raises:
        ConfigError: `client: glide`.
        StoreUnavailableError: nothing is configured and no embedded server runs.
    """
    url = _url(config, settings)
    if url:
        return open_url(url, timeout)
    if timeout is None:
        return RedisOnlineStore()._get_client(config.online_store)
    limits = f",socket_timeout={timeout},socket_connect_timeout={timeout}"
    online = config.online_store.model_copy(
        update={"connection_string": config.online_store.connection_string + limits}
    )
    return RedisOnlineStore()._get_client(online)


async def open_async_client(config: RepoConfig) -> Any:
    """An asyncio client of the repository's Redis; it belongs to the running event loop.

    Raises:
        as `open_client`.
    """
    url = _url(config, None)
    if not url:
        return await RedisOnlineStore()._get_client_async(config.online_store)
    retry = AsyncRetry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    return redis_asyncio.Redis.from_url(url, socket_read_size=READ_SIZE, retry=retry)


def _url(config: RepoConfig, settings: Settings | None) -> str:
    """A URL, or nothing where only Feast's own form of a connection string can say it."""
    online = config.online_store
    if online.client != "redis":
        raise ConfigError("the packed store reads with redis-py: remove `client: glide` from online_store.")
    text: str = online.connection_string
    if text:
        return text if "://" in text else ""
    return redis_url(settings or load_settings(start=config.repo_path))
