"""`recsys demo`: the whole way on the demo shop, by the commands that a user would type."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from recsys.cli.demo.live import before_and_after, show_change, something_new, stream_worker
from recsys.cli.output import note, print_json, print_rows
from recsys.client import RecsysClient
from recsys.config import Settings, load_settings
from recsys.errors import RecsysError, StoreUnavailableError
from recsys.instants import utc_now

DEMO = "complete-journey"
READY_SECONDS = 120.0
SHOWN = 10
# Two passes over 1.2 million purchases are enough to show the way in minutes; `recsys train` makes ten.
DEMO_SETTINGS = {"RECSYS_RETRIEVER__EPOCHS": "2"}
LATEST = 8


def demo(
    serve: Annotated[
        bool | None,
        typer.Option("--serve/--no-serve", help="Keep serving at the end. Default: on a terminal."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Import the demo shop, train, evaluate, load Redis, serve, recommend, and change a slate by five events.

    \b
    Example:
      recsys demo --no-serve
    """
    settings = load_settings()
    keep = sys.stdout.isatty() if serve is None else serve
    quiet = as_json
    with _redis(quiet):
        _prepare(settings, quiet)
        bundle = _trained(settings, quiet)
        table = _evaluated(settings, bundle, quiet)
        with _service(settings) as address, stream_worker(settings):
            households = _households(settings, address)
            if not as_json:
                _show(households)
            usual = households[len(households) // 2]["user_id"]
            change = before_and_after(settings, address, usual, something_new(settings, usual))
            if as_json:
                found = {"address": address, "evaluation": table, "households": households, "live": change}
                print_json(found)
            else:
                show_change(change)
                _say(f"\nThe API runs at {address}, with a page for people at {address}/. Try:")
                _say(_curl(address, households))
            if keep:
                note("serving until Ctrl-C ...")
                _wait_for_interrupt()


def _prepare(settings: Settings, quiet: bool) -> None:
    from recsys.stores.lake.dataset_files import load_info

    imported = (settings.paths.data / "dataset.json").exists()
    if imported and (name := load_info(settings.paths).name) != DEMO:
        raise RecsysError(
            f"{settings.paths.home} holds the shop {name!r}. Set RECSYS_HOME to another folder for the demo."
        )
    if not imported:
        _run(["recsys", "data", "import", "--mapping", DEMO], quiet)
    _run(["recsys", "features", "build"], quiet)
    now = utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")
    _run(["feast", "-c", str(settings.feature_repo), "apply"], True)
    _run(["feast", "-c", str(settings.feature_repo), "materialize-incremental", now], True)


def _trained(settings: Settings, quiet: bool) -> str:
    """The bundle that serves; trains one if there is none."""
    from recsys.stores.registry.registry import Registry

    with Registry.open(settings) as registry:
        production = registry.production()
    if production is None:
        _run(["recsys", "train"], quiet, DEMO_SETTINGS)
        with Registry.open(settings) as registry:
            production = registry.production()
    if production is None:
        raise RecsysError("training left no bundle in production. `recsys models list` shows what there is.")
    return production.bundle_id


def _evaluated(settings: Settings, bundle_id: str, quiet: bool) -> Any:
    """The evaluation table of the bundle, measured now or, if that was done, read from its report."""
    stored = settings.paths.reports / bundle_id / "table.json"
    if not stored.exists():
        _run(["recsys", "evaluate"], True)
    rows = json.loads(stored.read_text("utf-8"))
    if not quiet:
        print_rows(rows, as_json=False, title=f"evaluation of {bundle_id} (report: {stored.parent})")
    return rows


def _run(command: Sequence[str], quiet: bool, settings: Mapping[str, str] | None = None) -> None:
    """Runs a command of this environment; its output is shown on stderr unless `quiet`.

    Args:
        settings: environment variables for it, unless the user set them.
    """
    program = Path(sys.executable).parent / command[0]
    note(f"$ {' '.join(command)}")
    started = time.monotonic()
    output = subprocess.PIPE if quiet else sys.stderr
    environment = {**(settings or {}), **os.environ}
    result = subprocess.run([str(program), *command[1:]], stdout=output, env=environment, check=False)
    if result.returncode:
        if quiet and result.stdout:
            sys.stderr.buffer.write(result.stdout)
        raise RecsysError(f"`{' '.join(command)}` failed with exit code {result.returncode}.")
    note(f"  {time.monotonic() - started:.0f} s")


@contextmanager
def _redis(quiet: bool) -> Iterator[None]:
    """The embedded server; stopped at the end if it was started here."""
    from recsys.stores.redis.server import server_status

    was_up = server_status(load_settings()).running
    _run(["recsys", "up"], quiet)
    try:
        yield
    finally:
        if not was_up:
            _run(["recsys", "down"], True)


@contextmanager
def _service(settings: Settings) -> Iterator[str]:
    """`bentoml serve` in a process group of its own; yields its address once it is ready."""
    program = Path(sys.executable).parent / "bentoml"
    log = settings.paths.home / "serve.log"
    address = f"http://{settings.serving.host}:{settings.serving.port}"
    note(f"$ bentoml serve  (log: {log})")
    if _ready(address):
        raise RecsysError(f"something answers at {address} already. Stop it or set RECSYS_SERVING__PORT.")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(program), "serve"], cwd=settings.root, stdout=output, stderr=output, start_new_session=True
        )
        try:
            _wait_until_ready(process, address, log)
            yield address
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_until_ready(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while not _ready(address):
        if process.poll() is not None:
            tail = log.read_text("utf-8", "replace")[-2000:]
            raise RecsysError(f"`bentoml serve` ended with exit code {process.returncode}:\n{tail}")
        if time.monotonic() > end:
            raise StoreUnavailableError("service", "GET /readyz", READY_SECONDS, f"See {log}.")
        time.sleep(0.3)


def _ready(address: str) -> bool:
    with RecsysClient(address, timeout=2) as shop:
        return shop.is_ready()


def _households(settings: Settings, address: str) -> list[dict[str, Any]]:
    """Three households, a light, a usual and a heavy one: what they did last and what is recommended."""
    from recsys import columns
    from recsys.stores.lake.dataset_files import load_items
    from recsys.stores.lake.event_lake import open_lake

    names = [columns.USER_ID, columns.ITEM_ID, columns.AT]
    events = open_lake(settings.paths).read(columns=names).to_pandas()
    items = load_items(settings.paths)
    titles = dict(zip(items[columns.ITEM_ID].to_pylist(), items[columns.TITLE].to_pylist(), strict=True))
    counts = events[columns.USER_ID].value_counts().sort_index().sort_values(kind="stable")
    key = settings.api_key.get_secret_value() if settings.api_key else None
    found = []
    for share in (0.25, 0.5, 0.9):
        user_id = str(counts.index[int(share * (len(counts) - 1))])
        latest = events[events[columns.USER_ID] == user_id].tail(LATEST)
        with RecsysClient(address, key, timeout=10) as shop:
            slate = shop.post("/v1/recommend", {"user_id": user_id, "k": SHOWN})
        history = [
            {"at": at.isoformat(), "title": titles.get(item, item)}
            for at, item in zip(latest[columns.AT], latest[columns.ITEM_ID], strict=True)
        ]
        found.append({"user_id": user_id, "events": int(counts[user_id]), "history": history, "slate": slate})
    return found


def _show(households: Sequence[dict[str, Any]]) -> None:
    for household in households:
        _say(f"\nHousehold {household['user_id']}, {household['events']} purchases, the latest of them:")
        for event in household["history"]:
            _say(f"  {event['at'][:16]}  {event['title']}")
        rows = [
            {
                "position": item["position"],
                "title": item["title"],
                "score": round(float(item["score"]), 3),
                "reason": _reason(item["reason"]),
            }
            for item in household["slate"]["items"]
        ]
        print_rows(rows, as_json=False, title=f"recommended to household {household['user_id']}")


def _reason(reason: Any) -> str:
    return str(reason["text"]) if isinstance(reason, dict) else str(reason)


def _curl(address: str, households: Sequence[dict[str, Any]]) -> str:
    body = json.dumps({"user_id": households[0]["user_id"], "k": 10})
    return f"  curl -s {address}/v1/recommend -H 'content-type: application/json' -d '{body}'"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _wait_for_interrupt() -> None:
    try:
        signal.pause()
    except KeyboardInterrupt:
        note("stopping")
