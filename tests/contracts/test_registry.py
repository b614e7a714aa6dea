"""What the registry promises, on SQLite and on a real PostgreSQL alike."""

import math
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError, StatementError

from recsys.config import Settings
from recsys.errors import ArtifactError, ArtifactNotFoundError, StoreUnavailableError
from recsys.models.manifest import Manifest
from recsys.stores.registry.database import database_url, open_engine, write_transaction
from recsys.stores.registry.registry import Registry
from recsys.stores.registry.tables import BundleRow, RunRow

START = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


class Clock:
    """One second later at every look."""

    def __init__(self) -> None:
        self.now = START
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self.now += timedelta(seconds=1)
            return self.now


@pytest.fixture
def registry(shop: Settings) -> Iterator[Registry]:
    with Registry.open(shop, Clock()) as opened:
        yield opened


def manifest(bundle_id: str, created_at: datetime = START, **metrics: float) -> Manifest:
    return Manifest(
        bundle_id=bundle_id,
        created_at=created_at,
        dataset="shop",
        protocol="all",
        repeats=True,
        services={},
        data_start=START,
        data_end=START,
        users=1,
        items=1,
        encoder="minilm",
        settings={},
        metrics={"recall@10": 0.1 + 0.2, **metrics},
    )


@pytest.fixture
def add(registry: Registry, shop: Settings) -> Callable[[str], None]:
    return lambda name: registry.register(manifest(name), shop.paths.bundles / name) and None


def test_a_run_is_kept_from_start_to_finish(registry: Registry) -> None:
    run_id = registry.start_run("train", {"retriever": {"width": 64}}, git_revision="abc")
    running = registry.run(run_id)
    assert (running.status, running.finished_at, running.metrics) == ("running", None, {})
    done = registry.finish_run(run_id, {"ndcg@10": 0.1 + 0.2})
    assert (done.status, done.metrics, done.error) == ("finished", {"ndcg@10": 0.1 + 0.2}, None)
    assert (done.settings, done.git_revision) == ({"retriever": {"width": 64}}, "abc")
    assert done.started_at == START + timedelta(seconds=1)
    assert done.finished_at == START + timedelta(seconds=2)


def test_a_run_with_an_error_has_failed(registry: Registry) -> None:
    run_id = registry.start_run("train", {})
    assert registry.finish_run(run_id, error="out of memory").status == "failed"
    assert registry.run(run_id).error == "out of memory"


def test_runs_are_listed_newest_first(registry: Registry) -> None:
    ids = [registry.start_run("train", {}, run_id=name) for name in ("one", "two", "three")]
    assert [run.run_id for run in registry.list_runs()] == ids[::-1]
    assert [run.run_id for run in registry.list_runs(limit=1)] == ["three"]


def test_an_unknown_run_is_not_found(registry: Registry) -> None:
    with pytest.raises(ArtifactNotFoundError, match="'nobody'"):
        registry.finish_run("nobody")
    with pytest.raises(ArtifactNotFoundError, match="'nobody'"):
        registry.register(manifest("a"), Path("a"), run_id="nobody")
    assert registry.list_bundles() == []


def test_a_run_id_is_taken_once(registry: Registry) -> None:
    registry.start_run("train", {}, run_id="one")
    with pytest.raises(ArtifactError, match="in the registry already"):
        registry.start_run("train", {}, run_id="one")


def test_a_new_bundle_is_a_candidate_and_knows_its_run(registry: Registry, shop: Settings) -> None:
    run_id = registry.start_run("train", {})
    bundle = registry.register(manifest("a"), shop.paths.bundles / "a", run_id)
    assert bundle == registry.get("a")
    assert (bundle.stage, bundle.run_id, bundle.promoted_at) == ("candidate", run_id, None)
    assert bundle.path == shop.paths.bundles / "a"
    assert bundle.metrics == {"recall@10": 0.1 + 0.2}


def test_a_metric_of_nothing_stays_nan(registry: Registry) -> None:
    registry.register(manifest("a", nothing=float("nan"), all=float("inf")), Path("a"))
    metrics = registry.get("a").metrics
    assert math.isnan(metrics["nothing"])
    assert metrics["all"] == math.inf


def test_a_bundle_id_is_taken_once(registry: Registry, add: Callable[[str], None]) -> None:
    add("a")
    with pytest.raises(ArtifactError, match="registered already"):
        add("a")
    assert [change.action for change in registry.history("a")] == ["register"]


def test_bundles_are_listed_newest_first(registry: Registry) -> None:
    for name, day in (("b", 2), ("c", 3), ("a", 1)):
        registry.register(manifest(name, START + timedelta(days=day)), Path(name))
    assert [bundle.bundle_id for bundle in registry.list_bundles()] == ["c", "b", "a"]


def test_a_home_that_moved_still_finds_its_bundles(
    registry: Registry, shop: Settings, tmp_path: Path, add: Callable[[str], None]
) -> None:
    add("a")
    registry.register(manifest("far"), tmp_path / "elsewhere" / "far")
    registry.close()
    moved = shop.model_copy(update={"home": tmp_path / "moved"})
    shop.home.mkdir(exist_ok=True)
    shop.home.rename(moved.home)
    with Registry.open(moved) as again:
        assert again.get("a").path == tmp_path / "moved" / "bundles" / "a"
        assert again.get("far").path == tmp_path / "elsewhere" / "far"


def test_nothing_is_in_production_at_first(registry: Registry) -> None:
    assert registry.production() is None
    assert registry.previous() is None
    with pytest.raises(ArtifactNotFoundError, match="none was promoted"):
        registry.rollback()


def test_a_promotion_archives_the_bundle_before(registry: Registry, add: Callable[[str], None]) -> None:
    for name in ("a", "b"):
        add(name)
        registry.promote(name, changed_by="ada")
    assert {bundle.bundle_id: bundle.stage for bundle in registry.list_bundles()} == {
        "a": "archived",
        "b": "production",
    }
    assert [(c.bundle_id, c.action, c.from_stage, c.to_stage, c.changed_by) for c in registry.history()] == [
        ("a", "register", None, "candidate", ""),
        ("a", "promote", "candidate", "production", "ada"),
        ("b", "register", None, "candidate", ""),
        ("a", "promote", "production", "archived", "ada"),
        ("b", "promote", "candidate", "production", "ada"),
    ]


def test_promoting_what_is_in_production_changes_nothing(
    registry: Registry, add: Callable[[str], None]
) -> None:
    add("a")
    first = registry.promote("a")
    changes = registry.history()
    assert registry.promote("a") == first
    assert registry.history() == changes


def test_an_unknown_bundle_is_not_found_and_production_stays(
    registry: Registry, add: Callable[[str], None]
) -> None:
    add("a")
    registry.promote("a")
    with pytest.raises(ArtifactNotFoundError, match=r"'b'.*recsys models list"):
        registry.promote("b")
    production = registry.production()
    assert production is not None
    assert production.bundle_id == "a"


def test_two_rollbacks_go_back_two_promotions(registry: Registry, add: Callable[[str], None]) -> None:
    for name in ("a", "b", "c"):
        add(name)
        registry.promote(name)
    assert registry.rollback().bundle_id == "b"
    assert registry.rollback().bundle_id == "a"
    with pytest.raises(ArtifactNotFoundError, match="'a' is the first"):
        registry.rollback()
    registry.promote("c")  # the way forward again: behind c there is now a
    assert registry.rollback().bundle_id == "a"


def test_a_rollback_to_another_bundle_than_was_checked_is_refused(
    registry: Registry, add: Callable[[str], None]
) -> None:
    for name in ("a", "b", "c"):
        add(name)
        registry.promote(name)
    with pytest.raises(ArtifactError, match="another promotion came between"):
        registry.rollback(expected="a")
    production = registry.production()
    assert production is not None
    assert production.bundle_id == "c"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["a", "b", "c", "rollback"]), max_size=8))
def test_production_is_always_the_top_of_the_stack(
    registry: Registry, shop: Settings, steps: list[str]
) -> None:
    prefix = f"{len(registry.list_bundles())}-"
    base = registry.production()
    stack = [base.bundle_id] if base else []
    depth = len(stack)  # what earlier examples promoted is below: never rolled back to
    for name in ("a", "b", "c"):
        registry.register(manifest(prefix + name), Path(name))
    for step in steps:
        if step != "rollback":
            registry.promote(prefix + step)
            if not stack or stack[-1] != prefix + step:
                stack.append(prefix + step)
        elif len(stack) > max(depth, 1):
            stack.pop()
            assert registry.rollback().bundle_id == stack[-1]
        production = registry.production()
        assert (production.bundle_id if production else None) == (stack[-1] if stack else None)
        stages = [bundle.stage for bundle in registry.list_bundles()]
        assert stages.count("production") == bool(stack)


def test_instants_come_back_as_aware_utc_to_the_microsecond(registry: Registry) -> None:
    tokyo = START.astimezone(timezone(timedelta(hours=9)))
    bundle = registry.register(manifest("a", tokyo), Path("a"))
    assert bundle.created_at == START
    assert bundle.created_at.tzinfo is UTC


def test_a_naive_instant_is_refused(registry: Registry) -> None:
    with pytest.raises(StatementError, match="no time zone"):
        registry.register(manifest("a", START.replace(tzinfo=None)), Path("a"))


def test_the_database_itself_refuses_a_second_production_bundle(
    registry: Registry, shop: Settings, add: Callable[[str], None]
) -> None:
    add("a")
    add("b")
    engine = open_engine(database_url(shop))
    with pytest.raises(IntegrityError), write_transaction(engine) as connection:
        connection.execute(update(BundleRow).values(stage="production"))
    engine.dispose()


def test_the_database_itself_refuses_unknown_words_and_dangling_references(
    registry: Registry, shop: Settings, add: Callable[[str], None]
) -> None:
    add("a")
    engine = open_engine(database_url(shop))
    with pytest.raises(IntegrityError), write_transaction(engine) as connection:
        connection.execute(update(BundleRow).values(stage="retired"))
    with pytest.raises(IntegrityError), write_transaction(engine) as connection:
        connection.execute(update(BundleRow).values(run_id="nobody"))
    with pytest.raises(IntegrityError), write_transaction(engine) as connection:
        connection.execute(
            insert(RunRow).values(
                run_id="r", kind="train", status="lost", started_at=START, settings={}, metrics={}
            )
        )
    engine.dispose()


def in_threads(count: int, work: Callable[[int], object]) -> list[BaseException]:
    """Runs `work(0..count-1)` at the same time; returns what they raised."""
    raised: list[BaseException] = []
    together = threading.Barrier(count)

    def one(number: int) -> None:
        together.wait()
        try:
            work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def test_of_many_promotions_at_once_exactly_one_is_in_production(
    registry: Registry, shop: Settings, add: Callable[[str], None]
) -> None:
    names = [f"b{number}" for number in range(8)]
    for name in names:
        add(name)

    def promote(number: int) -> None:  # a registry each, as processes would have
        with Registry.open(shop) as own:
            own.promote(names[number])

    assert in_threads(8, promote) == []
    stages = [bundle.stage for bundle in registry.list_bundles()]
    assert (stages.count("production"), stages.count("archived")) == (1, 7)
    assert len([c for c in registry.history() if c.to_stage == "production"]) == 8
    for _ in range(7):  # the log is one line of promotions: it can be walked back to its beginning
        registry.rollback()


def test_of_many_rollbacks_at_once_each_takes_one_step(
    registry: Registry, shop: Settings, add: Callable[[str], None]
) -> None:
    for name in ("a", "b", "c", "d"):
        add(name)
        registry.promote(name)
    assert in_threads(3, lambda number: registry.rollback()) == []
    production = registry.production()
    assert production is not None
    assert production.bundle_id == "a"


def test_many_open_an_empty_database_at_once(shop: Settings) -> None:
    def open_and_use(number: int) -> None:
        with Registry.open(shop) as own:
            own.start_run("train", {"number": number})

    assert in_threads(8, open_and_use) == []
    with Registry.open(shop) as registry:
        assert len(registry.list_runs()) == 8


def test_a_reader_sees_either_the_old_or_the_new_production(
    registry: Registry, add: Callable[[str], None]
) -> None:
    for name in ("a", "b"):
        add(name)
    registry.promote("a")
    seen: set[str | None] = set()
    done = threading.Event()

    def poll() -> None:
        while not done.is_set():
            bundle = registry.production()
            seen.add(bundle.bundle_id if bundle else None)

    reader = threading.Thread(target=poll)
    reader.start()
    for name in ("b", "a") * 10:
        registry.promote(name)
    done.set()
    reader.join(30)
    assert None not in seen
    assert seen <= {"a", "b"}


def test_read_only_gives_the_same_answers(
    registry: Registry, shop: Settings, add: Callable[[str], None]
) -> None:
    add("a")
    registry.promote("a")
    with Registry.read_only(shop) as reader:
        assert reader.production() == registry.production()
        assert reader.history() == registry.history()


def test_read_only_refuses_to_write_an_sqlite_file(tmp_path: Path) -> None:
    shop = Settings(home=tmp_path)
    Registry.open(shop).close()
    with Registry.read_only(shop) as reader, pytest.raises(StoreUnavailableError, match="readonly"):
        reader.start_run("train", {})


def test_read_only_of_nothing_is_not_found(shop: Settings) -> None:
    with pytest.raises(ArtifactNotFoundError, match="registry at"):
        Registry.read_only(shop)
    assert not shop.paths.database.exists()
