"""A fixed amount of work like that of `/v1/recommend`; prints its CPU time, in milliseconds a request.

It must not change: figures of different days and machines are compared by it. Whoever changes it measures
`REFERENCE_MS` in `reference_speed.py` again, as is said there.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

ROUNDS = 7  # of half a second; their median does not mind a neighbour's burst
REQUESTS = 25  # a round
RATE = 50.0  # requests a second, as in the benchmark: who waits between two finds cold caches after it
ITEMS, WIDTH = 68_000, 64
HISTORY = 50
NEIGHBOURS = 50
CANDIDATES = 500
FEATURES = 32
MESSAGES = (256, 64, 1024, CANDIDATES * FEATURES)  # bytes; the last are the candidates' rows

Floats = npt.NDArray[np.float32]
Indexes = npt.NDArray[np.int64]


class Workload:
    """Answers made-up requests with arrays, small networks, interpretation, JSON and round trips."""

    def __init__(self, store: socket.socket) -> None:
        self._store = store
        self._rng = np.random.default_rng(0)
        self._vectors = self._rng.normal(size=(ITEMS, WIDTH)).astype(np.float32)
        self._neighbours = self._rng.integers(0, ITEMS, (ITEMS, NEIGHBOURS))
        self._similarity = self._rng.random((ITEMS, NEIGHBOURS), np.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self._tower = torch.nn.TransformerEncoderLayer(WIDTH, 2, 4 * WIDTH, batch_first=True).eval()
            norm, hidden = torch.nn.LayerNorm(WIDTH), torch.nn.Linear(WIDTH, WIDTH)
            layers = [torch.nn.Linear(FEATURES, WIDTH), *3 * (norm, torch.nn.SiLU(), hidden)]
            self._ranker = torch.nn.Sequential(*layers, torch.nn.Linear(WIDTH, 1)).eval()

    @torch.inference_mode()
    def answer(self) -> bytes:
        """One request, from a user's history to a slate as JSON."""
        history = self._rng.integers(0, ITEMS, HISTORY)
        user = self._tower(torch.from_numpy(self._vectors[history])[None])[0, -1].numpy()
        candidates = self._candidates(history, user)
        rows = torch.from_numpy(self._read(candidates))
        return _slate(candidates.tolist(), self._ranker(rows)[:, 0].tolist())

    def _candidates(self, history: Indexes, user: Floats) -> Indexes:
        """Passes over arrays as long as the catalog, and over the candidates' signals."""
        products = self._vectors[: ITEMS // 2] @ user
        near = np.argpartition(products, -CANDIDATES)[-CANDIDATES:]
        recency = np.exp(-np.arange(HISTORY) / 10)[:, None]
        together = np.bincount(
            self._neighbours[history].ravel(), (recency * self._similarity[history]).ravel(), ITEMS
        )
        pool = np.union1d(near, np.flatnonzero(together))
        signals = [together[pool], self._vectors[pool] @ user, *self._similarity[pool, :8].T]
        score = np.log1p(np.stack(signals, 1).clip(0)).sum(1)
        return pool[np.argsort(-score, kind="stable")[:CANDIDATES]]

    def _read(self, candidates: Indexes) -> Floats:
        """Round trips over loopback; the rows that came back."""
        keys = b"".join([f"item_engagement:{item:016d}".encode() for item in candidates.tolist()])
        for size in MESSAGES:
            self._store.sendall(keys[:size])
            received = b""
            while len(received) < size:
                received += self._store.recv(1 << 16)
        return np.frombuffer(received, np.uint8).reshape(CANDIDATES, FEATURES).astype(np.float32)


def _slate(items: list[int], scores: list[float]) -> bytes:
    """Interpretation, and JSON there and back."""
    shown: list[dict[str, Any]] = []
    by_category: dict[str, list[float]] = {}
    for position, (item, score) in enumerate(sorted(zip(items, scores, strict=True), key=lambda p: -p[1]), 1):
        category = f"category {item % 200}"
        others = by_category.setdefault(category, [])
        penalty = sum(0.5**place * other for place, other in enumerate(others))
        others.append(score)
        reasons = [name for name in ("context", "repeat", "together") if (item + len(name)) % 3]
        facts = {"item_id": f"item-{item:06d}", "category": category, "position": position}
        shown.append({**facts, "score": score - penalty, "reasons": reasons})
    return json.dumps(json.loads(json.dumps(shown[:100]))).encode()


@contextmanager
def echo_store() -> Iterator[socket.socket]:
    """A connection to what stands for the online store: it returns what it is sent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_echo, args=(server,))
        thread.start()
        with socket.create_connection(server.getsockname()) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield client
        thread.join()


def _echo(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        while data := connection.recv(1 << 16):
            connection.sendall(data)


def milliseconds_a_request() -> list[float]:
    """The mean of each round, CPU of this thread only: a benchmark does not count Redis either."""
    torch.set_num_threads(1)
    means = []
    with echo_store() as store:
        workload = Workload(store)
        for _ in range(1 + ROUNDS):
            began, used = time.perf_counter(), 0.0
            for place in range(REQUESTS):
                time.sleep(max(0.0, began + place / RATE - time.perf_counter()))
                before = time.thread_time()
                workload.answer()
                used += time.thread_time() - before
            means.append(1e3 * used / REQUESTS)
    return means[1:]  # the first one warms up


if __name__ == "__main__":
    print(median(milliseconds_a_request()))
