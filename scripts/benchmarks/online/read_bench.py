"""online-read, online-read-vectors: client CPU of reading 1 user + 500 items, beside Feast's Redis store.

Both answer the same request with the same values: Feast with `get_online_features(...).to_dict()`, ours
with `FeatureReader.read` and the float32 matrices that a ranker takes. CPU time of this process only;
the server's is not counted.
"""

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from online.repository import SCALARS, VECTOR, Pair, materialize, pair
from recsys.stores.features.online_reader import FeatureReader

ITEMS = 500
CATALOG = 5000
ROUNDS = 12
READS = 5  # of each store in a row, then it is the other's turn


def rows() -> list[dict[str, Any]]:
    """Both rows of the bench table."""
    return [
        _row("online-read", vectors=False, at_least=40.0, aim=70.0),
        _row("online-read-vectors", vectors=True, at_least=30.0, aim=45.0),
    ]


def _row(name: str, vectors: bool, at_least: float, aim: float) -> dict[str, Any]:
    with pair(users=100, items=CATALOG, vectors=vectors) as stores:
        for store in (stores.ours, stores.peer):
            materialize(store)
        ours, peer = _measure(stores, vectors)
    ratio = peer / ours
    return {
        "name": name,
        "unit": "ms CPU",
        "ours": ours,
        "peer": "Feast's own Redis store, to_dict",
        "peer_value": peer,
        "ratio": ratio,
        "at_least": at_least,
        "aim": aim,
        "ok": ratio >= at_least,
    }


def _measure(stores: Pair, vectors: bool) -> tuple[float, float]:
    """Medians in milliseconds, ours and the peer's turn about."""
    rng = np.random.default_rng(1)
    reader = FeatureReader.open(stores.settings, "ranking_v1")
    service = stores.peer.get_feature_service("ranking_v1")
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(ROUNDS):
        requests = [
            (f"u{turn:07d}", [f"i{place:07d}" for place in rng.choice(CATALOG, ITEMS, replace=False)])
            for _ in range(READS)
        ]
        ours = [_cpu(partial(_read, reader, *asked, vectors)) for asked in requests]
        peer = [_cpu(partial(_read_feast, stores.peer, service, *asked)) for asked in requests]
        if turn == 0:  # warm-up
            _same(ours[0][1], peer[0][1], vectors)
            continue
        times[0].extend(milliseconds for milliseconds, _ in ours)
        times[1].extend(milliseconds for milliseconds, _ in peer)
    return median(times[0]), median(times[1])


def _cpu(call: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    answer = call()
    return (time.process_time() - began) * 1000, answer


def _read(reader: FeatureReader, user_id: str, item_ids: list[str], vectors: bool) -> Any:
    user, items = reader.read(user_id, item_ids)
    numbers = (
        user.matrix([f"u{place}" for place in range(SCALARS)]),
        items.matrix([f"i{place}" for place in range(SCALARS)]),
    )
    return numbers, items.columns.vectors("vector", VECTOR) if vectors else None  # type: ignore[attr-defined]


def _read_feast(store: Any, service: Any, user_id: str, item_ids: list[str]) -> Any:
    entities = {"user_id": [user_id] * len(item_ids), "item_id": item_ids}
    return store.get_online_features(features=service, entity_rows=entities).to_dict()


def _same(ours: Any, peer: Any, vectors: bool) -> None:
    (user, items), matrix = ours
    for place in range(SCALARS):
        assert np.array_equal(items[:, place], np.array(peer[f"i{place}"], np.float32))
        assert user[0, place] == np.float32(peer[f"u{place}"][0])
    if vectors:
        assert np.array_equal(matrix, np.array(peer["vector"], np.float32))
