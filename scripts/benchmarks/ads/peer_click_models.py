"""torch-rechub's click models, in the environment of `scripts/peers`: `peer_click_models.py WHAT DIR SEED`.

WHAT is din or dcn: trains it on what `click_peers.py` wrote into DIR, writes WHAT-SEED.npy with the
probabilities of the held-out and the test rows and prints CPU seconds as JSON; or speed: DIN's CPU seconds
an epoch. Imports nothing of recsys.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

MOST_EPOCHS, PATIENCE = 10, 2
BINS = 20  # DIN takes no numbers, so that it gets each as one of as many steps of equal size
Columns = dict[str, Any]


def read(folder: Path) -> tuple[dict[str, Any], Columns]:
    """The sizes and the columns."""
    sizes = json.loads((folder / "sizes.json").read_text("utf-8"))
    with np.load(folder / "columns.npz") as stored:
        return sizes, dict(stored)


def binned(numbers: Any, train: Any) -> Any:
    """(n, F) the step of each number among those of the training rows, from 1; 0 = missing."""
    found = np.zeros(numbers.shape, np.int64)
    for place in range(numbers.shape[1]):
        known = numbers[train, place]
        edges = np.unique(np.nanquantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
        found[:, place] = np.searchsorted(edges, numbers[:, place], "right") + 1
    found[np.isnan(numbers)] = 0
    return found


def scaled(numbers: Any, train: Any) -> Any:
    """(n, F) deviations from the mean of the training rows, a missing one as 0."""
    mean, deviation = np.nanmean(numbers[train], 0), np.nanstd(numbers[train], 0)
    rows = (numbers - mean) / np.where(deviation > 1e-9, deviation, np.inf)
    return np.nan_to_num(np.clip(rows, -8, 8)).astype(np.float32)


def history_features(sizes: dict[str, Any], pooling: str) -> list[Any]:
    """The items and the kinds of the history."""
    from torch_rechub.basic.features import SequenceFeature

    width, options = sizes["width"], {"pooling": pooling, "padding_idx": 0}
    return [
        SequenceFeature("history", sizes["items"], width, shared_with="item", **options),
        SequenceFeature("kinds", sizes["kinds"], width, **options),
    ]


def din(sizes: dict[str, Any], columns: Columns) -> tuple[Any, Columns]:
    """DIN with the same width and layers as ours, and what it reads."""
    import torch_rechub.models.ranking
    from torch_rechub.basic.features import SparseFeature

    width = sizes["width"]
    steps = binned(columns["numbers"], columns["part"] == 0)
    plain = {f"number {place}": steps[:, place] for place in range(steps.shape[1])}
    plain |= {name: columns["categories"][:, place] for place, (name, _) in enumerate(sizes["categories"])}
    known = dict(sizes["categories"])
    features = [SparseFeature(name, known.get(name, BINS + 2), width) for name in plain]
    model = torch_rechub.models.ranking.DIN(
        features=features,
        history_features=history_features(sizes, "concat"),
        # The kinds of the history are weighed against a target of their own, which says nothing.
        target_features=[
            SparseFeature("item", sizes["items"], width),
            SparseFeature("kind", sizes["kinds"], width, shared_with="kinds"),
        ],
        mlp_params={"dims": list(sizes["hidden"]), "dropout": sizes["dropout"]},
        attention_mlp_params={"dims": [2 * width]},
    )
    none = np.zeros(len(columns["item"]), np.int64)
    read_columns = {name: columns[name] for name in ("item", "history", "kinds")}
    return model, plain | read_columns | {"kind": none}


def dcn(sizes: dict[str, Any], columns: Columns) -> tuple[Any, Columns]:
    """DCN-v2, parallel, with crosses and layers as ours; the history as its mean."""
    import torch_rechub.models.ranking
    from torch_rechub.basic.features import DenseFeature, SparseFeature

    width = sizes["width"]
    numbers = scaled(columns["numbers"], columns["part"] == 0)
    dense = {f"number {place}": numbers[:, place] for place in range(numbers.shape[1])}
    plain = {name: columns["categories"][:, place] for place, (name, _) in enumerate(sizes["categories"])}
    features = [SparseFeature(name, size, width) for name, size in sizes["categories"]]
    features += [SparseFeature("item", sizes["items"], width), *history_features(sizes, "mean")]
    features += [DenseFeature(name) for name in dense]
    model = torch_rechub.models.ranking.DCNv2(
        features=features,
        n_cross_layers=sizes["crosses"],
        mlp_params={"dims": list(sizes["hidden"]), "dropout": sizes["dropout"]},
        low_rank=sizes["rank"],
    )
    return model, dense | plain | {name: columns[name] for name in ("item", "history", "kinds")}


MODELS = {"din": din, "dcn": dcn}


def train(name: str, folder: Path, seed: int, epochs: int, validates: bool) -> tuple[Any, float]:
    """(held-out rows, then test rows) probabilities, and CPU seconds of the training."""
    import torch
    from torch_rechub.trainers import CTRTrainer
    from torch_rechub.utils.data import DataGenerator

    torch.manual_seed(seed)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    sizes, columns = read(folder)
    model, inputs = MODELS[name](sizes, columns)
    labels = columns["clicked"].astype(np.float32)

    def rows(part: int) -> tuple[Columns, Any]:
        own = columns["part"] == part
        return {key: values[own] for key, values in inputs.items()}, labels[own]

    generator = DataGenerator(*rows(0))
    (held, held_labels), (test, test_labels) = rows(1), rows(2)
    loaders = generator.generate_dataloader(held, held_labels, test, test_labels, batch_size=sizes["batch"])
    with tempfile.TemporaryDirectory() as kept:
        trainer = CTRTrainer(model, n_epoch=epochs, earlystop_patience=PATIENCE, model_path=kept)
        start = time.process_time()
        trainer.fit(loaders[0], loaders[1] if validates else None)
        seconds = time.process_time() - start
    found = [trainer.predict(trainer.model, loader) for loader in loaders[1:]] if validates else [[]]
    return np.concatenate(found), seconds


def main(what: str, folder: Path, seed: int) -> None:
    """Prints one JSON object as its last line."""
    if what == "speed":
        taken = [train("din", folder, seed, epochs, False)[1] for epochs in (1, 2)]
        print(json.dumps({"seconds": taken[1] - taken[0]}))
        return
    found, seconds = train(what, folder, seed, MOST_EPOCHS, True)
    np.save(folder / f"{what}-{seed}.npy", found)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
