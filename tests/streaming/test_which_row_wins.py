"""Rows of a worker, of a batch, and of clocks that are wrong, in the real online store: which one is read."""

from datetime import timedelta

from recsys.config import Settings
from recsys.instants import utc_now
from recsys.jobs.stream.run import drain_stream, open_runner
from recsys.stores.features.build import build_features
from recsys.stores.features.feast_registry import open_repository
from tests.streaming.online_side import online_rows
from tests.streaming.real_home import event, send


def views(settings: Settings) -> tuple[int, int]:
    """How often ann viewed something and i2 was viewed, as the online store has it."""
    rows = online_rows(settings, ["ann"], ["i2"])
    return rows["user_activity"]["ann"]["view_count_1d"], rows["item_engagement"]["i2"]["item_view_count_1d"]


def killed_before_the_lake(settings: Settings) -> None:
    """Processes what has come as a worker that is killed before it writes to the lake."""
    patient = settings.model_copy(
        update={"stream": settings.stream.model_copy(update={"flush_seconds": 1e12})}
    )
    with open_runner(patient) as runner:
        runner._share()
        while runner._worker.run_once():
            pass


def materialize(settings: Settings) -> None:
    now = utc_now()
    open_repository(settings).materialize(now - timedelta(days=400), now)


def test_a_batch_takes_back_nothing_that_waits_for_the_lake(working: Settings) -> None:
    send(working, event("v2", "ann", "i2"))
    drain_stream(working)
    send(working, event("late", "ann", "i2", ago=60.0))  # before her newest: the row's instant stays
    killed_before_the_lake(working)
    assert views(working) == (3, 2)
    build_features(working, with_text=False)
    materialize(working)
    assert views(working) == (3, 2)
    assert drain_stream(working).events == 0
    assert views(working) == (3, 2)


def test_a_batch_of_before_takes_back_nothing_that_came_since(working: Settings) -> None:
    send(working, event("v2", "ann", "i2"))
    drain_stream(working)
    build_features(working, with_text=False)
    send(working, event("late", "ann", "i2", ago=60.0))
    drain_stream(working)
    materialize(working)
    assert views(working) == (3, 2)
    build_features(working, with_text=False)
    materialize(working)
    assert views(working) == (3, 2)
