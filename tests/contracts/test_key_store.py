"""What a store of access keys promises: the fake, SQLite and PostgreSQL alike."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recsys.access.keys import KeyRecord, KeyStore, digest_of, new_key
from recsys.config import Settings
from recsys.errors import RequestError, StoreUnavailableError
from recsys.stores.access.key_store import SqlKeyStore, any_key_made
from tests.fake_keys import FakeKeyStore
from tests.postgres import fresh_database

NOW = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyStore]:
    if request.param == "fake":
        yield FakeKeyStore()
        return
    settings = Settings(home=tmp_path / "home")
    if request.param == "postgresql":
        url = fresh_database(request.getfixturevalue("postgres"))
        settings = Settings.model_validate({"home": tmp_path / "home", "database_url": url})
    with SqlKeyStore.open(settings) as opened:
        yield opened


def key(name: str = "web", role: str = "storefront", **fields: object) -> KeyRecord:
    key_id, text = new_key()
    made = KeyRecord(key_id, name, role, digest_of(text), created_at=NOW, created_by="ann")
    return replace(made, **fields)  # type: ignore[arg-type]


def test_a_key_is_kept_as_it_is(store: KeyStore) -> None:
    kept = key(rate=2.5, expires_at=NOW + DAY, account="acme", role="advertiser")
    store.add(kept)
    assert store.all_keys() == [kept]
    assert store.key_set(NOW).keys == {kept.key_id: kept}


def test_whether_any_key_was_made_is_true_from_the_first_on_revoked_or_not(store: KeyStore) -> None:
    assert store.key_set(NOW).any_made is False
    only = key()
    store.add(only)
    assert store.key_set(NOW).any_made is True
    store.revoke(only.key_id, NOW, "bob")
    assert store.key_set(NOW).keys == {}
    assert store.key_set(NOW).any_made is True


def test_a_name_has_one_key_that_was_not_revoked(store: KeyStore) -> None:
    store.add(key())
    with pytest.raises(RequestError, match="there is a key 'web' already"):
        store.add(key())
    store.revoke("web", NOW, "bob")
    store.add(key())


def test_of_many_who_take_a_name_at_once_one_gets_it(store: KeyStore) -> None:
    outcomes: list[str] = []

    def add() -> None:
        try:
            store.add(key())
            outcomes.append("added")
        except RequestError:
            outcomes.append("refused")

    threads = [threading.Thread(target=add) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(outcomes) == ["added", "refused", "refused", "refused"]


def test_revoking_by_id_is_one_key_and_by_name_all_of_it(store: KeyStore) -> None:
    first, second, other = key(), key(), key("crm")
    store.add(first)
    store.replace("web", second, NOW + DAY)
    store.add(other)
    assert [each.key_id for each in store.revoke(first.key_id, NOW, "bob")] == [first.key_id]
    assert set(store.key_set(NOW).keys) == {second.key_id, other.key_id}
    (revoked,) = store.revoke("web", NOW + HOUR, "eve")
    assert (revoked.key_id, revoked.revoked_at, revoked.revoked_by) == (second.key_id, NOW + HOUR, "eve")
    kept = {each.key_id: each for each in store.all_keys()}
    assert kept[first.key_id].revoked_by == "bob", "what was revoked stays as it was"
    assert kept[second.key_id] == revoked
    assert store.revoke("web", NOW, "bob") == []


@pytest.mark.parametrize("which", ["nobody", "", "' OR 1=1 --", "x" * 1000])
def test_what_no_key_is_called_cannot_be_revoked_or_replaced(store: KeyStore, which: str) -> None:
    store.add(key())
    with pytest.raises(RequestError, match="no active key"):
        store.revoke(which, NOW, "bob")
    with pytest.raises(RequestError, match="no active key"):
        store.replace(which, key(), NOW)
    assert len(store.key_set(NOW).keys) == 1


def test_a_replaced_key_is_valid_until_its_grace_is_over(store: KeyStore) -> None:
    old = key(rate=3.0, account="acme")
    store.add(old)
    new = store.replace(old.key_id, key("", ""), NOW + DAY)
    assert (new.name, new.role, new.rate, new.account) == ("web", "storefront", 3.0, "acme")
    keys = store.key_set(NOW).keys
    assert keys[new.key_id] == new
    assert keys[old.key_id].expires_at == NOW + DAY
    assert keys[old.key_id].replaced_by == new.key_id
    assert keys[old.key_id].state(NOW) == "replaced"
    assert keys[old.key_id].state(NOW + DAY) == "expired"


def test_a_replaced_key_does_not_outlive_its_own_end_and_hands_its_lifetime_on(store: KeyStore) -> None:
    old = key(expires_at=NOW + HOUR)
    store.add(old)
    new = store.replace("web", key("", "", created_at=NOW + HOUR / 2), NOW + DAY)
    assert store.key_set(NOW).keys[old.key_id].expires_at == NOW + HOUR
    assert new.expires_at == NOW + HOUR / 2 + HOUR


def test_a_name_is_rotated_again_and_again(store: KeyStore) -> None:
    store.add(key())
    for _ in range(3):
        store.replace("web", key("", ""), NOW + DAY)
    states = [each.state(NOW) for each in store.all_keys()]
    assert sorted(states) == ["active", "replaced", "replaced", "replaced"]


def test_long_expired_keys_are_not_read_any_more(store: KeyStore) -> None:
    old, recent = key("old", expires_at=NOW - 31 * DAY), key("recent", expires_at=NOW - DAY)
    store.add(old)
    store.add(recent)
    assert set(store.key_set(NOW).keys) == {recent.key_id}
    assert len(store.all_keys()) == 2


def test_the_last_use_is_coarse(store: KeyStore) -> None:
    kept = key()
    store.add(kept)

    def used() -> datetime | None:
        return store.all_keys()[0].last_used_at

    store.note_used({kept.key_id: NOW, "000000000000": NOW}, 10)
    assert used() == NOW
    store.note_used({kept.key_id: NOW + timedelta(minutes=9)}, 10)
    assert used() == NOW
    store.note_used({kept.key_id: NOW + timedelta(minutes=10)}, 10)
    assert used() == NOW + timedelta(minutes=10)
    store.note_used({}, 10)


def test_any_key_made_looks_and_makes_nothing(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    assert any_key_made(settings) is False
    assert not settings.paths.home.exists()
    with SqlKeyStore.open(settings) as store:
        assert any_key_made(settings) is False
        store.add(key())
    assert any_key_made(settings) is True


def test_a_database_that_is_away_is_an_error_of_ours(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with SqlKeyStore.open(settings) as store:
        store.close()
        settings.paths.database.unlink()
        settings.paths.database.mkdir()
        for ask in (store.all_keys, lambda: store.key_set(NOW), lambda: store.add(key())):
            with pytest.raises(StoreUnavailableError, match="the database"):
                ask()
