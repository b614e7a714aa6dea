"""A graceful stop: SIGTERM lets the current step finish, so that what was learned can be kept."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def watch_sigterm() -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether SIGTERM came; outside, the signal does what it did before.

    In another thread than the main one signals cannot be received, and the function says no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received = False

    def receive(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received = True

    before = signal.signal(signal.SIGTERM, receive)
    try:
        yield lambda: received
    finally:
        signal.signal(signal.SIGTERM, before)
