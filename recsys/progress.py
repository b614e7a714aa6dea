"""How long work reports its progress: a function handed in by whoever has a screen."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """Opens a bar for `total` steps (None: unknown) and yields a function that advances it."""

    def __call__(self, label: str, total: int | None) -> AbstractContextManager[Advance]: ...


@contextmanager
def silent(label: str, total: int | None) -> Iterator[Advance]:
    """Progress that shows nothing: the default everywhere below the command line."""
    yield lambda steps: None
