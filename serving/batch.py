"""Many requests for slates in one body, each answered by itself."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import anyio
from pydantic import ValidationError

from recsys.documents import JsonObject
from recsys.errors import RecsysError
from recsys.funnel.slate import Slate
from serving.deployment import Deployment
from serving.errors import TIMEOUT, Failure, failure_of
from serving.schemas.recommendations import RecommendBody
from serving.validation import invalid_fields

log = logging.getLogger("recsys.serving")
ANSWERED = "ok"  # among the codes of rows, in metrics


class BatchRecommender:
    """Answers the rows of batches: a slate or an error for each, in their order.

    All batches together compute in half of the settings' threads, so that single requests find a free one.
    A row has the time limit of a single request, from when its turn comes; a whole batch has its own.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._turns = anyio.Semaphore(max(1, deployment.settings.workers // 2))

    async def answer(self, rows: Sequence[Any], request_id: str, language: str) -> list[Slate | JsonObject]:
        """What each of `rows`, bodies of /v1/recommend, is answered; never raises for one of them.

        Args:
            request_id: of the batch; that of a row is `<request_id>-<n>`, n from 0.
            language: of the reasons, for rows that name none.
        """
        answers: list[Slate | Failure | None] = [None] * len(rows)
        ids = [f"{request_id}-{place}" for place in range(len(rows))]

        async def answer_row(place: int) -> None:
            answers[place] = await self._answer_row(rows[place], ids[place], language)

        seconds = self._deployment.settings.batch_timeout_seconds
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for place in range(len(rows)):
                    group.create_task(answer_row(place))
        except TimeoutError:
            log.warning("batch %s was not done within %g s", request_id, seconds)
        late = Failure(
            503,
            f"the batch was not done within {seconds:g} s",
            TIMEOUT,
            "Send this row again, or fewer at a time.",
        )
        return [self._counted(found or late, row_id) for found, row_id in zip(answers, ids, strict=True)]

    async def _answer_row(self, row: Any, request_id: str, language: str) -> Slate | Failure:
        try:
            body = RecommendBody.model_validate(row)
            request = body.to_request(request_id, language)
            return await self._deployment.recommend(request, body.token, self._turns)
        except ValidationError as error:
            return invalid_fields(error.errors(include_url=False), RecommendBody)
        except (RecsysError, TimeoutError) as error:
            return failure_of(error)
        except Exception as error:
            log.exception("request %s failed", request_id)
            return failure_of(error)

    def _counted(self, answer: Slate | Failure, request_id: str) -> Slate | JsonObject:
        """`answer` as it is sent."""
        if isinstance(answer, Slate):
            self._deployment.metrics.batch_rows.labels(ANSWERED).inc()
            return answer
        self._deployment.metrics.batch_rows.labels(answer.code).inc()
        return answer.as_document(request_id)
