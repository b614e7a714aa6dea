"""The description of the HTTP interface is true: random calls get only what it says."""

from dataclasses import fields
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.types import ASGIApp, Receive, Scope, Send

from recsys.events import EVENT_CLASSES


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_any_call_gets_what_the_description_says(shop, mode: GenerationMode) -> None:
    interface = schemathesis.openapi.from_asgi("/openapi.json", called_locally(shop.client.app))
    for found in interface.get_all_operations():
        operation = found.ok()

        @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(generation_mode=mode))
        def call(case: schemathesis.Case) -> None:
            # No schema can say which categories and attributes a shop has: others are refused with 422.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        if mode is GenerationMode.POSITIVE or takes_input(operation):
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


def test_every_route_is_described_with_its_errors(shop) -> None:
    paths = shop.client.get("/openapi.json").json()["paths"]
    assert {
        "/v1/recommend",
        "/v1/similar",
        "/v1/events",
        "/v1/history",
        "/livez",
        "/readyz",
        "/metrics",
    } < set(paths)
    for path in paths.values():
        for operation in path.values():
            assert {"401", "404", "413", "422", "429", "500", "503"} <= set(operation["responses"])
            error = operation["responses"]["422"]["content"]["application/json"]["schema"]
            assert error == {"$ref": "#/components/schemas/ErrorAnswer"}


def test_the_examples_of_the_description_work(shop) -> None:
    document = shop.client.get("/openapi.json").json()
    examples = document["components"]["schemas"]["RecommendBody"]["examples"]
    assert len(examples) > 1
    for example in examples:
        assert shop.recommend(**example).status_code == 200
    body = document["paths"]["/v1/events"]["post"]["requestBody"]["content"]["application/json"]
    assert {kind["title"] for kind in body["schema"]["items"]["anyOf"] if kind} == set(EVENT_CLASSES)
    for example in body["examples"].values():
        answer = shop.client.post("/v1/events", json=example["value"]).json()
        assert (answer["accepted"], answer["verdicts"]) == (1, [])


def test_the_fields_of_each_kind_are_described_as_they_are_taken(shop) -> None:
    content = shop.client.get("/openapi.json").json()["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    for kind in filter(None, content["application/json"]["schema"]["items"]["anyOf"]):
        name, known = kind["title"], {field.name for field in fields(EVENT_CLASSES[kind["title"]])}
        assert set(kind["properties"]) == known | {"kind"}, name
        least = {field: "x" for field in kind["required"]} | {"kind": name}
        assert shop.client.post("/v1/events", json=least).json()["accepted"] == 1, name
