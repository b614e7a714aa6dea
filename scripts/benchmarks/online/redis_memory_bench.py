"""redis-memory: bytes of the server's memory a user with a 50-item history takes, and an item.

The growth of `used_memory` when the rows of 20,000 new entities are written as the worker writes them:
keys, values and the server's own tables. A user has two rows, an item `item_engagement` and `item_content`.
"""

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from online import random_shop
from online.bounded_row import bounded_row
from online.feature_rows import item_rows, user_rows
from recsys.config import Settings, load_settings
from recsys.instants import utc_now
from recsys.stores.features.online_writer import OnlineRows
from recsys.stores.redis.shop_claim import connect

COUNT = 20_000
AT_LEAST, AIM = 2048.0, 1024.0


def rows() -> list[dict[str, object]]:
    """Two rows: bytes a user and bytes an item."""
    root = load_settings().root
    now = utc_now()
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        settings = Settings(home=Path(folder), root=root)
        with random_shop.open_shop(settings, items=100, users=10):
            user = _bytes(settings, user_rows(COUNT, now), already=10)
            item = _bytes(settings, item_rows(COUNT, now), already=100)
    return [
        bounded_row("redis-memory-user", "bytes", user, AT_LEAST, AIM),
        bounded_row("redis-memory-item", "bytes", item, AT_LEAST, AIM),
    ]


def _bytes(settings: Settings, tables: dict[str, pa.Table], already: int) -> float:
    """Memory that each new entity takes; the first `already` rows replace some."""
    online = OnlineRows(settings)
    with connect(settings) as client:
        redis: Any = client
        before = redis.info("memory")["used_memory"]
        keys = redis.dbsize()
        online.write({view: table.slice(already) for view, table in tables.items()})
        grown = redis.info("memory")["used_memory"] - before
        added = redis.dbsize() - keys
    online.close()
    count = COUNT - already
    if added not in range(count * len(tables), count * len(tables) + 10):
        raise RuntimeError(f"{added} keys for {count} entities in {len(tables)} views")
    return float(grown / count)


if __name__ == "__main__":
    for row in rows():
        print(row)
