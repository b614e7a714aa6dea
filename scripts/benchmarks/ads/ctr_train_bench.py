"""ctr-train: examples a second of our click model's training and of torch-rechub's DIN, one thread each.

Same impressions, embedding width, history length, batch and layers. Seconds are of CPU and of the second of
two epochs, without validation. Ours has crosses, vectors and several heads beside what DIN has.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from recsys.cli.output import note
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.shape import CtrShape
from recsys.progress import Advance
from recsys.training.ctr.loop import train_ctr
from recsys.training.ctr.settings import CtrSettings

from .click_peers import run_peer, write_columns

EXAMPLES, USERS, ITEMS, LENGTH, BATCH = 12_000, 2_000, 5_000, 50, 256
ROUNDS = 3
AT_LEAST, AIM = 2.0, 5.0


def rows() -> list[dict[str, Any]]:
    """One row: examples a second, medians of rounds taken in turns."""
    impressions, shape = random_impressions(np.random.default_rng(0))
    part = np.where(np.arange(EXAMPLES) < EXAMPLES * 0.9, 0, np.where(np.arange(EXAMPLES) % 2, 1, 2))
    train, held = (impressions.take(np.flatnonzero(part == which)) for which in (0, 1))
    ours, theirs = [], []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as name:
        folder = Path(name)
        write_columns(folder, impressions, shape, part, BATCH)
        for _ in range(ROUNDS):
            ours.append(len(train) / second_epoch(train, held, shape))
            theirs.append(len(train) / run_peer("speed", folder))
            note(f"ours {ours[-1]:.0f}, DIN {theirs[-1]:.0f} examples/CPU s")
    torch.set_num_threads(threads)
    value, peer_value = median(ours), median(theirs)
    return [
        {
            "name": "ctr-train",
            "unit": "examples/CPU s",
            "ours": round(value),
            "peer": "DIN of torch-rechub",
            "peer_value": round(peer_value),
            "ratio": round(value / peer_value, 2),
            "at_least": AT_LEAST,
            "aim": AIM,
            "ok": value / peer_value >= AT_LEAST,
        }
    ]


def second_epoch(train: Impressions, held: Impressions, shape: CtrShape) -> float:
    """CPU seconds of the second of two epochs, from its first step to its last."""
    steps = -(-len(train) // BATCH)
    ends: list[float] = []

    @contextmanager
    def watched(label: str, total: int | None) -> Iterator[Advance]:
        done = count(1)

        def advance(_: int) -> None:
            if next(done) in (steps + 1, 2 * steps):
                ends.append(time.process_time())

        yield advance

    train_ctr(train, held, shape, CtrSettings(epochs=2, patience=2, batch_size=BATCH), watched)
    return (ends[1] - ends[0]) * steps / (steps - 1)


def random_impressions(rng: np.random.Generator) -> tuple[Impressions, CtrShape]:
    """Impressions with full histories; what they say is chance, which training does not know."""
    vectors = rng.standard_normal((ITEMS + 1, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    sizes = (("user", USERS + 1), ("category", 41), ("brand", 201))
    impressions = Impressions(
        request=np.arange(EXAMPLES),
        item=rng.integers(1, ITEMS + 1, EXAMPLES),
        slot=np.zeros(EXAMPLES, np.int64),
        numbers=rng.standard_normal((EXAMPLES, 8)).astype(np.float32),
        categories=np.stack([rng.integers(1, size, EXAMPLES) for _, size in sizes], 1),
        clicked=rng.random(EXAMPLES) < 0.2,
        converted=np.zeros(EXAMPLES, bool),
        user=rng.integers(0, USERS, EXAMPLES),
        surface=np.zeros(EXAMPLES, np.int64),
        user_vectors=vectors[rng.integers(1, ITEMS + 1, EXAMPLES)],
        item_vectors=vectors,
        query_vectors=np.zeros((EXAMPLES, 0), np.float32),
        history=rng.integers(1, ITEMS + 1, (EXAMPLES, LENGTH)),
        history_kinds=rng.integers(1, 5, (EXAMPLES, LENGTH)),
    )
    names = tuple(f"number {place}" for place in range(8))
    shape = CtrShape(names, sizes, ITEMS, 64, kinds=5, history=LENGTH)
    return impressions, shape
