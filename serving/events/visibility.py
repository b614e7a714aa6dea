"""Waiting until the workers have made an event visible, for requests that carry its token."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future

POLL_SECONDS = 0.004


class Visibility:
    """How far the online features are; all requests that wait share one look every few milliseconds.

    Args:
        read: partition -> offset up to which everything is visible.
        submit: runs a function in another thread.
    """

    def __init__(
        self, read: Callable[[], Mapping[int, int]], submit: Callable[[Callable[[], None]], "Future[None]"]
    ) -> None:
        self._read = read
        self._submit = submit
        self._reached: Mapping[int, int] = {}
        self._look: Future[None] | None = None

    async def wait(self, offsets: Mapping[int, int], seconds: float) -> bool:
        """Whether everything up to `offsets` is visible; true as soon as it is, false after `seconds`.

        Raises:
            StoreUnavailableError: the progress cannot be read.
        """
        try:
            async with asyncio.timeout(seconds):
                while not self._covers(offsets):
                    await self._next_look()
                    if not self._covers(offsets):
                        await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            return self._covers(offsets)
        return True

    def _covers(self, offsets: Mapping[int, int]) -> bool:
        reached = self._reached
        return all(reached.get(partition, 0) >= offset for partition, offset in offsets.items())

    async def _next_look(self) -> None:
        if self._look is None or self._look.done():
            self._look = self._submit(self._see)
        await asyncio.shield(
            asyncio.wrap_future(self._look)
        )  # a request that gives up leaves the look to the others

    def _see(self) -> None:
        self._reached = self._read()
