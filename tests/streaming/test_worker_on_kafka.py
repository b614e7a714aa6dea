"""The worker on the other transport: a real broker, and the same result."""

from contextlib import closing
from pathlib import Path

from recsys.instants import SECOND
from recsys.stores.stream.kafka_stream import KafkaEventStream
from tests.kafka_broker import start_broker
from tests.streaming.test_worker import some_events
from tests.streaming.worker_world import PARTITIONS, World, differences, rows_at

WAIT_SECONDS = 5.0


def test_a_worker_on_kafka_counts_once_across_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path)
    with closing(start_broker()) as broker, closing(world):
        stream = KafkaEventStream(broker.servers, PARTITIONS, idempotent=False)
        with closing(stream):
            world.stream = stream  # type: ignore[assignment]
            first = some_events(world)
            world.send(*first)
            worker = world.worker()
            done = 0
            while done < len(first):
                done += worker.run_once(WAIT_SECONDS)
            # This worker is lost before it tells the broker anything of the next events.
            world.clock.now += 10 * SECOND  # or they would be near duplicates
            world.send(*(second := some_events(world)), first[0])
            lost = world.worker()
            assert lost.run_once(WAIT_SECONDS) > 0
            other = world.worker()
            while world.state().counters()["received"] < len(first) + len(second) + 1:
                other.run_once(WAIT_SECONDS)
            other.close()
            assert len(world.lake.read()) == len(first) + len(second)
            assert differences(world.online.rows, rows_at(world.lake.read(), world.clock.now)) == []
            assert [status.lag for status in stream.status()][:PARTITIONS] == [0, 0]
