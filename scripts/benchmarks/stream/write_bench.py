"""stream-write: 1,000 users' rows of two views updated online, beside Feast's own `push` into its Redis.

Both write the same rows of the same feature repository to the same server: from a table of Arrow, as the
worker has it, and from the data frame that `push` takes. Wall seconds, each update newer than the last.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from online import random_shop
from online.feature_rows import later, stamped, user_rows
from online.repository import feast_address

from recsys import columns
from recsys.config import Settings, load_settings
from recsys.instants import utc_now
from recsys.stores.features.online_writer import OnlineRows
from recsys.stores.redis import server as redis_server

USERS = 1000
ROUNDS = 5
UPDATES = 5  # of ours for each of the peer's, which takes seconds
AT_LEAST, AIM = 5.0, 20.0


def rows() -> list[dict[str, object]]:
    """One row: milliseconds an update of 1,000 users, medians of turns taken one after the other."""
    root = load_settings().root
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        settings = Settings(home=Path(folder), root=root)
        with random_shop.open_shop(settings, items=100, users=10):
            ours, peer = _measure(settings)
    ratio = peer / ours
    return [
        {
            "name": "stream-write",
            "unit": "ms",
            "ours": ours,
            "peer": "Feast's own push into its Redis store",
            "peer_value": peer,
            "ratio": ratio,
            "at_least": AT_LEAST,
            "aim": AIM,
            "ok": ratio >= AT_LEAST,
        }
    ]


def _measure(settings: Settings) -> tuple[float, float]:
    from feast.data_source import PushMode

    now = utc_now()
    tables = user_rows(USERS, now)
    online, feast = OnlineRows(settings), _feast(settings)
    times: tuple[list[float], list[float]] = ([], [])
    number = 0
    try:
        for turn in range(ROUNDS + 1):
            updates = [stamped(tables, later(now, number + update + 1)) for update in range(UPDATES)]
            ours = [_milliseconds(lambda update=update: online.write(update)) for update in updates]  # type: ignore[misc]
            number += UPDATES
            frames = {view: table.to_pandas() for view, table in updates[-1].items()}

            def push(frames: dict[str, Any] = frames) -> None:
                for view, frame in frames.items():
                    feast.push(f"{view}_push", frame, to=PushMode.ONLINE)

            peer = _milliseconds(push)
            if turn:  # the first one warms up
                times[0].extend(ours)
                times[1].append(peer)
        _same(settings, feast, updates[-1])
    finally:
        online.close()
    return median(times[0]), median(times[1])


def _feast(settings: Settings) -> Any:
    """The same repository, as applied, with Feast's own online store."""
    from feast import FeatureStore, RepoConfig

    address = feast_address(redis_server.redis_url(settings))
    return FeatureStore(
        config=RepoConfig(
            project="recsys",
            provider="local",
            registry=str(settings.paths.feast_registry),
            online_store={"type": "redis", "connection_string": address},
            entity_key_serialization_version=3,
        )
    )


def _same(settings: Settings, feast: Any, tables: dict[str, Any]) -> None:
    """Both stores answer what was written last."""
    from recsys.stores.features.online_reader import FeatureReader

    user = random_shop.user_id(7)
    name, history = columns.USER_COUNTS[0], columns.HISTORY_ITEMS
    read = FeatureReader.open(settings, columns.RANKING_SERVICE).read_user(user)
    asked = [f"{columns.USER_ACTIVITY}:{name}", f"{columns.USER_HISTORY}:{history}"]
    found = feast.get_online_features(features=asked, entity_rows=[{columns.USER_ID: user}]).to_dict()
    written = tables[columns.USER_ACTIVITY][name][7].as_py(), tables[columns.USER_HISTORY][history][7].as_py()
    assert (read.columns[name][0], list(read.columns[history][0])) == written
    assert (found[name][0], list(found[history][0])) == written


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    print(rows())
