"""encode-text: titles as vectors in int8, beside the same encoder in float32; one core.

Seconds are of the CPU. Titles are 4 to 14 words that are made up. Quality is the mean cosine with the peer.
"""

import time
from typing import Any

import numpy as np
import torch

from recsys.arrays import FloatArray
from recsys.cli.output import note
from recsys.config import TextSettings
from recsys.models.encoders.text_encoder import TextEncoder, load_encoder
from search.encode_query_bench import WORDS

TEXTS, ROUNDS = 1000, 3
LEAST_PER_SECOND, AIM_PER_SECOND = 500.0, 700.0
LEAST_COSINE = 0.99


def rows() -> list[dict[str, Any]]:
    """One row: texts a second of CPU, and the peer's."""
    torch.set_num_threads(1)
    small, exact = (load_encoder(TextSettings(precision=precision)) for precision in ("int8", "float32"))
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(4, 15), replace=False)) for _ in range(TEXTS)]
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        mine, theirs = _timed(small, texts, took[0]), _timed(exact, texts, took[1])
    cosine = float(np.einsum("ne,ne->n", mine, theirs).mean())
    tokens = np.mean([len(row) for row in exact.tokenize(texts)])
    ours, peer = (TEXTS / float(np.median(each)) for each in took)
    note(f"{ours:.0f} texts of {tokens:.0f} tokens a second, float32 {peer:.0f}, cosine {cosine:.4f}")
    return [
        {
            "name": "encode-text",
            "unit": "texts/s",
            "ours": ours,
            "peer": "torch float32",
            "peer_value": peer,
            "ratio": None,
            "at_least": LEAST_PER_SECOND,
            "aim": AIM_PER_SECOND,
            "ok": bool(ours >= LEAST_PER_SECOND and cosine >= LEAST_COSINE),
        }
    ]


def _timed(encoder: TextEncoder, texts: list[str], took: list[float]) -> FloatArray:
    start = time.process_time()
    vectors = encoder.encode(texts)
    took.append(time.process_time() - start)
    return vectors
