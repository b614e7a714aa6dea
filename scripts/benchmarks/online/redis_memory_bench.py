"""redis-memory: bytes of the server's memory that a user with 50 and one with 400 actions takes, and an item.

The growth of `used_memory` when the rows of 10,000 new entities are written as the worker writes them:
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

COUNT = 10_000
ALREADY = 100  # users and items of the shop
AT_LEAST, AIM = 2048.0, 1024.0  # of an item
USERS = ((50, 1100.0, 900.0), (400, 3500.0, 2000.0))  # actions, at least, aim


def rows() -> list[dict[str, object]]:
    """Bytes a user by the length of the history, and bytes an item."""
    root = load_settings().root
    now = utc_now()
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        settings = Settings(home=Path(folder), root=root)
        with random_shop.open_shop(settings, items=ALREADY, users=ALREADY):
            item = _bytes(settings, item_rows(ALREADY + COUNT, now), ALREADY)
            users: list[float] = []
            for actions, _, _ in USERS:  # each case has users of its own
                first = ALREADY + COUNT * len(users)
                users.append(_bytes(settings, user_rows(first + COUNT, now, history=actions), first))
    return [
        *(
            bounded_row(f"redis-memory-user-{actions}", "bytes", found, at_least, aim)
            for found, (actions, at_least, aim) in zip(users, USERS, strict=True)
        ),
        bounded_row("redis-memory-item", "bytes", item, AT_LEAST, AIM),
    ]


def _bytes(settings: Settings, tables: dict[str, pa.Table], first: int) -> float:
    """Memory that each entity takes, those before `first` left out."""
    online = OnlineRows(settings)
    with connect(settings) as client:
        redis: Any = client
        online.write({view: table.slice(0, 1) for view, table in tables.items()})  # its own first keys
        before = redis.info("memory")["used_memory"]
        keys = redis.dbsize()
        online.write({view: table.slice(first) for view, table in tables.items()})
        grown = redis.info("memory")["used_memory"] - before
        added = redis.dbsize() - keys
    online.close()
    if added != COUNT * len(tables):
        raise RuntimeError(f"{added} keys for {COUNT} entities in {len(tables)} views")
    return float(grown / COUNT)


if __name__ == "__main__":
    for row in rows():
        print(row)
