"""An event loop whose time passes only while everybody sleeps: minutes of load in a moment."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _SleepingSelector(selectors.DefaultSelector):
    """Sleeps by adding to the time."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += timeout or 0.0
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time` begins at 0 and jumps to the next timer."""

    def __init__(self) -> None:
        self._sleeping = _SleepingSelector()
        super().__init__(self._sleeping)

    def time(self) -> float:
        return self._sleeping.now


def run_virtual(scene: Coroutine[Any, Any, T]) -> T:
    """What `scene` gives, run in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scene)
