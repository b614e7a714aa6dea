"""Where a worker writes what it computes: online rows, the lake, popularity and how far it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from recsys.streaming.stream import StreamProgress


class OnlineWriter(Protocol):
    """The online store: a row wins by its event timestamp and then by its created timestamp."""

    def write(self, tables: Mapping[str, pa.Table]) -> None:
        """Writes feature rows by view."""
        ...


class Lake(Protocol):
    """The event lake."""

    def append(self, table: pa.Table, name: str) -> None:
        """Adds events; the same under the same name again are there once."""
        ...


class PopularityWriter(Protocol):
    """Where the live popularity of items is kept for readers."""

    def update(self, scores: Mapping[str, float]) -> None:
        """Sets the forward-decayed popularity of these items."""
        ...


@dataclass(frozen=True)
class Sinks:
    """Where a worker writes what it computes."""

    online: OnlineWriter
    lake: Lake
    progress: StreamProgress
    popularity: PopularityWriter | None = None
