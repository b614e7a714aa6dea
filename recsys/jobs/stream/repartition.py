"""Changes the number of the event stream's partitions: what waits is processed first."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import ConfigError, DataError
from recsys.jobs.ads.charging.charge_status import charge_status
from recsys.jobs.ads.charging.charge_worker import drain_charges
from recsys.jobs.stream.run import drain_stream
from recsys.stores.redis.shop_claim import connect
from recsys.stores.stream.open import TIMEOUT_SECONDS, open_stream
from recsys.stores.stream.redis_partitions import StreamPartitions

ATTEMPTS, PAUSE_SECONDS = 30, 1.0  # for workers that hold partitions and are at work themselves


@dataclass(frozen=True)
class RepartitionResult:
    """How many partitions the stream had and has, and how many events were processed before the change."""

    before: int
    after: int
    events: int

    def to_json(self) -> JsonObject:
        """What `recsys stream repartition` prints."""
        return asdict(self)


def repartition_stream(
    settings: Settings, pause: Callable[[float], None] = time.sleep, attempts: int = ATTEMPTS
) -> RepartitionResult:
    """Gives the stream the number of partitions that the settings say.

    Meanwhile nobody can append. Cut short, it leaves the stream so; the next call goes on.

    Raises:
        ConfigError: the transport is Kafka.
        DataError: events still wait, in partitions that another worker owns; the number is as before.
        StoreUnavailableError: Redis or the disk.
    """
    after = settings.stream.partitions
    if settings.stream.transport != "redis":
        raise ConfigError(
            "Kafka itself adds partitions to a topic, one more than stream.partitions. Stop the services and "
            "let `recsys stream run --once` process what waits before that."
        )
    count = StreamPartitions(connect(settings, TIMEOUT_SECONDS))
    before = count.read(after)
    if before == after:
        count.end_change(after)
        return RepartitionResult(before, after, 0)
    earlier = settings.model_copy(
        update={"stream": settings.stream.model_copy(update={"partitions": before})}
    )
    count.begin_change(before, after)
    events = 0
    for _ in range(attempts):
        events += drain_stream(earlier).events
        drain_charges(earlier)
        if not (waiting := _waiting(earlier)):
            count.end_change(after)
            return RepartitionResult(before, after, events)
        pause(PAUSE_SECONDS)
    count.end_change(before)
    raise DataError(
        f"{waiting} events still wait in partitions that another worker owns; stream.partitions stays "
        f"{before}. Stop the workers, or let them finish, then run `recsys stream repartition` again."
    )


def _waiting(settings: Settings) -> int:
    charging = charge_status(settings)
    with closing(open_stream(settings)) as stream:
        return sum(status.lag for status in stream.status()) + (charging.waiting if charging else 0)
