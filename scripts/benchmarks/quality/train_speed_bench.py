"""train-speed: training examples a second of our retriever and of RecTools' SASRec, one thread each.

Same width, history length, batch, blocks and heads, on the training part of the shop in `--home`. An
example is one action to be predicted. Ours is the bundle's own network with its settings as shipped;
seconds are of CPU and of an epoch, without what comes before and after it.
"""

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from quality.quality_bench import export, run_peer
from recsys.cli.output import bars, log_to_stderr, note
from recsys.config import RetrieverSettings, load_settings
from recsys.dataset.batches import (
    TrainingData,
    batch_of,
    batch_rows,
    histories_of,
    training_data,
    training_windows,
)
from recsys.dataset.interactions import Interactions
from recsys.jobs.training.evaluate import find_bundle
from recsys.models.retriever.retriever import Retriever
from recsys.stores.bundles.bundles import load_bundle, load_manifest
from recsys.stores.lake.shop import open_shop
from recsys.training.retriever.loop import train_retriever

ROUNDS = 3
AT_LEAST, AIM = 2.0, 5.0


def rows() -> list[dict[str, Any]]:
    """One row: examples a second, medians of rounds taken in turns."""
    settings = load_settings()
    shop = open_shop(settings.paths)
    with log_to_stderr():
        protocol = os.environ.get("RECSYS_BENCH_PROTOCOL")
        record = find_bundle(settings, shop, protocol, None, bars, shop.info.repeats)
    train = shop.split(record.protocol, settings.evaluation).train
    retriever = load_bundle(record.path, load_manifest(record.path).services).retriever
    section = settings.retriever.model_copy(update={"threads": 1, "epochs": 2, "patience": 2})
    data = _data(train, section.history_length)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as name:
        folder = Path(name)
        export(train, folder / "train.parquet")
        for turn in range(ROUNDS):
            ours.append(len(data.target) / _second_epoch(retriever, data, section, folder / str(turn)))
            peer = run_peer("speed", folder, 0)
            theirs.append(peer["examples"] / peer["seconds_an_epoch"])
    padding = _padding(data, section.batch_size)
    note(f"padding in ours: {padding:.1%} of all cells; {len(data.target)} examples an epoch")
    value, peer_value = median(ours), median(theirs)
    return [
        {
            "name": "train-speed",
            "unit": "examples/CPU s",
            "ours": round(value),
            "peer": "SASRec of RecTools",
            "peer_value": round(peer_value),
            "ratio": round(value / peer_value, 2),
            "at_least": AT_LEAST,
            "aim": AIM,
            "ok": value / peer_value >= AT_LEAST,
        }
    ]


def _data(train: Interactions, length: int) -> TrainingData:
    windows = training_windows(train, length)
    return training_data(histories_of(train, windows.user_index, windows.at, length), train, windows)


def _second_epoch(retriever: Retriever, data: TrainingData, section: RetrieverSettings, run: Path) -> float:
    """CPU seconds of the second of two epochs."""
    ends: list[float] = []

    def validate(model: Retriever) -> dict[str, float]:
        ends.append(time.process_time())
        return {"ndcg@10": 0.0}

    train_retriever(retriever, data, section, run, validate, resume=False)
    return ends[1] - ends[0]


def _padding(data: TrainingData, batch_size: int) -> float:
    """The share of cells of an epoch's batches that hold no action."""
    batches = [batch_of(data, rows) for rows in batch_rows(data, batch_size, np.random.default_rng(0))]
    return 1 - sum(int((b.kinds > 0).sum()) for b in batches) / sum(b.kinds.size for b in batches)
