"""Redis clients of a Feast repository: from its `connection_string`, or found with nothing configured."""

import asyncio
from typing import Any

from feast import RepoConfig
from feast.infra.online_stores.redis import RedisOnlineStore
from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from recsys.addresses import masked_url
from recsys.config import Settings, load_settings
from recsys.errors import ConfigError
from recsys.stores.redis.client import READ_SIZE, redis_errors
from recsys.stores.redis.server import redis_url
from recsys.stores.redis.shop_claim import async_claim_on_connect, claim_client, open_claimed


def open_client(config: RepoConfig, settings: Settings | None = None, timeout: float | None = None) -> Any:
    """A client of the repository's Redis, cluster or sentinel; it refuses a server of another shop.

    Args:
        settings: where to find the server if the repository does not say; default: those of its folder.
        timeout: seconds for a connection and for each reply; None waits for ever.

    Raises:
        ConfigError: `client: glide`, or a cluster or sentinel of another shop.
        StoreUnavailableError: nothing is configured and no embedded server runs.
    """
    settings = settings or load_settings(start=config.repo_path)
    url = repository_url(config, settings)
    if url:
        return open_claimed(url, settings, timeout)
    online = config.online_store
    if timeout is not None:
        limits = f",socket_timeout={timeout},socket_connect_timeout={timeout}"
        online = online.model_copy(update={"connection_string": online.connection_string + limits})
    client = RedisOnlineStore()._get_client(online)
    claim_client(client, settings, _shown(config))
    return client


async def open_async_client(config: RepoConfig) -> Any:
    """An asyncio client of the repository's Redis; it belongs to the running event loop.

    Raises:
        as `open_client`.
    """
    settings = load_settings(start=config.repo_path)
    # Whose server it is, is found out by a client that waits: once, and with one implementation.
    client = await asyncio.to_thread(open_client, config, settings)
    await asyncio.to_thread(_claim, client)
    client.close()
    url = repository_url(config, settings)
    if not url:
        return await RedisOnlineStore()._get_client_async(config.online_store)
    retry = AsyncRetry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    return redis_asyncio.Redis.from_url(
        url,
        socket_read_size=READ_SIZE,
        redis_connect_func=async_claim_on_connect(settings, masked_url(url)),
        retry=retry,
    )


def _claim(client: Any) -> None:
    with redis_errors("connect"):
        client.ping()


def _shown(config: RepoConfig) -> str:
    """The repository's own form of an address, without what follows host and port."""
    return str(config.online_store.connection_string).partition(",")[0]


def repository_url(config: RepoConfig, settings: Settings) -> str:
    """The URL of a repository's Redis, or nothing where only Feast's own form of an address can say it.

    Raises:
        ConfigError: `client: glide`.
        StoreUnavailableError: nothing is configured and no embedded server runs.
    """
    online = config.online_store
    if online.client != "redis":
        raise ConfigError("the packed store reads with redis-py: remove `client: glide` from online_store.")
    text: str = online.connection_string
    if text:
        return text if "://" in text else ""
    return redis_url(settings)
