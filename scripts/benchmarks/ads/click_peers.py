"""Impressions handed to torch-rechub's click models, in the peers' environment."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np

from recsys.arrays import DoubleArray, IntArray
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.shape import CtrShape

ROOT = Path(__file__).parents[3]


def write_columns(
    folder: Path, impressions: Impressions, shape: CtrShape, part: IntArray, batch: int
) -> None:
    """Writes what `peer_click_models.py` reads.

    Args:
        part: (I,) 0 = train, 1 = held out to stop by, 2 = test.
    """
    sizes = {
        "items": shape.items + 1,
        "kinds": shape.kinds,
        "width": shape.width,
        "hidden": shape.hidden,
        "dropout": shape.dropout,
        "crosses": shape.crosses,
        "rank": shape.rank,
        "categories": shape.categories,
        "batch": batch,
    }
    (folder / "sizes.json").write_text(json.dumps(sizes), "utf-8")
    numbers = impressions.numbers.astype(np.float64)
    chosen = np.array([name in shape.logarithm for name in shape.numbers], bool)
    np.savez(
        folder / "columns.npz",
        numbers=np.where(chosen, np.sign(numbers) * np.log1p(np.abs(numbers)), numbers),
        categories=impressions.categories,
        item=impressions.item,
        history=impressions.history[impressions.request],
        kinds=impressions.history_kinds[impressions.request],
        clicked=impressions.clicked,
        part=part,
    )


def run_peer(what: str, folder: Path, seed: int = 0) -> float:
    """CPU seconds that `peer_click_models.py` names; its environment is made where it is missing."""
    subprocess.run([ROOT / "scripts" / "peers"], check=True)
    python = ROOT / os.environ.get("RECSYS_PEERS", ".recsys-peers") / "bin" / "python"
    script = Path(__file__).with_name("peer_click_models.py")
    ended = subprocess.run(
        [python, script, what, folder, str(seed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return float(json.loads(ended.stdout.splitlines()[-1])["seconds"])


def peer_predictions(what: str, folder: Path, seed: int) -> tuple[DoubleArray, float]:
    """(held-out, then test) probabilities of a peer that is trained now, and its CPU seconds."""
    seconds = run_peer(what, folder, seed)
    return np.load(folder / f"{what}-{seed}.npy").astype(np.float64), seconds
