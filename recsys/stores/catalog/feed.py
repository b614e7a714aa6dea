"""What changed in the catalog, for services: the newest row of each item that the stream has changed.

    recsys:{catalogue}:rows      item id -> its canonical row as JSON
    recsys:{catalogue}:vectors   item id -> its text vector, float32, where the stream has changed the text
    recsys:{catalogue}:order     item id by the version that changed it last
    recsys:{catalogue}:state     version and encoder

The version grows with every publication and is never used twice, also not by a worker that finds an empty
server: it is the version in the log of items, an instant in microseconds. So a service asks for what
came after the version it knows, gets nothing most of the time and everything when it has just started.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import redis

from recsys.catalog import Item
from recsys.columns import CARRIED_CONTENT, FIRST_AT
from recsys.dataset.catalog_rows import attributes_json, attributes_of
from recsys.stores.redis.client import redis_errors

if TYPE_CHECKING:
    from recsys.models.bundle_update import ItemChange

_PREFIX = "recsys:{catalogue}:"
ROWS, VECTORS, ORDER, STATE = (_PREFIX + part for part in ("rows", "vectors", "order", "state"))
READ_AT_ONCE = 5000  # items: about 10 MB with their vectors


@dataclass(frozen=True)
class CatalogChanges:
    """The items that changed after some version, those that changed last at the end; all up to `version`."""

    version: int
    items: tuple["ItemChange", ...]


class CatalogFeed:
    """The feed on Redis; one process publishes, any number reads."""

    def __init__(self, client: redis.Redis, timeout: float | None = None) -> None:
        """Args:
        timeout: seconds after which the client gives up, for messages.
        """
        self._client: Any = client
        self._timeout = timeout

    def version(self, encoder: str) -> int:
        """The newest version, 0 = nothing published, or with vectors of another encoder."""
        with redis_errors("read the version of the catalog", self._timeout):
            version, found = self._client.hmget(STATE, "version", "encoder")
        return int(version) if version and found == encoder.encode() else 0

    def publish(self, changes: "Sequence[ItemChange]", version: int, encoder: str) -> None:
        """Makes `changes` the newest rows of their items, all at once.

        Args:
            version: greater than every earlier one.
            encoder: what the text vectors are of, as a bundle's manifest names it.

        Raises:
            StoreUnavailableError: Redis does not answer; nothing or all was published.
        """
        vectors = {
            change.item.item_id: change.text_vector.astype("<f4").tobytes()
            for change in changes
            if change.text_vector is not None
        }
        with (
            redis_errors(f"publish {len(changes)} items", self._timeout),
            self._client.pipeline(transaction=True) as pipe,
        ):
            if changes:
                pipe.hset(ROWS, mapping={change.item.item_id: _encoded(change.item) for change in changes})
                pipe.zadd(ORDER, {change.item.item_id: version for change in changes})
            if vectors:
                pipe.hset(VECTORS, mapping=vectors)
            pipe.hset(STATE, mapping={"version": version, "encoder": encoder})
            pipe.execute()

    def clear(self) -> None:
        """Forgets everything."""
        with redis_errors("clear the feed of the catalog", self._timeout):
            self._client.delete(ROWS, VECTORS, ORDER, STATE)

    def since(self, version: int, encoder: str) -> CatalogChanges:
        """What changed after `version`; of many changes the earliest READ_AT_ONCE, the next call has more.

        Args:
            encoder: that the asking bundle was trained with; vectors of another are left out.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        with redis_errors("read what changed in the catalog", self._timeout):
            found = self._client.zrangebyscore(ORDER, f"({version}", "+inf", 0, READ_AT_ONCE, withscores=True)
            if not found:
                return CatalogChanges(version, ())
            ids = [item for item, _ in found]
            newest = int(found[-1][1])
            if len(found) == READ_AT_ONCE:
                # A version that was cut through is read to its end.
                rest = self._client.zrangebyscore(ORDER, newest, newest)
                ids = list(dict.fromkeys([*ids, *rest]))
            with self._client.pipeline(transaction=True) as pipe:
                pipe.hmget(ROWS, ids)
                pipe.hmget(VECTORS, ids)
                pipe.hget(STATE, "encoder")
                rows, vectors, made_by = pipe.execute()
        from recsys.models.bundle_update import ItemChange  # torch, which stream workers need not load

        usable = made_by == encoder.encode()
        return CatalogChanges(
            newest,
            tuple(
                ItemChange(_decoded(row), _vector(vector) if usable else None)
                for row, vector in zip(rows, vectors, strict=True)
                if row is not None
            ),
        )


def _encoded(item: Item) -> bytes:
    return orjson.dumps(
        {
            "item_id": item.item_id,
            "title": item.title,
            "text": item.text,
            "category": item.category,
            "brand": item.brand,
            "price_micros": item.price_micros,
            "available": item.available,
            "attributes": attributes_json(item.attributes),
            "vectors": item.vectors,
            "at": item.at,
            **{name: value for name in CARRIED_CONTENT if (value := getattr(item, name)) is not None},
        }
    )


def _decoded(row: bytes) -> Item:
    values = orjson.loads(row)
    return Item(
        **(
            values
            | {
                "attributes": attributes_of(values["attributes"]),
                "vectors": {name: tuple(row) for name, row in values.get("vectors", {}).items()},
                **{
                    name: datetime.fromisoformat(instant)
                    for name in ("at", FIRST_AT)
                    if (instant := values.get(name)) is not None
                },
            }
        )
    )


def _vector(content: bytes | None) -> Any:
    return None if content is None else np.frombuffer(content, "<f4").astype(np.float32)
