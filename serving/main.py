"""The service without BentoML, as `recsys start` runs it: `python -m serving.main --fd N`.

N is the descriptor of a listening socket that the process inherits. Nothing else listens.
"""

import argparse
import logging
import socket
import sys

import prometheus_client  # noqa: F401  before Feast, whose import would put every metric into files

from recsys.config import Settings, load_settings
from recsys.errors import RecsysError, storage_problem
from recsys.feast_import import reduce_feast_import
from recsys.home import keep_private
from recsys.jobs.preconditions import require_key_beyond_loopback
from recsys.processes import end_with_starter
from recsys.usage_tracking import turn_off_usage_tracking
from serving.logs import log_service
from serving.server import run_server

log = logging.getLogger("recsys.serving")


def serve(settings: Settings, listener: socket.socket) -> None:
    """Answers on `listener` until SIGTERM or SIGINT.

    Raises:
        ConfigError: it listens beyond this machine, and there is no API key.
        RecsysError: a store that the service cannot do without is broken.
    """
    key = settings.api_key.get_secret_value() if settings.api_key else None
    require_key_beyond_loopback(listener.getsockname()[0], key, settings)
    from serving.app import create_app  # these import Feast, see `main`
    from serving.deployment import open_deployment, set_memory_aside

    deployment, close = open_deployment(settings)
    try:
        app = create_app(deployment)
        set_memory_aside()
        run_server(settings.serving, app, listener)
    finally:
        close()


def main() -> None:
    """Reads the settings and serves; exits 1 with one line for a known error."""
    parser = argparse.ArgumentParser(description="The HTTP service on a socket that is open already.")
    parser.add_argument("--fd", type=int, required=True, help="descriptor of the socket")
    end_with_starter()
    keep_private()
    turn_off_usage_tracking()
    reduce_feast_import()
    listener = socket.socket(fileno=parser.parse_args().fd)
    try:
        settings = load_settings()
        log_service(settings.log, access=True)
        serve(settings, listener)
    except RecsysError as error:
        log.error("%s", error)
        sys.exit(1)
    except OSError as error:
        log.error("%s", storage_problem(error) or error)
        sys.exit(1)


if __name__ == "__main__":
    main()
