"""The service's log: one line a request, with its route and its id, and no id of anybody."""

import json
import logging
from collections.abc import Iterator

import pytest

from recsys.service_settings import LogSettings
from serving.logs import access_log, log_service

LOGGERS = ("", "recsys", "recsys.access", "bentoml", "uvicorn", "uvicorn.error", "circus")


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(each.handlers, each.level, each.propagate) for each in loggers]
    yield
    for each, (handlers, level, propagate) in zip(loggers, before, strict=True):
        each.handlers, each.propagate = handlers, propagate
        each.setLevel(level)


def test_a_request_is_one_line_with_its_route_and_no_text_of_the_client(
    shop, capsys: pytest.CaptureFixture[str]
) -> None:
    log_service(LogSettings(format="json"), access=True)
    answer = shop.client.get("/v1/history?user_id=ann&token=secret", headers={"X-Request-ID": "r1"})
    shop.client.post("/v1/recommend", content=b"{", headers={"Content-Type": "application/json"})
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert first["logger"] == "recsys.access"
    assert {name: first[name] for name in ("method", "status", "bytes", "request_id")} == {
        "method": "GET",
        "status": answer.status_code,
        "bytes": len(answer.content),
        "request_id": "r1",
    }
    assert first["route"].startswith("/v1/history")
    assert "ann" not in json.dumps(first)
    assert "secret" not in json.dumps(first)
    assert first["ms"] >= 0
    assert (second["route"], second["status"]) == ("/v1/recommend", 400)


@pytest.mark.parametrize(
    ("setting", "default", "written"),
    [("auto", True, True), ("auto", False, False), ("on", False, True), ("off", True, False)],
)
def test_the_setting_turns_the_access_log_on_and_off(setting: str, default: bool, written: bool) -> None:
    log_service(LogSettings.model_validate({"access": setting}), access=default)
    assert access_log.isEnabledFor(logging.INFO) is written


def test_a_fault_is_logged_with_its_request_and_without_the_clients_words(
    shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log_service(LogSettings(format="json"), access=False)

    def fail(*_: object) -> None:
        raise ValueError("user 4111 1111")

    monkeypatch.setattr(type(shop.deployment.bundles), "storefront", fail)
    answer = shop.recommend(user_id="4111 1111")
    assert answer.status_code == 500
    [line] = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert found["request_id"] == answer.headers["X-Request-ID"]
    assert found["level"] == "error"
    assert "ValueError" in found["exception"]
    assert "4111" not in line
