"""The number of partitions belongs to the stream: another setting is refused, and changed by a command."""

import json
import threading

import pytest
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.config import Settings
from recsys.errors import ConfigError, DataError, StoreUnavailableError
from recsys.instants import now_micros
from recsys.jobs.stream.repartition import repartition_stream
from recsys.jobs.stream.run import drain_stream, open_runner
from recsys.jobs.stream.status import stream_report
from recsys.stores.redis.shop_claim import connect
from recsys.stores.stream.open import open_stream
from recsys.stores.stream.redis_partitions import PARTITIONS_KEY
from recsys.streaming.stream import partition_of
from tests.streaming.online_side import assert_online_equals_batch, online_rows
from tests.streaming.real_home import USERS, event, send

PEOPLE = [f"person-{number}" for number in range(40)]


def with_partitions(settings: Settings, count: int) -> Settings:
    return settings.model_copy(update={"stream": settings.stream.model_copy(update={"partitions": count})})


def views_of(settings: Settings) -> list[int]:
    rows = online_rows(settings, PEOPLE, [])["user_activity"]
    return [rows[person]["view_count_1d"] if person in rows else 0 for person in PEOPLE]


@pytest.fixture
def waiting(working: Settings) -> Settings:
    """Eight partitions, in which a view of each of forty people waits."""
    send(working, *(event(f"w-{person}", person, "i2") for person in PEOPLE))
    return working


@pytest.mark.parametrize("count", [4, 16])
def test_whoever_has_another_number_refuses_and_nothing_is_misplaced(waiting: Settings, count: int) -> None:
    other = with_partitions(waiting, count)
    with pytest.raises(
        ConfigError, match=f"= {count}, but the event stream has 8.*recsys stream repartition"
    ):
        drain_stream(other)
    with pytest.raises(ConfigError, match="has 8 partitions"):
        send(other, event("x", "ann", "i1"))
    report = stream_report(other)
    assert sum(row.lag for row in report.partitions) == 40
    assert [row.what for row in report.partitions] == ["users"] * 8 + ["catalogue"]
    assert "has 8 partitions" in report.problem
    assert drain_stream(waiting).events == 40  # the earlier setting again
    assert views_of(waiting) == [1] * 40
    assert stream_report(waiting).events["dead_letters"] == 0


@pytest.mark.parametrize("count", [4, 16])
def test_the_command_processes_what_waits_and_changes_the_number(waiting: Settings, count: int) -> None:
    other = with_partitions(waiting, count)
    result = CliRunner().invoke(
        app, ["stream", "repartition", "--json"], env={"RECSYS_STREAM__PARTITIONS": str(count)}
    )
    assert json.loads(result.stdout) == {"before": 8, "after": count, "events": 40}
    send(other, *(event(f"again-{person}", person, "i3", ago=1.0) for person in PEOPLE))
    with pytest.raises(ConfigError, match=f"has {count} partitions"):
        send(waiting, event("x", "ann", "i1"))
    assert drain_stream(other).events == 40
    assert views_of(other) == [2] * 40
    assert_online_equals_batch(other, [*USERS, *PEOPLE])
    report = stream_report(other)
    assert (sum(row.lag for row in report.partitions), report.events["dead_letters"]) == (0, 0)
    assert report.problem == ""
    repartition_stream(waiting)  # and back
    send(waiting, *(event(f"third-{person}", person, "i4", ago=0.5) for person in PEOPLE))
    assert drain_stream(waiting).events == 40
    assert views_of(waiting) == [3] * 40


def test_a_worker_that_runs_stops_when_the_number_changes(working: Settings) -> None:
    with open_runner(working) as runner:
        runner._share()
        repartition_stream(with_partitions(working, 16), pause=lambda seconds: None)
        with pytest.raises(ConfigError, match="has 16 partitions"):
            runner.run(threading.Event())
    repartition_stream(working)


def test_what_a_service_appends_while_the_number_changes_is_taken_back_and_refused(working: Settings) -> None:
    stream = open_stream(working)
    row = [(partition_of("ann", 8), json.dumps(event("a1", "ann", "i1")).encode())]
    stream.append(row, now_micros())
    drain_stream(working)
    connect(working).set(PARTITIONS_KEY, b"8>16")
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="being changed from 8"):
            stream.append(row, now_micros())
    connect(working).set(PARTITIONS_KEY, b"8")
    assert [status.lag for status in stream.status()] == [0] * 9
    stream.append([(row[0][0], json.dumps(event("a2", "ann", "i2")).encode())], now_micros())
    assert sum(status.lag for status in stream.status()) == 1
    assert drain_stream(working).events == 1
    assert [status.lag for status in stream.status()] == [0] * 9
    stream.close()


def test_partitions_of_another_worker_keep_the_number_as_it_was(waiting: Settings) -> None:
    with open_runner(waiting) as runner:
        runner._share()  # owns all partitions and does nothing
        with pytest.raises(DataError, match="40 events still wait"):
            repartition_stream(with_partitions(waiting, 16), lambda seconds: None, attempts=2)
    assert drain_stream(waiting).events == 40


def test_a_stream_of_before_the_number_was_kept_has_as_many_as_it_has(waiting: Settings) -> None:
    connect(waiting).delete(PARTITIONS_KEY)
    with pytest.raises(ConfigError, match="has 8 partitions"):
        drain_stream(with_partitions(waiting, 16))
    assert drain_stream(waiting).events == 40
    assert connect(waiting).get(PARTITIONS_KEY) == b"8"


def test_asking_for_the_status_settles_no_number(working: Settings) -> None:
    connect(working).delete(PARTITIONS_KEY)
    assert stream_report(working).problem == ""
    assert connect(working).get(PARTITIONS_KEY) is None


def test_a_letter_of_another_number_of_partitions_is_retried_where_it_belongs(working: Settings) -> None:
    stream = open_stream(working)
    wrong = (partition_of("ann", 8) + 1) % 8
    stream.append([(wrong, json.dumps(event("a1", "ann", "i2")).encode())], now_micros())
    drain_stream(working)
    before = online_rows(working, ["ann"], [])["user_activity"]["ann"]["view_count_1d"]
    assert CliRunner().invoke(app, ["stream", "dlq", "retry", "--all"]).exit_code == 0
    drain_stream(working)
    assert online_rows(working, ["ann"], [])["user_activity"]["ann"]["view_count_1d"] == before + 1
    assert stream.dead_letters() == []
    stream.close()
