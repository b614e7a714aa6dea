"""`recsys keys` from the command line to the database: what is shown, what is kept, what is refused."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from recsys.access.keys import check_name, contains_key, digest_of, key_id_of, new_key
from recsys.access.roles import Role
from recsys.cli.app import app
from recsys.config import Settings
from recsys.errors import RequestError, UnknownCampaignError
from recsys.jobs.access.keys import create_key, list_keys, revoke_keys, rotate_key
from recsys.jobs.ads.accounts import AccountEditing
from recsys.stores.access.key_store import SqlKeyStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def in_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "recsys.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    for name in ("RECSYS_HOME", "DATABASE_URL", "RECSYS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["keys", *words])


def json_of(*words: str) -> Any:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_keys_are_long_random_and_tell_their_id() -> None:
    made = [new_key() for _ in range(100)]
    assert len({text for _, text in made}) == len({key_id for key_id, _ in made}) == 100
    for key_id, text in made:
        assert key_id_of(text) == key_id
        assert len(text) == len("rsk_") + 12 + len("_") + 43
        assert contains_key(f"?key={text}&x=1")
    assert key_id_of(made[0][1] + "x") is None
    assert key_id_of("rsk_") is None


def test_the_key_is_in_no_file_only_its_hash(settings: Settings) -> None:
    made = create_key(settings, "web", Role.STOREFRONT)
    stored = b"".join(path.read_bytes() for path in settings.paths.home.rglob("*") if path.is_file())
    secret = made.text.split("_")[2].encode()
    assert secret not in stored
    assert digest_of(made.text).encode() in stored
    assert made.text not in repr(made)


def test_what_was_created_is_listed_without_its_secret(in_shop: Path) -> None:
    made = json_of("create", "web", "--role", "storefront", "--rate", "2.5", "--expires", "90d")
    assert set(made) == {"key_id", "name", "role", "account", "rate", "expires_at", "key"}
    (listed,) = json_of("list")
    assert (listed["key_id"], listed["state"], listed["role"]) == (made["key_id"], "active", "storefront")
    assert (listed["rate"], listed["expires_at"]) == (2.5, made["expires_at"])
    assert "digest" not in listed
    created, ends = (datetime.fromisoformat(listed[name]) for name in ("created_at", "expires_at"))
    assert abs(ends - created - 90 * DAY) < timedelta(seconds=5)
    table = run("list")
    assert made["key_id"] in table.output
    assert made["key"] not in table.output
    people = run("create", "crm", "--role", "operator")
    assert "rsk_" in people.stdout
    assert "only time that the key is shown" in people.output


def test_an_advertisers_key_names_its_account_and_keeps_it_when_rotated(settings: Settings) -> None:
    account = AccountEditing(settings, "ann").create("acme", "UTC").account.account_id
    made = create_key(settings, "acme-web", Role.ADVERTISER, account="acme")
    assert made.record.account == account
    assert rotate_key(settings, "acme-web").record.account == account
    for role, given in ((Role.ADVERTISER, None), (Role.OPERATOR, "acme")):
        with pytest.raises(RequestError, match="--account goes with --role advertiser"):
            create_key(settings, "other", role, account=given)
    with pytest.raises(UnknownCampaignError, match="no account 'beta'"):
        create_key(settings, "other", Role.ADVERTISER, account="beta")
    assert len(list_keys(settings).keys) == 2


def test_a_key_is_rotated_and_both_are_valid_for_a_while(settings: Settings) -> None:
    made = create_key(settings, "web", Role.MERCHANDISER, 5.0, clock=lambda: NOW)
    new = rotate_key(settings, "web", clock=lambda: NOW + DAY)
    assert (new.record.name, new.record.role, new.record.rate) == ("web", "merchandiser", 5.0)
    assert new.replaces_until == NOW + 2 * DAY  # access.rotation_hours = 24
    with SqlKeyStore.open(settings) as store:
        keys = store.key_set(NOW + DAY).keys
    assert keys[made.record.key_id].has_expired(NOW + 2 * DAY - timedelta(seconds=1)) is False
    assert keys[made.record.key_id].has_expired(NOW + 2 * DAY) is True
    assert keys[new.record.key_id].digest == digest_of(new.text)


def test_a_key_that_others_may_have_seen_is_rotated_without_grace(in_shop: Path) -> None:
    made = json_of("create", "web", "--role", "storefront")
    new = json_of("rotate", "web", "--grace", "0m")
    states = {key["key_id"]: key["state"] for key in json_of("list")}
    assert states == {made["key_id"]: "expired", new["key_id"]: "active"}
    again = json_of("rotate", new["key_id"], "--grace", "7d", "--expires", "2999-01-01")
    assert again["expires_at"].startswith("2999-01-01")
    assert {key["state"] for key in json_of("list")} == {"expired", "replaced", "active"}


def test_revoking_names_what_it_revoked_and_keeps_it_listed(settings: Settings) -> None:
    create_key(settings, "web", Role.STOREFRONT, clock=lambda: NOW)
    rotate_key(settings, "web", clock=lambda: NOW)
    revoked = revoke_keys(settings, "web", clock=lambda: NOW)
    assert [key.state(NOW) for key in revoked.keys] == ["revoked", "revoked"]
    assert [key.state(NOW) for key in list_keys(settings).keys] == ["revoked", "revoked"]
    assert revoke_keys(settings, "web").keys == ()


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "ключ", "a\n", "0123456789ab", "../x", "a;b"])
def test_a_name_that_cannot_be_one_is_refused(settings: Settings, name: str) -> None:
    with pytest.raises(RequestError):
        check_name(name)
    with pytest.raises(RequestError):
        create_key(settings, name, Role.STOREFRONT)
    assert not settings.paths.home.exists()


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_lets_nothing_through_is_refused(settings: Settings, rate: float) -> None:
    with pytest.raises(RequestError, match="above 0"):
        create_key(settings, "web", Role.STOREFRONT, rate)


def test_an_end_that_has_passed_is_refused(settings: Settings) -> None:
    with pytest.raises(RequestError, match="has passed"):
        create_key(settings, "web", Role.STOREFRONT, expires_at=NOW, clock=lambda: NOW)
    create_key(settings, "web", Role.STOREFRONT, clock=lambda: NOW)
    with pytest.raises(RequestError, match="has passed"):
        rotate_key(settings, "web", expires_at=NOW, clock=lambda: NOW)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("create", "web", "--role", "king"), 2, "king"),
        (("create", "web"), 2, "--role"),
        (("create", "web", "--role", "operator", "--expires", "soon"), 1, "--expires 'soon'"),
        (("rotate", "web", "--grace", "1 day"), 2, "Write 30m, 24h or 7d"),
        (("rotate", "web"), 1, "no active key"),
        (("revoke", "web"), 1, "recsys keys list"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    in_shop: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = run(*words)
    if code == 1:  # `recsys` itself makes one line of these
        assert said in str(done.exception)
    else:
        assert (done.exit_code, said in done.output) == (2, True)


def test_a_home_of_an_earlier_version_gets_the_table(settings: Settings) -> None:
    create_key(settings, "web", Role.STOREFRONT)
    with sqlite3.connect(settings.paths.database) as database:
        names = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    assert {"access_keys", "bundles"} <= names
