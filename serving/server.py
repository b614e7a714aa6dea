"""The HTTP server of `recsys start`: the one place where uvicorn is configured.

`bentoml serve` configures its own uvicorn; what holds for both ways of serving is in the application.
"""

import signal
import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from recsys.config import ServingSettings

DRAIN_SECONDS = 25  # for requests in flight; whoever stops the service waits 30 s


def run_server(settings: ServingSettings, app: ASGIApp, listener: socket.socket) -> None:
    """Serves `app` on `listener`, a bound socket, until SIGTERM or SIGINT; completes what is in flight."""
    server = uvicorn.Server(uvicorn.Config(app, **server_options(settings)))
    # uvicorn sends itself the signal again once it has drained; the caller still has things to close then.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: None)
    server.run(sockets=[listener])


def server_options(settings: ServingSettings) -> dict[str, Any]:
    """What `uvicorn.Config` takes besides the application."""
    return {
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "lifespan": "off",
        "log_config": None,
        "access_log": False,  # uvicorn's has the query string in it, and so ids of users
        "server_header": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": DRAIN_SECONDS,
    }
