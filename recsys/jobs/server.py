"""The Redis that holds a shop's online features: started, stopped, looked at."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.stores.redis import server as redis_server
from recsys.stores.redis.client import redis_errors
from recsys.stores.redis.server import ServerStatus
from recsys.stores.redis.shop_claim import connect, take_over

if TYPE_CHECKING:
    from recsys.jobs.ads.charging.charge_status import ChargeStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerReport:
    """How the server is.

    Attributes:
        ads: how far charge workers are; None where the shop has no advertiser, or it was not asked for.
    """

    status: ServerStatus
    ads: "ChargeStatus | None" = None

    def to_json(self) -> JsonObject:
        """What `recsys up` and `recsys status` print."""
        if self.ads is None:
            return asdict(self.status)
        ads = {f"ads_{name}": value for name, value in self.ads.to_json().items()}
        return {**asdict(self.status), **ads}


@dataclass(frozen=True)
class StoppedServer:
    """Whether a server was stopped: not if none ran."""

    stopped: bool

    def to_json(self) -> JsonObject:
        """What `recsys down` prints."""
        return {"stopped": self.stopped}


def start_server(settings: Settings) -> ServerReport:
    """Starts this home's server unless it runs already; with REDIS_URL set only asks whether that answers.

    Raises:
        ConfigError: the server is another shop's.
        StoreUnavailableError: REDIS_URL does not answer, there is no server program, or it ends at once.
    """
    report = ServerReport(redis_server.start_server(settings))
    with redis_errors("ping"), connect(settings) as client:
        client.ping()  # a server of another shop is refused here
    return report


@contextmanager
def running_server(settings: Settings) -> Iterator[None]:
    """This home's server as long as the block runs; one that ran before is left running.

    Where REDIS_URL or feature_store.yaml name a server, nothing is started.

    Raises:
        ConfigError: there is no feature repository, or the server is another shop's.
        StoreUnavailableError: there is no server program, or it ends at once.
    """
    from recsys.stores.features.feast_registry import load_configuration  # Feast takes seconds

    named = getattr(load_configuration(settings).online_store, "connection_string", "")
    if named or settings.redis_url is not None or redis_server.server_status(settings).running:
        yield
        return
    log.info("starting this home's Redis until the end: `recsys up` keeps one running")
    start_server(settings)
    try:
        yield
    finally:
        redis_server.stop_server(settings)


def take_server_over(settings: Settings) -> ServerReport:
    """Starts as `start_server` does, and deletes what another shop has on the server.

    Raises:
        ConfigError: nothing was imported into this home.
        StoreUnavailableError: as `start_server`.
    """
    redis_server.start_server(settings)
    deleted = take_over(settings)
    log.info("%d keys of another shop were deleted; `recsys features build` and Feast fill it anew", deleted)
    return start_server(settings)


def stop_server(settings: Settings) -> StoppedServer:
    """Stops this home's server once its data is on disk.

    Raises:
        StoreUnavailableError: it does not end.
    """
    if settings.redis_url is not None:
        log.info("REDIS_URL names a server that recsys did not start: it is left running.")
    return StoppedServer(redis_server.stop_server(settings))


def server_status(settings: Settings) -> ServerReport:
    """Asks the server what it holds, and how far charge workers are; one that is silent counts as down."""
    status = redis_server.server_status(settings)
    if not status.running:
        return ServerReport(status)
    from recsys.jobs.ads.charging.charge_status import charge_status  # SQLAlchemy takes a while

    return ServerReport(status, charge_status(settings))
