"""The state of a stream out of the events that the lake holds already."""

from dataclasses import dataclass

import pyarrow as pa

from recsys.streaming.item_tiles import ItemTiles


@dataclass(frozen=True)
class Bootstrapped:
    """The state as if `events` had come by the stream.

    Attributes:
        logs: user id -> log.
        tiles: of all items, with their popularity.
    """

    logs: dict[str, bytes]
    tiles: ItemTiles


def bootstrap(events: pa.Table, now: int) -> Bootstrapped:
    """The logs of all users and the tiles of all items of canonical `events`, which are taken as clean.

    A lake larger than memory comes in parts by user: logs of different users do not meet, tiles add up
    with `recsys.streaming.item_tiles.added`. Columns needed: BOOTSTRAP_COLUMNS.
    """
    raise NotImplementedError
