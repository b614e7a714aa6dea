"""The routes by which rules and synonyms are listed and changed, by keys of merchandisers."""

from enum import Enum
from typing import Annotated

from fastapi import Body, FastAPI, Path, Query, Request
from starlette.responses import Response

from serving.access.caller import caller_of
from serving.deployment import Deployment
from serving.openapi import BODY_ERRORS, ERRORS, answers, headers_of
from serving.responses import json_response
from serving.schemas import merchandising as schemas
from serving.validation import JSON, takes

_TAGS: list[str | Enum] = ["merchandising"]
_HEADERS = headers_of("X-Request-ID")
RuleId = Annotated[
    schemas.EntryName, Path(description="id of the rule", openapi_examples=schemas.RULE_ID_EXAMPLES)
]
SetName = Annotated[
    schemas.EntryName, Path(description="name of the set", openapi_examples=schemas.SET_NAME_EXAMPLES)
]
Force = Annotated[
    bool,
    Query(
        description="switch the set on although no query set was asked; recorded",
        openapi_examples=schemas.FORCE_EXAMPLES,
    ),
]


def add_merchandising(app: FastAPI, deployment: Deployment) -> None:
    """Adds /v1/rules and /v1/synonyms."""
    _add_rules(app, deployment)
    _add_synonyms(app, deployment)
    _add_synonym_changes(app, deployment)


def author_of(request: Request) -> str:
    """Who changes something: the key's id, for the history."""
    caller = caller_of(request.scope)
    return "unknown" if caller is None else f"key {caller.key_id}"


def _add_rules(app: FastAPI, deployment: Deployment) -> None:
    @app.get(
        "/v1/rules",
        operation_id="rules",
        summary="All rules",
        response_model=schemas.RulesAnswer,
        responses=answers(schemas.RULES, *ERRORS, 422),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def rules() -> Response:
        """All rules as they are stored, those that are switched off too."""
        return json_response(await deployment.merchandise(lambda admin: admin.rules()))

    @app.put(
        "/v1/rules/{rule_id}",
        operation_id="put_rule",
        summary="Add or replace a rule",
        response_model=schemas.ChangedAnswer,
        responses=answers(schemas.CHANGED, *BODY_ERRORS),
        openapi_extra=_HEADERS,
        dependencies=[takes(JSON)],
        tags=_TAGS,
    )
    async def put_rule(
        rule_id: RuleId,
        body: Annotated[schemas.RuleBody, Body(openapi_examples=schemas.RULE_EXAMPLES)],
        request: Request,
    ) -> Response:
        """Stores the rule under this id. It counts within 5 s in every process of the service."""
        document, author = body.to_document(rule_id), author_of(request)
        return json_response(await deployment.merchandise(lambda admin: admin.put_rule(document, author)))

    @app.delete(
        "/v1/rules/{rule_id}",
        operation_id="delete_rule",
        summary="Remove a rule",
        response_model=schemas.ChangedAnswer,
        responses=answers(schemas.REMOVED, *ERRORS, 404, 422),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def delete_rule(rule_id: RuleId, request: Request) -> Response:
        """Takes the rule out of force; its history stays."""
        author = author_of(request)
        return json_response(await deployment.merchandise(lambda admin: admin.remove_rule(rule_id, author)))


def _add_synonyms(app: FastAPI, deployment: Deployment) -> None:
    @app.get(
        "/v1/synonyms",
        operation_id="synonym_sets",
        summary="All sets of synonyms",
        response_model=schemas.SynonymSetsAnswer,
        responses=answers(schemas.SYNONYM_SETS, *ERRORS, 422),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def synonym_sets() -> Response:
        """All sets as they are stored, those that are switched off too."""
        return json_response(await deployment.merchandise(lambda admin: admin.synonyms()))

    @app.get(
        "/v1/synonyms/{set_name}",
        operation_id="synonym_set",
        summary="One set of synonyms",
        response_model=schemas.SynonymSetAnswer,
        responses=answers(schemas.SYNONYM_SET, *ERRORS, 404, 422),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def synonym_set(set_name: SetName) -> Response:
        """The set as it is stored."""
        return json_response(await deployment.merchandise(lambda admin: admin.synonym_set(set_name)))


def _add_synonym_changes(app: FastAPI, deployment: Deployment) -> None:
    @app.put(
        "/v1/synonyms/{set_name}",
        operation_id="put_synonym_set",
        summary="Add or replace a set of synonyms",
        response_model=schemas.ChangedAnswer,
        responses=answers(schemas.CHANGED, *BODY_ERRORS),
        openapi_extra=_HEADERS,
        dependencies=[takes(JSON)],
        tags=_TAGS,
    )
    async def put_synonym_set(
        set_name: SetName,
        body: Annotated[schemas.SynonymSetBody, Body(openapi_examples=schemas.SYNONYM_EXAMPLES)],
        request: Request,
        force: Force = False,
    ) -> Response:
        """Stores the set under this name. Switched on, it counts within 5 s in every process."""
        document, author = body.to_document(set_name), author_of(request)
        changed = await deployment.merchandise(lambda admin: admin.put_synonyms(document, author, force))
        return json_response(changed)

    @app.delete(
        "/v1/synonyms/{set_name}",
        operation_id="delete_synonym_set",
        summary="Remove a set of synonyms",
        response_model=schemas.ChangedAnswer,
        responses=answers(schemas.REMOVED, *ERRORS, 404, 422),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def delete_synonym_set(set_name: SetName, request: Request) -> Response:
        """Takes the set out of force; its history stays."""
        author = author_of(request)
        return json_response(
            await deployment.merchandise(lambda admin: admin.remove_synonyms(set_name, author))
        )
