"""encode-query: one query as a vector, as the service makes it, beside torch in float32; one core.

Queries are one to six words of titles that are made up, each once, so that none comes from memory. Quality is
the mean cosine with the peer's vectors.
"""

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recsys.arrays import FloatArray
from recsys.cli.output import note
from recsys.config import TextSettings
from recsys.models.encoders.query_encoder import TorchQueries
from recsys.models.encoders.text_encoder import load_encoder
from recsys.stores.encoders.query_encoder_files import FILES, load_query_encoder, write_query_encoder

QUERIES = 400
MOST_MS, AIM_MS = 6.0, 2.0
LEAST_COSINE = 0.99
WORDS = re.findall(
    r"\w+",
    "red blue oak steel wireless folding outdoor kitchen cordless ceiling garden shower wool cotton"
    " lamp fan drill chair table hose faucet cabinet mirror rug shelf heater sofa door pump 3 ft 12 in",
)


def rows() -> list[dict[str, Any]]:
    """One row: the median CPU of a query in milliseconds, and the peer's."""
    torch.set_num_threads(1)
    exact = load_encoder(TextSettings(precision="float32"))
    queries = _queries(np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as folder:
        facts = write_query_encoder(exact, Path(folder), queries)
        files = FILES if facts is not None else ()
        ours = load_query_encoder(Path(folder), files, exact.name, exact.settings)
    peer = TorchQueries(exact)
    for query in queries[:20]:  # the first runs pay for what comes once
        ours.network.vector(query)
        peer.vector(query)
    took: tuple[list[float], list[float]] = ([], [])
    cosines = []
    for query in queries:
        mine, theirs = _timed(ours.encode, query, took[0]), _timed(peer.vector, query, took[1])
        cosines.append(float(mine @ theirs))
    p50, p99 = np.percentile(took[0], [50, 99])
    note(f"{ours.engine}: p50 {p50:.2f}, p99 {p99:.2f} ms CPU, cosine with the peer {np.mean(cosines):.4f}")
    peer_ms = float(np.median(took[1]))
    return [
        {
            "name": "encode-query",
            "unit": "ms CPU",
            "ours": float(p50),
            "peer": "torch float32",
            "peer_value": peer_ms,
            "ratio": None,
            "at_least": MOST_MS,
            "aim": AIM_MS,
            "ok": bool(p50 <= MOST_MS and np.mean(cosines) >= LEAST_COSINE),
        }
    ]


def _queries(rng: np.random.Generator) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < QUERIES:
        found[" ".join(rng.choice(WORDS, rng.integers(1, 7), replace=False))] = None
    return list(found)


def _timed(encode: Callable[[str], FloatArray], query: str, took: list[float]) -> FloatArray:
    start = time.thread_time()
    vector = encode(query)
    took.append(1000 * (time.thread_time() - start))
    return vector
