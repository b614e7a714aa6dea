"""The BentoML service: `bentoml serve` at the root, or of a built Bento.

It is thin: one process, one FastAPI application. BentoML brings the server, its supervision, the client
and the packaging; the path by which its client learns of routes (`/schema.json`) stays BentoML's. All
others, health and metrics included, go straight to the application: BentoML's own middleware keeps
every finished request alive until its timeout has passed, which shows in the tail latency.

The process that starts the others imports this module too, and needs neither models nor features: what only
a worker needs is imported when there is one.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, cast

import bentoml
import click
import orjson
from bentoml._internal.utils.analytics import usage_stats
from bentoml.exceptions import BentoMLException
from pydantic import Field
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import HTTP_PROTOCOLS

from recsys.config import load_settings
from recsys.errors import RecsysError
from recsys.feast_import import reduce_feast_import
from recsys.funnel.requests import MAX_BATCH
from recsys.home import keep_private
from recsys.jobs.preconditions import check_home_writable, check_port_free, require_key_beyond_loopback
from recsys.processes import end_with_parent
from recsys.usage_tracking import turn_off_usage_tracking
from serving.connections import bounded_protocol
from serving.errors import response_for
from serving.logs import log_service
from serving.private_arbiter import close_arbiter_ports

if TYPE_CHECKING:
    from serving.worker import Worker

# BentoML itself still uses what pydantic calls deprecated, at each start and each call.
warnings.filterwarnings("ignore", message="The `__get_pydantic_core_schema__` method", module="_bentoml_sdk")
warnings.filterwarnings("ignore", message="Accessing the 'model_fields' attribute", module="_bentoml_impl")

# `bentoml serve` has asked whether to report usage before it comes here, and remembers the answer.
turn_off_usage_tracking()
usage_stats.do_not_track.cache_clear()

BENTO_PATHS = frozenset({"/schema.json"})


class PathSplitter:
    """Leads each request to the open application, and those of BentoML's own client to BentoML."""

    def __init__(self, bento: ASGIApp, service: "ConfiguredService") -> None:
        self._bento = bento
        self._service = service
        self._guarded: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        worker = self._service.worker
        if scope["type"] != "http" or worker is None:
            await self._bento(scope, receive, send)
        elif scope["path"] in BENTO_PATHS:
            self._guarded = self._guarded or worker.guarded(self._bento)
            await self._guarded(scope, receive, send)
        else:
            await worker.app(scope, receive, send)


class ConfiguredService(bentoml.Service):  # type: ignore[misc]  # bentoml has no types
    """A BentoML service whose address comes from our settings: 127.0.0.1 unless told otherwise."""

    worker: "Worker | None" = None  # the instance opens it, after BentoML has built the ASGI application

    def lead_to(self, worker: "Worker | None") -> None:
        """Leads requests to `worker` from now on; None: to BentoML alone."""
        self.worker = worker

    def inject_config(self) -> None:
        """Sets host and port before BentoML reads them."""
        with _bento_errors():
            serving = load_settings().serving
        self.config["http"] = {"host": serving.host, "port": serving.port}
        super().inject_config()

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """BentoML's ASGI application with ours before it, on connections that are bounded."""
        # BentoML's worker configures uvicorn itself, next, and says nothing of the protocol: "auto".
        # uvicorn imports names and takes anything else as it is.
        HTTP_PROTOCOLS["auto"] = cast(str, bounded_protocol(load_settings().serving))
        return PathSplitter(super().to_asgi(is_main=is_main), self)


@bentoml.service(
    service_class=ConfiguredService,
    workers=1,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Recommender:
    """Recommendations of one shop; `/openapi.json` describes the HTTP interface."""

    def __init__(self) -> None:
        keep_private()
        settings = load_settings()
        log_service(settings.log, access=False)
        if bentoml.server_context.worker_index:  # a process of its own, whose supervisor may be killed
            end_with_parent(os.getppid())
        reduce_feast_import()
        from serving.worker import open_worker

        self._worker = open_worker(settings)
        cast(ConfiguredService, Recommender).lead_to(self._worker)

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def prepare_processes() -> None:
        """Refuses to start where no worker could, and closes the supervisor's ports; nothing listens yet.

        It runs once, in the process that starts the others.
        """
        keep_private()
        with _bento_errors():
            settings = load_settings()
            given = getattr(click.get_current_context(silent=True), "params", {})
            host = str(given.get("host") or settings.serving.host)
            key = settings.api_key.get_secret_value() if settings.api_key else None
            require_key_beyond_loopback(host, key, settings)
            check_port_free(host, int(given.get("port") or settings.serving.port))
            check_home_writable(settings)
            close_arbiter_ports()
            log_service(settings.log, access=False)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def close(self) -> None:
        """Stops taking requests and closes what is open."""
        cast(ConfiguredService, Recommender).lead_to(None)
        self._worker.close()

    @bentoml.api  # type: ignore[untyped-decorator]
    async def recommend_batch(
        self, requests: Annotated[list[dict[str, Any]], Field(max_length=MAX_BATCH)]
    ) -> list[dict[str, Any]]:
        """Slates for up to 100 bodies of /v1/recommend; deprecated: POST /v1/recommend:batch.

        BentoML tells its client of the route. Over HTTP the application answers it, with an error for a row
        that fails; this is for calls within the process.
        """
        return cast(list[dict[str, Any]], orjson.loads(orjson.dumps(await self._worker.answer(requests))))


@contextmanager
def _bento_errors() -> Iterator[None]:
    """Tells a known error in BentoML's way: one line on the command line, the status over HTTP."""
    try:
        yield
    except RecsysError as error:
        told = BentoMLException(str(error))
        told.error_code = HTTPStatus(response_for(error).status)
        raise told from error
