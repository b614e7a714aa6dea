"""Two services on one database and one Redis: keys are made, counted together and revoked in seconds."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from recsys.access.roles import Role
from recsys.config import Settings
from recsys.jobs.access.keys import create_key, list_keys, revoke_keys, rotate_key
from recsys.stores.redis import server as redis_server
from serving.app import create_app
from serving.deployment import open_deployment
from tests.postgres import fresh_database

ROOT = Path(__file__).parents[2]
REVOKED_SECONDS = 5.0


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    server = Settings(home=tmp_path / "server")
    redis_server.start_server(server)
    found = {"home": tmp_path / "home", "root": ROOT}
    found["redis_url"] = SecretStr(redis_server.redis_url(server))
    if request.param == "postgresql":
        found["database_url"] = fresh_database(request.getfixturevalue("postgres"))
    yield Settings.model_validate(found)
    redis_server.stop_server(server)


@pytest.mark.slow
def test_two_services_share_keys_and_rates_and_learn_of_a_revocation(settings: Settings) -> None:
    with ExitStack() as stack:
        clients = []
        for _ in range(2):
            deployment, close = open_deployment(settings)
            stack.callback(close)
            clients.append(TestClient(create_app(deployment), base_url="http://127.0.0.1:3000"))

        def statuses(key: str | None) -> set[int]:
            headers = {"X-API-Key": key} if key else {}
            return {client.get("/openapi.json", headers=headers).status_code for client in clients}

        assert statuses(None) == {200}, "no key was made yet"
        made = create_key(settings, "web", Role.STOREFRONT)
        assert statuses(made.text) == {200}, "a key is valid at once, everywhere"
        assert statuses(None) == {401}
        assert {
            client.get("/metrics", headers={"X-API-Key": made.text}).status_code for client in clients
        } == {403}

        slow = create_key(settings, "slow", Role.OPERATOR, rate=0.01)
        answered = [
            client.get("/openapi.json", headers={"X-API-Key": slow.text}).status_code
            for client in (*clients, *clients)
        ]
        assert answered == [200, 429, 429, 429], "one request for both: the burst is max(0.01 * 2, 1)"

        new = rotate_key(settings, "web")
        assert statuses(made.text) == statuses(new.text) == {200}
        revoke_keys(settings, "web")
        revoked_at = time.monotonic()
        while statuses(made.text) != {401} or statuses(new.text) != {401}:
            assert time.monotonic() - revoked_at < REVOKED_SECONDS
            time.sleep(0.05)
    used = {key.name: key.last_used_at for key in list_keys(settings).keys}
    assert used["web"] is not None, "the last use is written when a service ends, at the latest"
