"""Event streams whose server goes away, is killed, or is a little odd."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from recsys.config import Settings
from recsys.errors import ConfigError, StoreUnavailableError
from recsys.service_settings import StreamSettings
from recsys.stores.redis import server as redis_server
from recsys.stores.redis.client import open_url
from recsys.stores.redis.shop_claim import connect
from recsys.stores.stream.kafka_stream import KafkaEventStream
from recsys.stores.stream.open import open_progress, open_stream
from recsys.stores.stream.redis_stream import DEAD_LETTERS, RedisEventStream
from recsys.stores.stream.redis_stream_reader import entry_id, offset_of, partition_key
from recsys.streaming.stream import ADS, Entry, EventStream, StreamReader
from tests.fake_stream import FakeEventStream
from tests.kafka_broker import start_broker

NOW = 1_790_000_000_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A home whose embedded server is up."""
    home = Settings(home=tmp_path / "home", stream=StreamSettings(partitions=2))
    redis_server.start_server(home)
    yield home
    redis_server.stop_server(home)


def assert_away(stream: EventStream, reader: StreamReader, offset: int) -> None:
    """Every method says that the transport does not answer."""
    entry = Entry(0, 1, b"x", NOW)
    for call in (
        lambda: stream.append([(0, b"x")], NOW),
        lambda: stream.reader({0: 0}),
        lambda: stream.status(),
        lambda: stream.put_aside([(entry, "bad")], NOW),
        lambda: stream.dead_letters(),
        lambda: stream.drop(["0-1"]),
        lambda: reader.read(1, 2.0),
        lambda: reader.commit({0: offset}),
    ):
        with pytest.raises(StoreUnavailableError):
            call()


def test_the_fake_is_away_when_told() -> None:
    stream = FakeEventStream(2)
    reader = stream.reader({0: 0})
    stream.away = True
    assert_away(stream, reader, 1)


def test_redis_away_is_said_and_its_return_is_noticed(settings: Settings) -> None:
    with closing(open_stream(settings)) as stream:
        (offset,) = stream.append([(0, b"before")], NOW)
        reader = stream.reader({0: 0, 1: 0})
        redis_server.stop_server(settings)
        assert_away(stream, reader, offset)
        redis_server.start_server(settings)
        stream.append([(0, b"after")], NOW)
        assert [entry.body for entry in reader.read(10, 5.0)] == [b"before", b"after"]
        reader.commit({0: offset})
        assert stream.status()[0].lag == 1
        reader.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the client leaves the broken connection open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_kafka_away_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "aiokafka")
    broker = start_broker()
    with closing(KafkaEventStream(broker.servers, 2, timeout=1.0, idempotent=False)) as stream:
        (offset,) = stream.append([(0, b"x")], NOW)
        reader = stream.reader({0: 0})
        assert len(reader.read(1, 5.0)) == 1
        broker.close()
        assert_away(stream, reader, offset)


def test_appended_events_outlive_a_kill_of_the_server(settings: Settings) -> None:
    """kill -9 at once after each return; whatever was acknowledged is there after the restart."""
    expected: list[tuple[int, bytes]] = []
    for attempt in range(3):
        with closing(open_stream(settings)) as stream:
            texts = [b"%d-%d" % (attempt, number) for number in range(200)]
            expected += zip(stream.append([(0, text) for text in texts], NOW), texts, strict=True)
            os.kill(redis_server.server_status(settings).pid, signal.SIGKILL)
        redis_server.start_server(settings)
    with closing(open_stream(settings)) as stream, closing(stream.reader({0: 0})) as reader:
        entries = reader.read(1000, 5.0)
    assert [(entry.offset, entry.body) for entry in entries] == expected


def test_committed_offsets_and_letters_outlive_a_kill_of_the_server(settings: Settings) -> None:
    with closing(open_stream(settings)) as stream:
        offsets = stream.append([(0, b"a"), (0, b"b")], NOW)
        with closing(stream.reader({0: 0})) as reader:
            entries = reader.read(10, 5.0)
            reader.commit({0: offsets[0]})
        stream.put_aside([(entries[1], "bad")], NOW)
        os.kill(redis_server.server_status(settings).pid, signal.SIGKILL)
        redis_server.start_server(settings)
        status = stream.status()[0]
        assert (status.committed_offset, status.last_offset, status.lag) == (offsets[0], offsets[1], 1)
        assert [letter.entry for letter in stream.dead_letters()] == [entries[1]]


def test_committed_entries_are_trimmed_and_others_never(redis_client: redis.Redis) -> None:
    stream = RedisEventStream(redis_client, 2, keep_seconds=0.0)
    offsets = stream.append([(0, b"x" * 200)] * 3000, NOW)
    with closing(stream.reader({0: 0})) as reader:
        assert redis_client.xlen(partition_key(0)) == 3000
        assert len(reader.read(3000, 5.0)) == 3000
        reader.commit({0: offsets[1999]})
        left = redis_client.xlen(partition_key(0))
        assert 1000 <= left < 1200  # whole nodes of the stream are freed
        assert stream.status()[0].lag == 1000
    with closing(stream.reader({0: offsets[1999]})) as again:
        assert [entry.offset for entry in again.read(3000, 5.0)] == offsets[2000:]


def test_committed_entries_stay_as_long_as_they_are_kept(redis_client: redis.Redis) -> None:
    stream = RedisEventStream(redis_client, 2, keep_seconds=3600.0)
    offsets = stream.append([(0, b"x" * 200)] * 3000, NOW)
    with closing(stream.reader({0: 0})) as reader:
        reader.read(3000, 5.0)
        reader.commit({0: offsets[-1]})
    assert redis_client.xlen(partition_key(0)) == 3000


def test_what_another_group_has_not_read_is_not_trimmed(redis_client: redis.Redis) -> None:
    stream = RedisEventStream(redis_client, 2, keep_seconds=0.0)
    ads = RedisEventStream(redis_client, 2, ADS, keep_seconds=0.0, trims=False)
    offsets = stream.append([(0, b"x" * 200)] * 3000, NOW)
    with closing(ads.reader({0: 0})) as slow, closing(stream.reader({0: 0})) as reader:
        reader.read(3000, 5.0)
        reader.commit({0: offsets[1999]})
        assert redis_client.xlen(partition_key(0)) == 3000
        assert len(slow.read(3000, 5.0)) == 3000
        slow.commit({0: offsets[999]})
        assert redis_client.xlen(partition_key(0)) == 3000, "the group that trims is another"
        reader.commit({0: offsets[2999]})
        assert 2000 <= redis_client.xlen(partition_key(0)) < 2200
        assert (stream.status()[0].lag, ads.status()[0].lag) == (0, 2000)


def test_a_group_that_begins_late_reads_what_is_left(redis_client: redis.Redis) -> None:
    stream = RedisEventStream(redis_client, 2, keep_seconds=0.0)
    offsets = stream.append([(0, b"x" * 200)] * 3000, NOW)
    with closing(stream.reader({0: 0})) as reader:
        reader.read(3000, 5.0)
        reader.commit({0: offsets[1999]})
    left = redis_client.xlen(partition_key(0))
    ads = RedisEventStream(redis_client, 2, ADS, trims=False)
    with closing(ads.reader({0: ads.status()[0].committed_offset})) as late:
        assert len(late.read(3000, 5.0)) == ads.status()[0].lag == left


def test_lag_is_exact_after_trimming_and_from_any_beginning(redis_client: redis.Redis) -> None:
    stream = RedisEventStream(redis_client, 2, keep_seconds=0.0)
    offsets = stream.append([(0, b"x" * 200)] * 3000, NOW)
    with closing(stream.reader({0: 0})) as reader:
        reader.read(3000, 5.0)
        reader.commit({0: offsets[1499]})
    for place in (2999, 2500, 1600, 1499, 2000, 1700):  # forward and back from the group's position
        with closing(stream.reader({0: offsets[place]})):
            assert stream.status()[0].lag == 2999 - place
    length = redis_client.xlen(partition_key(0))
    with closing(stream.reader({0: 0})):
        assert stream.status()[0].lag == length


def test_a_worker_older_than_the_stream_is_told_that_it_missed_events(
    redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    stream = RedisEventStream(redis_client, 2, keep_seconds=0.0)
    offsets = stream.append([(0, b"x" * 200)] * 3000, NOW)
    with closing(stream.reader({0: 0})) as reader:
        reader.read(3000, 5.0)
        reader.commit({0: offsets[1999]})
    stream.reader({0: offsets[1999]}).close()
    assert caplog.messages == []
    stream.reader({0: offsets[10]}).close()
    (message,) = caplog.messages
    assert str(offsets[10]) in message
    assert "replay" in message


def test_a_group_of_another_hand_is_counted_from_the_beginning(redis_client: redis.Redis) -> None:
    stream = RedisEventStream(redis_client, 2)
    offsets = stream.append([(0, b"x")] * 10, NOW)
    redis_client.xgroup_create(partition_key(0), "features", entry_id(offsets[3]))  # entries-read unknown
    with closing(stream.reader({0: offsets[6]})):
        assert stream.status()[0].lag == 3


def test_a_stream_that_was_emptied_goes_on(redis_client: redis.Redis) -> None:
    """Ids are times, so that what comes after the loss is still behind the worker's offsets."""
    stream = RedisEventStream(redis_client, 2)
    (lost,) = stream.append([(0, b"lost")], NOW)
    redis_client.delete(partition_key(0))
    with closing(stream.reader({0: lost})) as reader:
        stream.append([(0, b"new")], NOW)
        assert [entry.body for entry in reader.read(10, 5.0)] == [b"new"]
        assert stream.status()[0].lag == 1


def test_an_entry_of_another_hand_is_given_to_be_put_aside(redis_client: redis.Redis) -> None:
    stream = RedisEventStream(redis_client, 2)
    name = redis_client.xadd(partition_key(0), {"hello": "world", "x": "y"})
    with closing(stream.reader({0: 0})) as reader:
        assert reader.read(10, 5.0) == [Entry(0, offset_of(name), b"hello world x y", 0)]


def test_a_clock_set_back_stops_appending_before_offsets_run_out(redis_client: redis.Redis) -> None:
    stream = RedisEventStream(redis_client, 2)
    ahead = (NOW // 1000 + 10**11) << 20  # some three years from now
    redis_client.xadd(partition_key(0), {"b": b"", "t": b"0"}, id=entry_id(ahead + (1 << 19)))
    (offset,) = stream.append([(0, b"the last one")], NOW)
    assert offset == ahead + (1 << 19) + 1
    with pytest.raises(StoreUnavailableError, match="clock was set back"):
        stream.append([(0, b"refused")], NOW)
    assert stream.status()[0].last_offset == offset


def test_the_newer_protocol_is_read_too(
    redis_address: redis_server.Address, redis_client: redis.Redis
) -> None:
    with closing(RedisEventStream(open_url(redis_address.url + "?protocol=3"), 2)) as stream:
        offsets = stream.append([(0, b"a"), (1, b"b")], NOW)
        with closing(stream.reader({0: 0, 1: 0})) as reader:
            assert [entry.body for entry in reader.read(10, 5.0)] == [b"a", b"b"]
            reader.commit({0: offsets[0]})
        assert [status.lag for status in stream.status()] == [0, 1, 0]


def test_a_refused_command_leaves_the_connection_in_step(redis_client: redis.Redis) -> None:
    stream = RedisEventStream(redis_client, 2)
    redis_client.set(partition_key(0), "not a stream")
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        stream.append([(0, b"a"), (1, b"b"), (0, b"c")], NOW)
    (offset,) = stream.append([(1, b"d")], NOW)
    assert offset > 0
    redis_client.set(DEAD_LETTERS, "not a hash")
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        stream.put_aside([(Entry(0, 1, b"x", NOW), "bad")], NOW)


def test_a_wait_longer_than_the_clients_timeout_is_no_failure(
    redis_address: redis_server.Address, redis_client: redis.Redis
) -> None:
    stream = RedisEventStream(open_url(redis_address.url, timeout=1.0), 2)
    with closing(stream), closing(stream.reader({0: 0})) as reader:
        assert reader.read(10, 1.2) == []


def test_a_broker_that_cannot_delete_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    with (
        closing(start_broker()) as broker,
        closing(KafkaEventStream(broker.servers, 2, keep_seconds=0.0, idempotent=False)) as stream,
        closing(stream.reader({0: 0})) as reader,
    ):
        offsets = stream.append([(0, b"a"), (0, b"b")], NOW)
        reader.read(10, 5.0)
        reader._trimmed_at -= 3600
        reader.commit({0: offsets[0]})
        assert "does not delete committed events" in caplog.text
        reader.commit({0: offsets[1]})
        assert stream.status()[0].committed_offset == offsets[1]


def test_a_topic_of_another_size_is_refused() -> None:
    with closing(start_broker()) as broker:
        with closing(KafkaEventStream(broker.servers, 2, idempotent=False)) as stream:
            stream.append([(0, b"x")], NOW)
        with (
            closing(KafkaEventStream(broker.servers, 4, idempotent=False)) as other,
            pytest.raises(ConfigError, match=r"stream\.partitions = 2"),
        ):
            other.append([(0, b"x")], NOW)


def test_no_broker_is_no_answer() -> None:
    with (
        closing(KafkaEventStream("127.0.0.1:1", 2, timeout=1.0)) as stream,
        pytest.raises(StoreUnavailableError, match="kafka_servers"),
    ):
        stream.append([(0, b"x")], NOW)


def test_the_transport_is_the_settings(settings: Settings) -> None:
    with closing(open_stream(settings)) as stream:
        assert (type(stream), stream.partitions) == (RedisEventStream, 2)
    kafka = settings.model_copy(update={"stream": StreamSettings(transport="kafka", partitions=3)})
    with closing(open_stream(kafka)) as stream:
        assert (type(stream), stream.partitions) == (KafkaEventStream, 3)
    open_progress(kafka).advance({0: 1}, [])
    with connect(settings) as client:
        assert client.exists("recsys:{progress}:visible")
