"""The HTTP server of `recsys start`: the one place where uvicorn is configured.

`bentoml serve` configures its own uvicorn; what holds for both ways of serving is in the application.
"""

import signal
import socket
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from recsys.service_settings import ServingSettings
from serving.connections import bounded_protocol

DRAIN_SECONDS = 20  # for requests in flight; `recsys start` gives a process 25 s


def run_server(settings: ServingSettings, app: ASGIApp, listener: socket.socket) -> None:
    """Serves `app` on `listener`, an open socket, until SIGTERM or SIGINT; completes what is in flight."""
    server = uvicorn.Server(server_config(settings, app))

    def stop(*_: object) -> None:
        server.should_exit = True

    # Until uvicorn has handlers of its own, and after: it sends itself the signal again once it has drained,
    # and the caller still has things to close then.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    server.run(sockets=[listener])


def server_config(settings: ServingSettings, app: ASGIApp) -> uvicorn.Config:
    """How uvicorn serves `app`."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=cast(Any, bounded_protocol(settings)),  # uvicorn takes what makes a protocol, too
        ws="none",
        lifespan="off",
        log_config=None,
        # More do not wait where nobody sees how long: they are asked to come back, or begin again.
        backlog=settings.connections,
        access_log=False,  # uvicorn's has the query string in it, and so ids of users
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
