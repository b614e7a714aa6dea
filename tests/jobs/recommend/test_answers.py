"""What the terminal answers is what the service answers, and it says what is not as it should be."""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from recsys.config import Settings, load_settings
from recsys.errors import ArtifactNotFoundError, UnknownItemError
from recsys.filters import Filters
from recsys.funnel.requests import RecommendRequest, SimilarRequest
from recsys.health.problems import KINDS_BY_CODE
from recsys.instants import utc_now
from recsys.jobs.recommend.answers import explain_item, recommend_items, similar_items
from recsys.rules.rule_documents import parse_rule
from recsys.stores.rules.store import Author, RuleStore
from serving.app import create_app
from serving.deployment import open_deployment
from tests.test_stored_home import FIRST, assert_same, enter_folder, json_of, run_command, running_home

CLOSE = 1e-5  # popularity ages between two questions
CLOSED_PORT = "redis://127.0.0.1:1/0"

REQUESTS = [
    {"user_id": "u0", "k": 5},
    {"user_id": "u1", "k": 30, "diversity": 0.0},
    {"user_id": "u2", "k": 5, "allow_repeats": False, "language": "zh"},
    {"user_id": "u0", "k": 3, "context_item_id": "i3"},
    {"user_id": "u0", "k": 3, "context_category": "tools", "exclude": ["i4"]},
    {"user_id": "u0", "k": 9, "filters": {"categories": ["tea"], "price_max_micros": 9_000_000}},
    {"user_id": "unknown"},
    {},
]


@pytest.fixture(scope="module")
def stored_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with running_home(tmp_path_factory.mktemp("answers")) as folder:
        yield folder


@pytest.fixture
def home(stored_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a running home with a bundle."""
    enter_folder(monkeypatch, stored_folder)
    return load_settings()


@pytest.fixture
def service(home: Settings) -> Iterator[TestClient]:
    """The service of the home, once it knows what is popular now."""
    quick = {"live_seconds": 0.05, "popularity_seconds": 0.05}
    settings = home.model_copy(update={"serving": home.serving.model_copy(update=quick)})
    deployment, close = open_deployment(settings)
    loaded, end = deployment.bundles.current, time.monotonic() + 60
    while deployment.bundles.current is loaded and time.monotonic() < end:
        time.sleep(0.05)
    yield TestClient(create_app(deployment), base_url="http://127.0.0.1:3000")
    close()


def assert_same_slate(found: Any, answer: Any) -> None:
    """Equal but for id and instant of the request, what ages between two, and the service's problems."""
    for slate in (found, answer):
        del slate["request_id"], slate["at"], slate["features"]["freshness_seconds"]
    answer["degraded"] = [code for code in answer["degraded"] if code not in KINDS_BY_CODE]
    assert found["items"]
    assert_same(found, answer)


def as_document(answer: Any) -> Any:
    """`answer` as `--json` prints it."""
    return json.loads(json.dumps(asdict(answer), default=datetime.isoformat))


def request_of(body: dict[str, Any]) -> RecommendRequest:
    fields = body | {"filters": Filters(**body.get("filters", {})), "exclude": tuple(body.get("exclude", ()))}
    return RecommendRequest("r1", **fields)


@pytest.mark.slow
def test_the_terminal_gives_the_answers_of_the_service(home: Settings, service: TestClient) -> None:
    for body in REQUESTS:
        answer = service.post("/v1/recommend", json=body).json()
        assert_same_slate(as_document(recommend_items(home, request_of(body), utc_now())), answer)
    answer = service.post("/v1/similar", json={"item_id": "i3", "k": 5}).json()
    assert_same_slate(as_document(similar_items(home, SimilarRequest("r1", "i3", 5), utc_now())), answer)


@pytest.mark.slow
def test_commands_print_one_document_each_and_name_cold_starts(home: Settings) -> None:
    slate = json_of("recommend", "u0", "-k", "3", "--category", "tea", "--price-max", "9.00")
    assert {item["category"] for item in slate["items"]} == {"tea"}
    assert slate["bundle_id"] == home_bundle(home)
    assert json_of("similar", "i3", "-k", "2", "--bundle", FIRST)["bundle_id"] == FIRST
    shown = json_of("explain", "u0", slate["items"][0]["item_id"], "-k", "3", "--category", "tea")
    assert shown["position"] == 1
    assert shown["score"] == pytest.approx(slate["items"][0]["score"], rel=CLOSE)
    table = run_command("recommend", "unknown", "-k", "2")
    assert "p_click" in table.stdout
    assert "nothing is known of user 'unknown': a cold start" in table.stderr
    told = run_command("explain", "u0", "i4", "--category", "tea")
    assert "a filter: its category is 'tools'" in told.stdout


@pytest.mark.slow
def test_a_rule_is_in_force_within_five_seconds_in_the_service_and_at_once_in_the_terminal(
    home: Settings, service: TestClient
) -> None:
    body = {"user_id": "u0", "k": 3}
    first = service.post("/v1/recommend", json=body).json()["items"][0]["item_id"]
    rule = parse_rule({"id": "no-first", "do": [{"action": "hide", "items": [first]}]})
    with RuleStore.open(home) as store:
        version = store.put([rule], Author("ann")).version
        end = time.monotonic() + 5
        while (answer := service.post("/v1/recommend", json=body).json())["rules_version"] != version:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert [fired["rule_id"] for fired in answer["rules"]] == ["no-first"]
        assert first not in {item["item_id"] for item in answer["items"]}
        told = run_command("recommend", "u0", "-k", "3")
        assert "rule no-first (no-first): hide" in told.stderr
        found = json_of("explain", "u0", first, "-k", "3")
        assert [removal["code"] for removal in found["removals"]] == ["hidden_by_rule"]
        compared = json_of("recommend", "u0", "-k", "3", "--without-rules")
        assert compared["items"][0]["item_id"] == first
        store.remove("rule", "no-first", Author("ann"))


def home_bundle(home: Settings) -> str:
    [production] = [row["bundle_id"] for row in json_of("models", "list") if row["stage"] == "production"]
    return str(production)


@pytest.mark.slow
def test_a_store_that_is_away_is_named_and_answered_around(
    home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    away = home.model_copy(update={"redis_url": SecretStr(CLOSED_PORT)})
    with caplog.at_level(logging.WARNING, "recsys"):
        slate = recommend_items(away, RecommendRequest("r1", "u0", k=3), utc_now())
        found = explain_item(away, RecommendRequest("r1", "u0", k=3), "i3", utc_now())
    assert slate.degraded == ("online_features_unavailable",)
    assert len(slate.items) == 3
    assert not slate.cold_start, "nothing is known of a store that is away"
    assert found.features == ()
    assert "online features were not read" in caplog.text
    assert "recsys up" in caplog.text


@pytest.mark.slow
def test_what_is_not_there_is_an_error_with_its_name(home: Settings) -> None:
    with pytest.raises(UnknownItemError, match="'caviar'"):
        explain_item(home, RecommendRequest("r1", "u0"), "caviar", utc_now())
    with pytest.raises(ArtifactNotFoundError, match="'another'"):
        recommend_items(home, RecommendRequest("r1", "u0"), utc_now(), "another")


def test_without_a_bundle_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match="no bundle is in production"):
        recommend_items(Settings(home=tmp_path), RecommendRequest("r1", "u0"), utc_now())
