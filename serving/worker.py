"""What one worker process holds: the deployment, the application before it, and its batches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.funnel.slate import Slate
from serving.app import create_app
from serving.batch import BatchRecommender
from serving.deployment import Deployment, open_deployment, set_memory_aside
from serving.middleware import guard, new_request_id


@dataclass(frozen=True)
class Worker:
    """An open worker; `close` closes what it holds."""

    deployment: Deployment
    app: FastAPI
    batches: BatchRecommender
    close: Callable[[], None]

    def guarded(self, other: ASGIApp) -> ASGIApp:
        """Another application behind the same guard: keys, bounds and request ids."""
        return guard(other, self.deployment)

    async def answer(self, requests: list[dict[str, Any]]) -> list[Slate | JsonObject]:
        """Slates for bodies of /v1/recommend, called within the process."""
        return await self.batches.answer(requests, new_request_id(), "en")


def open_worker(settings: Settings) -> Worker:
    """The worker that `settings` describe, see `open_deployment`."""
    deployment, close = open_deployment(settings)
    worker = Worker(deployment, create_app(deployment), BatchRecommender(deployment), close)
    set_memory_aside()
    return worker
