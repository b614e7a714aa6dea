"""movielens-clicks: our click model, LightGBM, torch-rechub's DCN-v2 and DIN on MovieLens 100K, five seeds.

`--data DIR` names the folder. Test: the last 20% of each user's ratings by time; 4 or better counts as a
click. Each model reads the user's code or does not, whichever has the better log loss on the held-out part.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from recsys import metrics
from recsys.arrays import DoubleArray
from recsys.cli.output import note, print_rows
from recsys.errors import ConfigError
from recsys.evaluation.ctr.click_metrics import grouped_auc
from recsys.evaluation.ctr.measure import ClickLog, compare_clicks
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.shape import CtrShape
from recsys.training.ctr.baselines import BoostedTrees
from recsys.training.ctr.loop import train_ctr
from recsys.training.ctr.settings import CtrSettings

from .click_peers import peer_predictions, write_columns
from .movielens_clicks import movielens_impressions
from .movielens_ratings import HELD, TEST, TRAIN, read_ratings

SEEDS = range(5)
OURS = "ours"
SETTINGS = {"epochs": 3, "learning_rate": 2e-3, "warmup": 50}
Pair = tuple[DoubleArray, DoubleArray]  # probabilities of the held-out and of the test part


class Data(NamedTuple):
    """The parts, as a model reads them, and where they lie for the peers."""

    train: Impressions
    held: Impressions
    test: Impressions
    shape: CtrShape
    folder: Path


def rows() -> list[dict[str, Any]]:
    """Two rows: mean AUC and gAUC over the seeds beside the best of the others'."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as name:
        variants = _variants(Path(name))
        found = {model: _runs(model, fit, variants) for model, fit in FITS.items()}
    test = variants[0].test
    table = {model: [_measured(test, p) for p in runs] for model, runs in found.items()}
    print_rows(_lines(table), as_json=False, title="MovieLens 100K, rating >= 4: mean of 5 seeds")
    log = ClickLog(test.clicked, test.users, {})
    mean = {model: np.asarray(np.mean(runs, 0), np.float64) for model, runs in found.items()}
    for model in set(found) - {OURS}:
        for metric, each in compare_clicks(mean[OURS], mean[model], log).items():
            interval = f"{each.difference:+.4f} [{each.low:+.4f}, {each.high:+.4f}]"
            note(f"mean of seeds, {metric}: ours less {model} {interval}")
    return [_row(metric, place, table) for place, metric in enumerate(("AUC", "gAUC"))]


def _variants(folder: Path) -> list[Data]:
    """The data without and with the user's code."""
    given = os.environ.get("RECSYS_BENCH_DATA")
    if not given:
        raise ConfigError("movielens-clicks needs the folder of MovieLens 100K. Name it by --data DIR.")
    ratings, found = read_ratings(Path(given)), []
    for with_user in (False, True):
        impressions, shape = movielens_impressions(ratings, with_user)
        own = folder / str(with_user)
        own.mkdir()
        write_columns(own, impressions, shape, ratings.part, CtrSettings().batch_size)
        train, held, test = (
            impressions.take(np.flatnonzero(ratings.part == part)) for part in (TRAIN, HELD, TEST)
        )
        found.append(Data(train, held, test, shape, own))
    return found


def _runs(model: str, fit: "Fit", variants: list[Data]) -> list[DoubleArray]:
    """(seeds) test probabilities by the variant that is better on the held-out part with the first seed."""
    tried = [fit(data, SEEDS[0]) for data in variants]
    losses = [
        metrics.log_loss(data.held.clicked, pair[0]) for data, pair in zip(variants, tried, strict=True)
    ]
    best = int(np.argmin(losses))
    note(f"{model}: held-out log loss without the user's code {losses[0]:.4f}, with it {losses[1]:.4f}")
    return [tried[best][1], *(fit(variants[best], seed)[1] for seed in SEEDS[1:])]


def _ours(data: Data, seed: int) -> Pair:
    model = train_ctr(data.train, data.held, data.shape, CtrSettings(seed=seed, **SETTINGS)).model  # type: ignore[arg-type]
    return model.predict(data.held).p_click, model.predict(data.test).p_click


def _trees(data: Data, seed: int) -> Pair:
    model = BoostedTrees(data.train, data.held, data.shape, seed)
    return model.predict(data.held), model.predict(data.test)


def _peer(name: str) -> "Fit":
    def fit(data: Data, seed: int) -> Pair:
        p, seconds = peer_predictions(name, data.folder, seed)
        note(f"{name}, seed {seed}: {seconds:.0f} s CPU")
        return p[: len(data.held)], p[len(data.held) :]

    return fit


Fit = Callable[[Data, int], Pair]
FITS: dict[str, Fit] = {OURS: _ours, "LightGBM": _trees, "DCN-v2": _peer("dcn"), "DIN": _peer("din")}


def _measured(test: Impressions, p: DoubleArray) -> tuple[float, float, float]:
    auc, loss = metrics.auc(test.clicked, p), metrics.log_loss(test.clicked, p)
    return auc, grouped_auc(test.clicked, p, test.users), loss


def _lines(table: dict[str, list[tuple[float, float, float]]]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for model, runs in table.items():
        mean, spread = np.mean(runs, 0), np.std(runs, 0, ddof=1)
        line: dict[str, object] = {"model": model}
        for name, value, error in zip(("AUC", "gAUC", "log loss"), mean, spread, strict=True):
            line[name] = f"{value:.4f} +- {error:.4f}"
        found.append(line)
    return found


def _row(metric: str, place: int, table: dict[str, list[tuple[float, float, float]]]) -> dict[str, Any]:
    means = {model: float(np.mean([run[place] for run in runs])) for model, runs in table.items()}
    ours = means.pop(OURS)
    best = max(means, key=lambda model: means[model])
    return {
        "name": f"movielens-clicks {metric}",
        "unit": metric,
        "ours": round(ours, 4),
        "peer": f"{best}, the best of {', '.join(means)}",
        "peer_value": round(means[best], 4),
        "ratio": round(ours / means[best], 4),
        "at_least": 1.0,
        "aim": round((means[best] + 0.005) / means[best], 4),
        "ok": ours >= means[best],
    }
