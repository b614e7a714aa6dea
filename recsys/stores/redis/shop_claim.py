"""One database of Redis holds one shop: a key with the shop's id marks whose it is.

The mark is looked at on each new connection, before anything else is asked, so a client that reconnects to
another server is checked again and no request takes longer.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import redis

from recsys.addresses import masked_url
from recsys.config import Settings
from recsys.errors import ConfigError
from recsys.stores.redis.client import open_url, redis_errors
from recsys.stores.redis.server import redis_url
from recsys.stores.shop_identity import shop_id, short_id

MARK = b"recsys:shop"
ALL_KEYS = "recsys:*"
SCAN_KEYS = 1000
TAKE_OVER = "`recsys up --take-over`"
# One of these is there wherever an earlier version wrote features, events or a catalog.
_TRACES = (
    b"recsys:generations",
    b"recsys:popularity",
    b"recsys:{progress}",
    b"recsys:{catalogue}:state",
    b"recsys:item_content:schema",
    b"recsys:user_activity:schema",
)

log = logging.getLogger(__name__)


def connect(settings: Settings, timeout: float | None = None) -> redis.Redis:
    """A client of the server at `redis_url`, whose connections check whose server it is.

    Args:
        timeout: as in `open_url`.

    Raises:
        StoreUnavailableError: as `redis_url`.
    """
    return open_claimed(redis_url(settings), settings, timeout)


def open_claimed(url: str, settings: Settings, timeout: float | None = None) -> redis.Redis:
    """`open_url`, with connections that raise ConfigError where the server is another shop's."""
    return open_url(url, timeout, claim_on_connect(settings, masked_url(url)))


def claim_on_connect(settings: Settings, address: str) -> Callable[[Any], None] | None:
    """What a new connection does: marks the server as this shop's, or raises ConfigError if it is another's.

    None where the home has no shop yet: then there is nothing to mix.
    """
    shop = shop_id(settings)
    if shop is None:
        return None

    def check(connection: Any) -> None:
        connection.on_connect()
        try:
            _check(shop, address, lambda *words: _ask(connection, *words))
        except ConfigError:
            connection.disconnect()  # or the next command would go through
            raise

    return check


def async_claim_on_connect(settings: Settings, address: str) -> Callable[[Any], Awaitable[None]] | None:
    """The same for asyncio's connections; the first one is preceded by one that is not."""
    shop = shop_id(settings)
    if shop is None:
        return None

    async def check(connection: Any) -> None:
        await connection.on_connect()
        await connection.send_command("GET", MARK)
        owner = await connection.read_response()
        if owner is not None and owner.decode() != shop:
            await connection.disconnect()
            raise another_shop(shop, owner.decode(), address)

    return check


def claim_client(client: Any, settings: Settings, address: str) -> None:
    """Does the same once, for a client whose connections take no hook, as those of a cluster.

    Raises:
        ConfigError: the server is another shop's.
        StoreUnavailableError: it does not answer.
    """
    shop = shop_id(settings)
    if shop is None:
        return
    with redis_errors("look whose server it is"):
        _check(shop, address, client.execute_command)


def server_owner(settings: Settings, timeout: float) -> str | None:
    """The id in the mark of this home's server, None without; writes nothing.

    Raises:
        StoreUnavailableError: there is no server.
    """
    with redis_errors("look whose server it is", timeout), open_url(redis_url(settings), timeout) as client:
        owner: bytes | None = client.get(MARK)
    return None if owner is None else owner.decode()


def take_over(settings: Settings) -> int:
    """Makes the server of `settings` this shop's; deletes the keys of recsys there if it was another's.

    Returns:
        How many keys were deleted.

    Raises:
        ConfigError: nothing was imported into this home, so it is no shop yet.
        StoreUnavailableError: there is no server, or it does not answer.
    """
    shop = shop_id(settings)
    if shop is None:
        raise ConfigError(f"{settings.paths.home} holds no shop yet. Run `recsys data import` first.")
    with redis_errors("take over"), open_url(redis_url(settings)) as client:
        mark = client.get(MARK)
        if mark == shop.encode():
            return 0
        # Nobody's until it is empty: neither shop connects meanwhile, and what was cut short is repeated.
        client.set(MARK, f"{shop} takes over")
        _close_other_connections(client)
        deleted = int(mark is not None)
        for key in client.scan_iter(ALL_KEYS, count=SCAN_KEYS):
            if key != MARK:
                deleted += int(client.unlink(key))
        client.set(MARK, shop)
        return deleted


def _close_other_connections(client: redis.Redis) -> None:
    """Makes whoever uses this database connect again, and so look whose it is: services that run, too."""
    try:
        own: Any = client.client_info()
        others: Any = client.client_list()
        for other in others:
            if other["db"] == str(own["db"]) and other["id"] != str(own["id"]):
                client.client_kill_filter(_id=other["id"], skipme=True)
    except redis.exceptions.ResponseError as error:  # a server that does not allow it
        log.warning(
            "connections of the other shop may be open still (%s): stop its services and workers, then run "
            "%s again.",
            error,
            TAKE_OVER,
        )


def another_shop(shop: str, owner: str, address: str) -> ConfigError:
    """The error for a server of shop `owner` that a home of `shop` was told to use."""
    return ConfigError(
        f"{address} holds the features and events of shop {short_id(owner)}, and this home is shop "
        f"{short_id(shop)}. Point REDIS_URL to another database of it (/1 for /0) or another server. If it "
        "is the same shop, copy shop.json from its home or set RECSYS_SHOP__ID. To delete what "
        f"{short_id(owner)} has there and use it for this shop, run {TAKE_OVER}."
    )


def _check(shop: str, address: str, ask: Callable[..., Any]) -> None:
    owner = ask("GET", MARK)
    if owner is None:
        owner = _claimed(shop, address, ask)
    if owner is not None and owner.decode() != shop:
        raise another_shop(shop, owner.decode(), address)


def _claimed(shop: str, address: str, ask: Callable[..., Any]) -> bytes | None:
    """Marks the server unless another process has; returns whose mark it has now."""
    used = any(ask("EXISTS", key) for key in _TRACES)
    try:
        marked = ask("SET", MARK, shop, "NX")
    except redis.exceptions.ReadOnlyError:  # a replica: its primary is marked
        return None
    if marked and used:
        log.warning(
            "%s had features or events of recsys and no shop's mark: from now on it is the server of this "
            "shop, %s. If they are of another shop, %s deletes them.",
            address,
            short_id(shop),
            TAKE_OVER,
        )
    owner: bytes | None = ask("GET", MARK)
    return owner


def _ask(connection: Any, *words: Any) -> Any:
    connection.send_command(*words)
    return connection.read_response()
