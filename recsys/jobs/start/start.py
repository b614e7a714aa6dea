"""A shop's store, workers and service in the foreground, from their start to their end."""

import logging
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.jobs.preconditions import check_home_writable, require_key_beyond_loopback
from recsys.jobs.server import start_server
from recsys.jobs.start.disk import is_disk_full
from recsys.jobs.start.listener import bind_listener
from recsys.jobs.start.programs import CHARGE_WORKER, SERVICE, WORKER, ChildProcess, EmbeddedServer
from recsys.jobs.start.readiness import Announcer, ask_service
from recsys.jobs.start.supervisor import StopRequests, Supervisor
from recsys.logs import LogFormat, json_line
from recsys.stores.lake.dataset_files import load_info

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StartOptions:
    """What the command line says beside the settings.

    Attributes:
        workers: processes of the event stream; one of them does the catalog too.
        log_format: of this process and all that it starts.
    """

    workers: int
    log_format: LogFormat


@dataclass(frozen=True)
class StartedShop:
    """Where a shop that is ready answers, and what runs behind it.

    Attributes:
        redis: host and port of the server, without its password.
        problems: what is worse than it should be, as /readyz says it; empty where nothing is.
    """

    address: str
    workers: int
    redis: str
    problems: str

    def to_json(self) -> JsonObject:
        """What `recsys start --json` prints when it is ready."""
        return asdict(self)


def start_shop(
    settings: Settings,
    options: StartOptions,
    requests: StopRequests,
    on_ready: Callable[[StartedShop], None] = lambda shop: None,
) -> None:
    """Runs the shop of `settings` until it is asked to stop; all that it started has ended when it returns.

    Args:
        on_ready: called whenever the service has become ready, after a restart too.

    Raises:
        ConfigError: the port is taken, or the home cannot be written.
        DataError: nothing was imported.
        StoreUnavailableError: Redis does not start, or does not answer.
        RecsysError: a program ended too often.
    """
    serving, key = settings.serving, settings.api_key
    secret = key.get_secret_value() if key else None
    require_key_beyond_loopback(serving.host, secret, settings)
    with bind_listener(serving.host, serving.port) as listener:
        check_home_writable(settings)
        load_info(settings.paths)
        store = None if settings.redis_url is not None else EmbeddedServer(settings)
        redis = start_server(settings).status.address
        address = _address(listener)

        def announce(problems: str) -> None:
            workers = f"{options.workers} stream worker{'s' if options.workers > 1 else ''}"
            worse = f" Not all is well: {problems}" if problems else ""
            log.info("ready: %s (%s, Redis at %s)%s", address, workers, redis, worse)
            on_ready(StartedShop(address, options.workers, redis, problems))

        ask = partial(ask_service, address, secret)
        announcer = Announcer(ask, announce)
        disk_full = partial(is_disk_full, settings.paths.home)
        programs = shop_programs(settings, options, listener, announcer)
        try:
            Supervisor(programs, store, disk_full, time.monotonic, time.sleep).run(requests)
        finally:
            announcer.close()
    log.info("stopped")


def shop_programs(
    settings: Settings, options: StartOptions, listener: socket.socket, announcer: Announcer
) -> list[ChildProcess]:
    """The service on `listener`, the stream's workers, and the charge worker of ads.

    The charge worker runs in a shop without advertisers too: the first one may come at any time.
    """
    environment = {
        "RECSYS_SERVING__HOST": settings.serving.host,
        "RECSYS_SERVING__PORT": str(settings.serving.port),
        "RECSYS_LOG": options.log_format,
    }
    hand_on = partial(write_line, options.log_format)
    descriptor = listener.fileno()
    service = ChildProcess(
        "service",
        (*SERVICE, str(descriptor)),
        environment,
        hand_on,
        (descriptor,),
        on_start=announcer.watch,
        on_stop=listener.close,  # a connection that comes now is refused at once
    )
    names = [f"worker {number}" for number in range(1, options.workers + 1)]
    workers = [ChildProcess(name, WORKER, environment, hand_on) for name in names]
    return [service, *workers, ChildProcess("charge worker", CHARGE_WORKER, environment, hand_on)]


def write_line(form: LogFormat, name: str, line: str) -> None:
    """Writes a program's line to stderr, after its name; in JSON an object stays as it is."""
    if form == "text":
        line = f"{name}: {line}"
    elif not line.startswith("{"):
        line = json_line(logging.INFO, f"recsys.{name.partition(' ')[0]}", line)
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _address(listener: socket.socket) -> str:
    """Where this machine reaches it: a socket on all addresses is reached on the loopback interface."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
