"""The event stream that the settings name, and the workers' progress beside it."""

from recsys.config import Settings
from recsys.stores.redis.shop_claim import connect
from recsys.stores.stream.progress import PREFIX, RedisProgress
from recsys.stores.stream.redis_partitions import StreamPartitions
from recsys.streaming.stream import FEATURES, EventStream

TIMEOUT_SECONDS = 5.0


def open_stream(settings: Settings, group: str = FEATURES) -> EventStream:
    """The stream of `settings.stream.transport` as a group reads it; close it after use.

    Only the features' group deletes what is old, and nothing that another group has not read.

    Raises:
        ConfigError: Kafka is asked for and its client is not installed.
        StoreUnavailableError: there is no server.
    """
    stream, trims = settings.stream, group == FEATURES
    keep = stream.keep_seconds
    if stream.transport == "kafka":
        from recsys.stores.stream.kafka_stream import KafkaEventStream

        return KafkaEventStream(stream.kafka_servers, stream.partitions, group, keep, trims=trims)
    from recsys.stores.stream.redis_stream import RedisEventStream

    client = connect(settings, TIMEOUT_SECONDS)
    return RedisEventStream(client, stream.partitions, group, keep, trims)


def stored_partitions(settings: Settings) -> int:
    """How many partitions of users the stream has: more or fewer than the settings say after these changed.

    Kafka says so itself: whoever opens a topic of another number is refused.

    Raises:
        StoreUnavailableError: there is no server.
    """
    own = settings.stream.partitions
    if settings.stream.transport == "kafka":
        return own
    return StreamPartitions(connect(settings, TIMEOUT_SECONDS)).read(own)


def open_progress(settings: Settings, group: str = FEATURES) -> RedisProgress:
    """The workers' progress of a group; it is in Redis with either transport.

    Raises:
        StoreUnavailableError: there is no server.
    """
    prefix = PREFIX if group == FEATURES else f"{PREFIX}:{group}"
    return RedisProgress(connect(settings, TIMEOUT_SECONDS), prefix)
