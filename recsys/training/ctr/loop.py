"""Trains a click-through network, keeps the epoch with the best held-out log loss, and calibrates it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from recsys import metrics
from recsys.arrays import IntArray
from recsys.errors import DataError
from recsys.models.ctr.impressions import Batch, Impressions, make_batch
from recsys.models.ctr.likelihood import click_loss, conversion_loss, log_click_probabilities
from recsys.models.ctr.model import CtrModel, check_impressions, predict_raw
from recsys.models.ctr.network import CtrNetwork
from recsys.models.ctr.shape import CtrShape
from recsys.progress import Advance, Progress, silent
from recsys.training.ctr.calibration import choose_calibrations_by_age
from recsys.training.ctr.examination import fit_examination
from recsys.training.ctr.settings import CtrSettings
from recsys.training.curves import Curves, Epoch
from recsys.training.schedule import build_adamw, gradient_step, learning_rate, set_rate, weights_of

MONITOR = "-log loss"  # larger is better
_STEEPEST = 1.0  # norm of a gradient


@dataclass(frozen=True)
class TrainedCtr:
    """A calibrated model and its learning curves."""

    model: CtrModel
    curves: Curves


def train_ctr(
    train: Impressions,
    held: Impressions,
    shape: CtrShape,
    settings: CtrSettings | None = None,
    progress: Progress = silent,
) -> TrainedCtr:
    """A calibrated click-through model and its learning curves; the same for the same seed and machine.

    AdamW on the likelihood of clicks, and of conversions where the shape has that head; see
    `recsys.models.ctr.likelihood` for impressions that are left out. The epoch with the least log loss on
    `held` is kept and calibrated there; `held` is never down-sampled and should be later than `train`.

    Raises:
        DataError: one of them has no click, or nothing but clicks, or is not of this shape.
    """
    settings = settings or CtrSettings()
    _check(train, held, shape)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = _initial_network(train, shape, settings).to(device)
    curves, best = Curves("click-through", MONITOR), weights_of(network)
    steps = settings.epochs * _batches(len(train), settings)
    with progress("train click-through model", steps) as advance, torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        for epoch in _epochs(network, train, settings, advance):
            curves = curves.add(replace(epoch, metrics={MONITOR: -_held_log_loss(network, held)}))
            if curves.best_epoch == epoch.number:
                best = weights_of(network)
            if curves.stale(settings.patience):
                break
    network.load_state_dict(best, strict=False)
    network = network.cpu().eval()
    return TrainedCtr(_calibrated(network, train, held), curves)


def _calibrated(network: CtrNetwork, train: Impressions, held: Impressions) -> CtrModel:
    """Calibrated on `held`, each slot's examination fitted on all impressions, and calibrated again."""
    shown = np.bincount(train.item, minlength=network.shape.items + 1)
    model = CtrModel(network, *choose_calibrations_by_age(network, held, shown), shown)
    if network.shape.slots < 2:
        return model
    attraction, surface, slot, clicked = (
        np.concatenate(parts)
        for parts in zip(
            *(
                (model.predict(each).attraction, each.surfaces, each.slot, each.clicked)
                for each in (train, held)
            ),
            strict=True,
        )
    )
    fit_examination(network.examination, surface, slot, attraction, clicked)
    return CtrModel(network, *choose_calibrations_by_age(network, held, shown), shown)


def _check(train: Impressions, held: Impressions, shape: CtrShape) -> None:
    for name, part in (("training", train), ("held-out", held)):
        check_impressions(shape, part)
        clicks = int(part.clicked.sum())
        if not 0 < clicks < len(part):
            raise DataError(
                f"{clicks} of the {len(part)} {name} impressions were clicked; a click model needs some with "
                "and some without. Take a longer period."
            )


def _initial_network(train: Impressions, shape: CtrShape, settings: CtrSettings) -> CtrNetwork:
    """A network that says the share of clicks (of conversions) of every impression at a first slot."""
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = CtrNetwork(shape)
    network.numbers.fit(train.numbers)
    network.examination.fit(train.surfaces, train.slot, train.clicked)
    first = train.clicked[train.slot <= 1] if (train.slot <= 1).any() else train.clicked
    network.begin_at(
        _log_odds(float(first.sum()), len(first)),
        _log_odds(float(train.bought[train.mature].sum()), float(train.clicked[train.mature].sum())),
    )
    return network


def _log_odds(successes: float, trials: float) -> float:
    return float(np.log((successes + 0.5) / (trials - successes + 0.5)))


def _epochs(
    network: CtrNetwork, train: Impressions, settings: CtrSettings, advance: Advance
) -> Iterator[Epoch]:
    """Trains in place and yields each epoch, without metrics."""
    optimizer = build_adamw(network, settings.learning_rate, settings.weight_decay)
    for number in range(1, settings.epochs + 1):
        started = time.perf_counter()
        rng = np.random.default_rng([settings.seed, number])
        rows = kept_rows(train, settings.kept, rng)
        parts = np.array_split(rows, _batches(len(rows), settings))
        total = torch.zeros(())
        network.train()
        for place, part in enumerate(parts):
            step = (number - 1) * len(parts) + place
            steps = settings.epochs * len(parts)
            rate = learning_rate(step, steps, settings.learning_rate, settings.warmup)
            set_rate(optimizer, rate)
            loss = _batch_loss(network, train, part, settings)
            gradient_step(optimizer, loss, network.parameters(), _STEEPEST)
            total = total + loss.detach().cpu()
            advance(1)
        network.eval()
        yield Epoch(number, float(total) / len(parts), rate, time.perf_counter() - started, {})


def kept_rows(train: Impressions, kept: float, rng: np.random.Generator) -> IntArray:
    """All rows with a click and a share `kept` of the others, in random order."""
    rows = (
        np.flatnonzero(train.clicked | (rng.random(len(train)) < kept)) if kept < 1 else np.arange(len(train))
    )
    return np.asarray(rng.permutation(rows), np.int64)


def _batches(rows: int, settings: CtrSettings) -> int:
    return max(1, -(-rows // settings.batch_size))


def _batch_loss(network: CtrNetwork, train: Impressions, rows: IntArray, settings: CtrSettings) -> Tensor:
    device = network.attraction.weight.device
    batch = _with_unknown(make_batch(train, rows), settings.unknown).to(device)
    logits = network(batch)
    log_click, log_none = log_click_probabilities(logits.attraction, logits.seen, logits.unseen)
    clicked = torch.from_numpy(train.clicked[rows]).to(device)
    loss = click_loss(log_click, log_none, clicked, settings.kept)
    mature = torch.from_numpy(train.mature[rows]).to(device)
    if logits.conversion is None or not bool(mature.any()):
        return loss
    bought = torch.from_numpy(train.bought[rows]).to(device)
    logged = (log_click[mature], log_none[mature], logits.conversion[mature])
    return loss + settings.conversion_weight * conversion_loss(*logged, bought[mature], settings.kept)


def _with_unknown(batch: Batch, share: float) -> Batch:
    """The batch with a share of the categories and items read as unknown."""
    if not share:
        return batch
    categories = batch.categories.masked_fill(torch.rand(batch.categories.shape) < share, 0)
    item = batch.item_index.masked_fill(torch.rand(batch.item_index.shape) < share, 0)
    return replace(batch, categories=categories, item_index=item)


def _held_log_loss(network: CtrNetwork, held: Impressions) -> float:
    raw = predict_raw(network, held)
    attraction = 1 / (1 + np.exp(-np.clip(raw.log_odds, -30, 30)))
    return metrics.log_loss(held.clicked, raw.examination * attraction)
