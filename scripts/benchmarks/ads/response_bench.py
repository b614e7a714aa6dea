"""response: our click model and LightGBM on the household response set of the demo shop, same features.

Trained on the campaigns before October 2017, measured on the five after. Each model is a mean over five
parts of the households (each stops on the part that it leaves out), with two seeds. LightGBM has the better
of two sizes of trees by log loss on the parts left out. Intervals are over resampled households.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ads.response_features import response_impressions
from ads.response_set import Exposures, find_exposures, read_tables
from recsys import metrics
from recsys.arrays import DoubleArray
from recsys.cli.output import note, print_rows
from recsys.evaluation.ctr.measure import ClickLog, compare_clicks, measure_clicks
from recsys.evaluation.ctr.tables import NAMES, measure_rows
from recsys.jobs.data.demo import installed_demo
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.shape import CtrShape
from recsys.training.ctr.baselines import BoostedTrees, LogisticRegression
from recsys.training.ctr.loop import train_ctr
from recsys.training.ctr.settings import CtrSettings

FOLDS, SEEDS = 5, (0, 1)
OURS, TREES = "ours", "LightGBM"
# Four thousand examples: more epochs of fewer steps, and weights that stay small.
SETTINGS = {"epochs": 20, "patience": 5, "warmup": 20, "weight_decay": 0.1}
TREE_SIZES: tuple[dict[str, float], ...] = ({}, {"num_leaves": 7, "learning_rate": 0.02})
Predict = Callable[[Impressions], DoubleArray]
Fit = Callable[[Impressions, Impressions, int], Predict]


def rows() -> list[dict[str, Any]]:
    """Two rows: AUC and log loss beside LightGBM's."""
    tables = read_tables(installed_demo())
    exposures = find_exposures(tables)
    print_rows(campaign_rows(exposures), as_json=False, title="campaigns")
    impressions, shape = response_impressions(tables, exposures)
    train, test = (impressions.take(np.flatnonzero(part)) for part in (exposures.is_train, exposures.is_test))
    predicted = predictions(train, test, shape)
    log = ClickLog(test.clicked, test.users, {})
    measured = {name: measure_clicks(p, log) for name, p in predicted.items()}
    print_rows(measure_rows(measured), as_json=False, title="response set, 95% intervals over households")
    found = compare_clicks(predicted[OURS], predicted[TREES], log)
    for name in ("auc", "log_loss"):
        one = found[name]
        note(f"{NAMES[name]}: ours less {TREES} {one.difference:+.4f} [{one.low:+.4f}, {one.high:+.4f}]")
    auc, loss = found["auc"], found["log_loss"]
    return [
        _row("response AUC", auc.value, auc.other, auc.value / auc.other, auc.high >= 0),
        # Upside down, so that more is better in both.
        _row("response log loss", loss.value, loss.other, loss.other / loss.value, loss.low <= 0),
    ]


def predictions(train: Impressions, test: Impressions, shape: CtrShape) -> dict[str, DoubleArray]:
    """(test,) probabilities of each model, by name."""

    def network(part: Impressions, held: Impressions, seed: int) -> Predict:
        model = train_ctr(part, held, shape, CtrSettings(seed=seed, **SETTINGS)).model  # type: ignore[arg-type]
        return lambda impressions: model.predict(impressions).p_click

    def trees(size: dict[str, float]) -> Fit:
        return lambda part, held, seed: BoostedTrees(part, held, shape, seed, parameters=size).predict

    def logistic(part: Impressions, held: Impressions, seed: int) -> Predict:
        return LogisticRegression(part, held, shape, (1.0, 5.0, 25.0, 100.0)).predict

    grown = [cross_fitted(train, test, trees(size)) for size in TREE_SIZES]
    note(f"{TREES}: log loss on the parts left out {', '.join(f'{loss:.4f}' for _, loss in grown)}")
    return {
        OURS: cross_fitted(train, test, network)[0],
        TREES: min(grown, key=lambda each: each[1])[0],
        LogisticRegression.name: cross_fitted(train, test, logistic, SEEDS[:1])[0],
        "rate of all": np.full(len(test), train.clicked.mean()),
    }


def cross_fitted(
    train: Impressions, test: Impressions, fit: Fit, seeds: tuple[int, ...] = SEEDS
) -> tuple[DoubleArray, float]:
    """(test,) the mean over folds and seeds, and the log loss on what each fold left out."""
    found, losses = [], []
    for seed in seeds:
        fold = np.random.default_rng(seed).integers(0, FOLDS, int(train.user.max()) + 1)[train.users]
        for each in range(FOLDS):
            held = train.take(np.flatnonzero(fold == each))
            predict = fit(train.take(np.flatnonzero(fold != each)), held, FOLDS * seed + each)
            found.append(predict(test))
            losses.append(metrics.log_loss(held.clicked, predict(held)))
    return np.asarray(np.mean(found, 0), np.float64), float(np.mean(losses))


def campaign_rows(exposures: Exposures) -> list[dict[str, object]]:
    """A line for each campaign, those that are not scored too."""
    found: list[dict[str, object]] = []
    for campaign in dict.fromkeys(exposures.campaign.tolist()):
        own = exposures.campaign == campaign
        part = (
            "test" if exposures.is_test[own][0] else "train" if exposures.is_train[own][0] else "not scored"
        )
        found.append(
            {
                "campaign": campaign,
                "start": str(exposures.start[own][0])[:10],
                "households": int(own.sum()),
                "redeemed": int(exposures.redeemed[own].sum()),
                "part": part,
            }
        )
    return found


def _row(name: str, ours: float, peer: float, ratio: float, not_worse: bool) -> dict[str, Any]:
    return {
        "name": name,
        "unit": name.removeprefix("response "),
        "ours": round(ours, 4),
        "peer": f"{TREES}, same features",
        "peer_value": round(peer, 4),
        "ratio": round(ratio, 4),
        "at_least": None,
        "aim": 1.0,
        "ok": bool(not_worse),
    }
