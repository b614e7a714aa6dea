"""When a request arrived: noted where its first bytes are read, and known wherever it is answered."""

import time
from contextvars import ContextVar

from starlette.types import Scope

ARRIVED = "arrived"  # in a request's state: seconds of the event loop's clock
_arrived: ContextVar[float | None] = ContextVar("arrived", default=None)


def note_arrival(scope: Scope) -> float:
    """Notes for this task when the request of `scope` arrived, and gives it; now, where nobody noted it."""
    arrived = scope["state"].get(ARRIVED)
    found = time.monotonic() if arrived is None else float(arrived)
    _arrived.set(found)
    return found


def arrival() -> float:
    """When the request of this task arrived, monotonic seconds; now, outside of a request."""
    noted = _arrived.get()
    return time.monotonic() if noted is None else noted
