"""The routes by which operators and advertisers list, change and explain accounts and campaigns."""

from collections.abc import Callable
from enum import Enum
from typing import Annotated

from fastapi import Body, FastAPI, Path, Query, Request
from starlette.responses import Response

from recsys.access.roles import Permission
from recsys.jobs.ads.ads_admin import AdsAdmin, AdsCaller
from serving.access.caller import caller_of
from serving.deployment import Deployment
from serving.errors import FORBIDDEN, Failure, RejectedError
from serving.openapi import BODY_ERRORS, ERRORS, answers, headers_of
from serving.responses import json_response
from serving.schemas import advertising as schemas
from serving.schemas import advertising_answers as told
from serving.schemas import advertising_examples as examples
from serving.validation import JSON, takes

_TAGS: list[str | Enum] = ["advertising"]
_HEADERS = headers_of("X-Request-ID")
_PATH = "/v1/advertising"
AccountName = Annotated[
    schemas.EntryName,
    Path(description="id or name of an account", openapi_examples=examples.WHICH_ACCOUNT_EXAMPLES),
]
CampaignName = Annotated[
    schemas.EntryName,
    Path(
        description="id of a campaign, or its name where one account alone has it",
        openapi_examples=examples.WHICH_CAMPAIGN_EXAMPLES,
    ),
]
OfAccount = Annotated[
    schemas.EntryName | None,
    Query(
        description="of this account alone, by id or name", openapi_examples=examples.WHICH_ACCOUNT_EXAMPLES
    ),
]
Archived = Annotated[
    bool, Query(description="archived ones too", openapi_examples=examples.ARCHIVED_EXAMPLES)
]
FirstDay = Annotated[
    schemas.Day | None,
    Query(
        alias="from",
        description="the first day, of the account's time zone; default: seven days up to the last",
        openapi_examples=examples.DAY_EXAMPLES,
    ),
]
LastDay = Annotated[
    schemas.Day | None,
    Query(
        alias="to",
        description="the last day, included; default: today",
        openapi_examples=examples.DAY_EXAMPLES,
    ),
]


def add_advertising(app: FastAPI, deployment: Deployment) -> None:
    """Adds /v1/advertising."""
    _add_accounts(app, deployment)
    _add_account_changes(app, deployment)
    _add_campaigns(app, deployment)
    _add_campaign_changes(app, deployment)
    _add_decisions(app, deployment)
    _add_explanations(app, deployment)


def ads_caller(request: Request, deployment: Deployment) -> AdsCaller:
    """Who asks, for what there is to see and for the audit: the key by its name and id.

    Raises:
        RejectedError: status 403: the key is an advertiser's and names no account.
    """
    caller = caller_of(request.scope)
    key = None if caller is None else deployment.gate.keys.find(caller.key_id)
    name = "" if key is None else f"{key.name} "
    author = "unknown" if caller is None else f"key {name}{caller.key_id}"
    if caller is not None and caller.may(Permission.OPERATION):
        return AdsCaller(author, None)
    if caller is None or caller.account is None:
        remedy = "Make another one by `recsys keys create --role advertiser --account NAME`."
        raise RejectedError(Failure(403, "the key is of no account", FORBIDDEN, remedy))
    return AdsCaller(author, caller.account)


async def _answer(
    request: Request, deployment: Deployment, act: Callable[[AdsAdmin, AdsCaller], object]
) -> Response:
    """What `act` makes of accounts and campaigns for the one who asks."""
    caller = ads_caller(request, deployment)
    return json_response(await deployment.advertise(lambda admin: act(admin, caller)))


def _add_accounts(app: FastAPI, deployment: Deployment) -> None:
    @app.get(
        f"{_PATH}/accounts",
        operation_id="ads_accounts",
        summary="Accounts",
        response_model=told.AccountsAnswer,
        responses=answers(examples.ACCOUNTS, *ERRORS, 422),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def accounts(request: Request) -> Response:
        """All accounts; of an advertiser its own."""
        return await _answer(request, deployment, lambda admin, caller: admin.accounts(caller))

    @app.get(
        f"{_PATH}/accounts/{{account}}",
        operation_id="ads_account",
        summary="One account",
        response_model=told.AccountAnswer,
        responses=answers(examples.ACCOUNT, *ERRORS, 404, 422),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def account_of(account: AccountName, request: Request) -> Response:
        """The account as it is."""
        return await _answer(request, deployment, lambda admin, caller: admin.account(caller, account))


def _add_account_changes(app: FastAPI, deployment: Deployment) -> None:
    @app.post(
        f"{_PATH}/accounts",
        operation_id="create_ads_account",
        summary="Make an account",
        response_model=told.AccountAnswer,
        responses=answers(examples.ACCOUNT, *BODY_ERRORS),
        openapi_extra=_HEADERS,
        dependencies=[takes(JSON)],
        tags=_TAGS,
    )
    async def create_account(
        body: Annotated[schemas.AccountBody, Body(openapi_examples=examples.ACCOUNT_EXAMPLES)],
        request: Request,
    ) -> Response:
        """Makes an account. Its time zone stays, as its bills have days of that zone."""
        return await _answer(
            request, deployment, lambda admin, caller: admin.create_account(caller, body.model_dump())
        )

    @app.patch(
        f"{_PATH}/accounts/{{account}}",
        operation_id="change_ads_account",
        summary="Change an account",
        response_model=told.AccountAnswer,
        responses=answers(examples.ACCOUNT, *BODY_ERRORS, 404, 409),
        openapi_extra=_HEADERS,
        dependencies=[takes(JSON)],
        tags=_TAGS,
    )
    async def change_account(
        account: AccountName,
        body: Annotated[schemas.AccountChangeBody, Body(openapi_examples=examples.ACCOUNT_CHANGE_EXAMPLES)],
        request: Request,
    ) -> Response:
        """Renames the account, or changes what it may spend in a day."""
        return await _answer(
            request,
            deployment,
            lambda admin, caller: admin.change_account(
                caller, account, body.changes(), body.version, body.remark
            ),
        )


def _add_campaigns(app: FastAPI, deployment: Deployment) -> None:
    @app.get(
        f"{_PATH}/campaigns",
        operation_id="ads_campaigns",
        summary="Campaigns",
        response_model=told.CampaignsAnswer,
        responses=answers(examples.CAMPAIGNS, *ERRORS, 404, 422),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def campaigns(request: Request, account: OfAccount = None, archived: Archived = False) -> Response:
        """All campaigns, or those of one account; of an advertiser its own."""
        return await _answer(
            request, deployment, lambda admin, caller: admin.campaigns(caller, account, archived)
        )

    @app.get(
        f"{_PATH}/campaigns/{{campaign}}",
        operation_id="ads_campaign",
        summary="One campaign",
        response_model=told.CampaignAnswer,
        responses=answers(examples.CAMPAIGN, *ERRORS, 404, 422),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def campaign_of(campaign: CampaignName, request: Request) -> Response:
        """The campaign with its lines."""
        return await _answer(request, deployment, lambda admin, caller: admin.campaign(caller, campaign))


def _add_campaign_changes(app: FastAPI, deployment: Deployment) -> None:
    @app.post(
        f"{_PATH}/campaigns",
        operation_id="create_ads_campaign",
        summary="Make a campaign",
        response_model=told.CampaignAnswer,
        responses=answers(examples.CAMPAIGN, *BODY_ERRORS, 404),
        openapi_extra=_HEADERS,
        dependencies=[takes(JSON)],
        tags=_TAGS,
    )
    async def create_campaign(
        body: Annotated[schemas.CampaignBody, Body(openapi_examples=examples.CAMPAIGN_EXAMPLES)],
        request: Request,
    ) -> Response:
        """Makes a campaign. What an advertiser makes waits for a review."""
        return await _answer(
            request,
            deployment,
            lambda admin, caller: admin.create(caller, body.account, body.fields(), body.draft),
        )

    @app.patch(
        f"{_PATH}/campaigns/{{campaign}}",
        operation_id="change_ads_campaign",
        summary="Change a campaign",
        response_model=told.CampaignAnswer,
        responses=answers(examples.CAMPAIGN, *BODY_ERRORS, 404, 409),
        openapi_extra=_HEADERS,
        dependencies=[takes(JSON)],
        tags=_TAGS,
    )
    async def change_campaign(
        campaign: CampaignName,
        body: Annotated[schemas.CampaignChangeBody, Body(openapi_examples=examples.CAMPAIGN_CHANGE_EXAMPLES)],
        request: Request,
    ) -> Response:
        """Changes what is sent and leaves the rest. Other items or targets of an advertiser are reviewed."""
        return await _answer(
            request,
            deployment,
            lambda admin, caller: admin.change(caller, campaign, body.changes(), body.version, body.remark),
        )


def _add_decisions(app: FastAPI, deployment: Deployment) -> None:
    @app.post(
        f"{_PATH}/campaigns/{{campaign}}/status",
        operation_id="change_ads_status",
        summary="Pause, resume or archive",
        response_model=told.CampaignAnswer,
        responses=answers(examples.CAMPAIGN, *BODY_ERRORS, 404, 409),
        openapi_extra=_HEADERS,
        dependencies=[takes(JSON)],
        tags=_TAGS,
    )
    async def change_status(
        campaign: CampaignName,
        body: Annotated[schemas.StatusBody, Body(openapi_examples=examples.STATUS_EXAMPLES)],
        request: Request,
    ) -> Response:
        """Pauses, resumes or archives the campaign, or one of its lines."""
        return await _answer(
            request,
            deployment,
            lambda admin, caller: admin.change_status(
                caller, campaign, body.action, body.line, body.version, body.remark
            ),
        )

    @app.post(
        f"{_PATH}/campaigns/{{campaign}}/review",
        operation_id="review_ads_campaign",
        summary="Approve or reject",
        response_model=told.CampaignAnswer,
        responses=answers(examples.CAMPAIGN, *BODY_ERRORS, 404, 409),
        openapi_extra=_HEADERS,
        dependencies=[takes(JSON)],
        tags=_TAGS,
    )
    async def review(
        campaign: CampaignName,
        body: Annotated[schemas.ReviewBody, Body(openapi_examples=examples.REVIEW_EXAMPLES)],
        request: Request,
    ) -> Response:
        """Approves the campaign, or rejects it with a reason that the advertiser reads. For operators."""
        return await _answer(
            request,
            deployment,
            lambda admin, caller: admin.review(caller, campaign, body.reject, body.version),
        )


def _add_explanations(app: FastAPI, deployment: Deployment) -> None:
    @app.get(
        f"{_PATH}/campaigns/{{campaign}}/report",
        operation_id="ads_report",
        summary="What a campaign delivered",
        response_model=told.ReportAnswer,
        responses=answers(examples.REPORT, *ERRORS, 404, 422),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def report(
        campaign: CampaignName, request: Request, first: FirstDay = None, last: LastDay = None
    ) -> Response:
        """Requests, auctions, events and money, day by day."""
        return await _answer(
            request, deployment, lambda admin, caller: admin.report(caller, campaign, first, last)
        )

    @app.get(
        f"{_PATH}/campaigns/{{campaign}}/why-not",
        operation_id="ads_why_not",
        summary="Why a campaign is not shown",
        response_model=told.WhyNotAnswer,
        responses=answers(examples.WHY_NOT, *ERRORS, 404, 422),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def why_not(campaign: CampaignName, request: Request) -> Response:
        """What is wrong with the campaign now, and what serving saw in the last 24 hours."""
        return await _answer(request, deployment, lambda admin, caller: admin.why_not(caller, campaign))

    @app.get(
        f"{_PATH}/campaigns/{{campaign}}/history",
        operation_id="ads_history",
        summary="Who changed a campaign",
        response_model=told.HistoryOfCampaignAnswer,
        responses=answers(examples.HISTORY, *ERRORS, 404, 422),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def history(campaign: CampaignName, request: Request) -> Response:
        """Every change with the documents before and after."""
        return await _answer(request, deployment, lambda admin, caller: admin.history(caller, campaign))
