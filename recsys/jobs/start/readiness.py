"""Tells when the service answers usefully, and what is missing until then."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from recsys.http import json_headers

ASK_SECONDS, TIMEOUT_SECONDS = 0.5, 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Readiness:
    """What /readyz says.

    Attributes:
        ready: whether requests are answered usefully.
        told: what is missing, or worse than it should be; empty where nothing is.
    """

    ready: bool
    told: str = ""


class Announcer:
    """Tells when the service is ready, and logs each thing that it lacks until then.

    Args:
        ask: the service's readiness; None where it does not answer yet.
        on_ready: called when it is ready, with what is worse than it should be or nothing.
        pause_seconds: between two questions.
    """

    def __init__(
        self,
        ask: Callable[[], Readiness | None],
        on_ready: Callable[[str], None],
        pause_seconds: float = ASK_SECONDS,
    ) -> None:
        self._ask, self._on_ready, self._pause = ask, on_ready, pause_seconds
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self) -> None:
        """Begins to ask, in a thread, until it is ready; does nothing where it is being asked already."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Asks no more."""
        self._stop.set()

    def _run(self) -> None:
        told = ""
        while not self._stop.is_set():
            found = self._ask()
            if found is not None and found.ready:
                self._on_ready(found.told)
                return
            if found is not None and found.told != told:
                told = found.told
                log.warning("the service runs and is not ready: %s", told)
            self._stop.wait(self._pause)


def ask_service(address: str, api_key: str | None) -> Readiness | None:
    """What the service at `address` says of itself; None where it does not answer."""
    try:
        answer = httpx.get(f"{address}/readyz", headers=json_headers(api_key), timeout=TIMEOUT_SECONDS)
        body = answer.json()
    except (httpx.HTTPError, ValueError):
        return None
    if answer.status_code == httpx.codes.OK:
        return Readiness(True, _listed(body.get("problems", ())))
    error = body.get("error", {})
    return Readiness(False, " ".join(filter(None, (error.get("message"), error.get("remedy")))))


def _listed(problems: object) -> str:
    """Codes, or objects that have one."""
    found = problems if isinstance(problems, list) else []
    return ", ".join(str(each.get("code", each)) if isinstance(each, dict) else str(each) for each in found)
