"""What the store of experiments promises, on SQLite and on a real PostgreSQL alike."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from recsys.config import Settings
from recsys.errors import RequestError, StaleVersionError, StoreUnavailableError, UnknownEntryError
from recsys.experiments.experiment import Arm, Experiment
from recsys.stores.experiments.store import ExperimentStore
from recsys.stores.registry.database import database_url, open_engine, write_transaction

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
START = datetime(2026, 4, 1, 8, tzinfo=timezone(timedelta(hours=8)))
HOLDOUT = Experiment("ads-holdout", "2026-spring", START, START + timedelta(days=28))
OTHER = Experiment("layout", "other", START, share_ppm=500_000)


@pytest.fixture
def store(shop: Settings) -> Iterator[ExperimentStore]:
    with ExperimentStore.open(shop, lambda: NOW) as opened:
        yield opened


def test_an_experiment_is_kept_as_it_is(store: ExperimentStore) -> None:
    added = store.add(HOLDOUT, "ann", "spring")
    assert added == replace(HOLDOUT, version=1, changed_at=NOW)
    assert store.experiment("ads-holdout") == added
    store.add(OTHER, "ann")
    assert [each.name for each in store.experiments()] == ["ads-holdout", "layout"]
    assert store.experiment("layout").ends_at is None
    assert store.experiment("layout").arm("user:u1", START) in list(Arm)


def test_an_experiment_is_ended_and_its_share_changed_with_a_history(store: ExperimentStore) -> None:
    added = store.add(HOLDOUT, "ann", "spring")
    ended = replace(added, ends_at=START + timedelta(days=7), share_ppm=100_000)
    assert store.save(ended, "bob", "enough").version == 2
    assert store.save(store.experiment("ads-holdout"), "bob").version == 2  # nothing changed
    first, second = store.history("ads-holdout")
    assert (first.before, first.changed_by, first.remark) == (None, "ann", "spring")
    assert (second.before, second.changed_by, second.remark) == (first.after, "bob", "enough")
    assert (second.version, second.changed_at, second.after["share_ppm"]) == (2, NOW, 100_000)
    assert second.after["ends_at"] == "2026-04-08T00:00:00+00:00"
    assert [each.name for each in store.history()] == ["ads-holdout"] * 2


def test_a_stale_change_is_refused(store: ExperimentStore) -> None:
    added = store.add(HOLDOUT, "ann")
    store.save(replace(added, share_ppm=1), "bob")
    with pytest.raises(StaleVersionError, match="was read at version 1 and is at 2"):
        store.save(replace(added, share_ppm=2), "ann")


def test_people_never_change_arms_by_a_new_salt(store: ExperimentStore) -> None:
    added = store.add(HOLDOUT, "ann")
    with pytest.raises(RequestError, match="people would change arms"):
        store.save(replace(added, salt="new"), "ann")


def test_names_and_salts_are_given_once(store: ExperimentStore) -> None:
    store.add(HOLDOUT, "ann")
    with pytest.raises(RequestError, match="there is an experiment 'ads-holdout' already"):
        store.add(replace(HOLDOUT, salt="new"), "ann")
    with pytest.raises(RequestError, match="is that of experiment 'ads-holdout'"):
        store.add(replace(OTHER, salt="2026-spring"), "ann")
    assert len(store.history()) == 1


def test_an_unknown_experiment_is_named_with_the_nearest(store: ExperimentStore) -> None:
    store.add(HOLDOUT, "ann")
    with pytest.raises(UnknownEntryError, match="Did you mean 'ads-holdout'"):
        store.experiment("ads-holdot")


@pytest.mark.parametrize(
    "change", ["UPDATE experiment_changes SET remark = 'x'", "DELETE FROM experiment_changes"]
)
def test_the_history_cannot_be_changed(shop: Settings, store: ExperimentStore, change: str) -> None:
    store.add(HOLDOUT, "ann")
    engine = open_engine(database_url(shop))
    with (
        pytest.raises((DBAPIError, StoreUnavailableError), match="never changed"),
        write_transaction(engine) as connection,
    ):
        connection.execute(text(change))
    engine.dispose()
    assert len(store.history()) == 1
