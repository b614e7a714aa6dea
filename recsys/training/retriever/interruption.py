"""A polite end: SIGTERM lets the step at hand finish, so that what was learned can be kept."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def told_to_stop() -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether SIGTERM came; outside, the signal does what it did before.

    In another thread than the main one signals cannot be heard, and the function says no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    told = False

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal told
        told = True

    before = signal.signal(signal.SIGTERM, hear)
    try:
        yield lambda: told
    finally:
        signal.signal(signal.SIGTERM, before)
