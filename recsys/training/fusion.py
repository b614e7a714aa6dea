"""How fusion learns to weigh the signals: from candidates of cases that no signal was trained on."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recsys.config import FusionSettings
from recsys.models.fusion import Fusion
from recsys.models.losses import listwise_loss
from recsys.models.retriever.cold_start import COLD_EVENTS
from recsys.models.signals import ITEM_EVENTS, SIGNALS
from recsys.progress import Advance, Progress, silent
from recsys.training.curves import Curves, Epoch
from recsys.training.prior_weights import (
    fit_prior_by_coordinate_ascent,
    is_significantly_better,
    mean_by_user,
    ndcg_values,
)
from recsys.training.schedule import build_adamw, gradient_step, learning_rate, set_rate, weights_of

MIN_REQUESTS = 100  # with a target among the candidates; with fewer the prior stays
STATISTICS_ROWS = 1_000_000  # candidates that mean and deviation are taken from
BLOCK_REQUESTS = 1000  # scored at a time: bounds memory
MONITOR = "ndcg@10"
COLD_WEIGHTS = (0.0, 1.0, 3.0)  # tried where the settings name none


@dataclass(frozen=True)
class _Requests:
    """R requests of C candidates: signals (R, C, S), labels and mask (R, C), targets (R,) in all."""

    signals: Tensor
    labels: Tensor
    mask: Tensor
    targets: Tensor

    def take(self, rows: IntArray) -> "_Requests":
        index = torch.from_numpy(rows)
        return _Requests(self.signals[index], self.labels[index], self.mask[index], self.targets[index])


def train_fusion(
    fusion: Fusion,
    signals: FloatArray,
    labels: BoolArray,
    mask: BoolArray,
    targets: IntArray,
    settings: FusionSettings,
    held: BoolArray,
    users: IntArray | None = None,
    progress: Progress = silent,
) -> Curves:
    """Trains `fusion` in place and returns its curves; the prior stays where learning does not improve on it.

    First the few weights of the prior are fitted (`fit_prior_by_coordinate_ascent`), then the MLP learns what
    they leave. Its loss is softmax cross-entropy among a request's candidates. A target outside the
    candidates is not put among them: fusion would learn that what the prior ranks low is right. How much
    more a request with a cold target weighs in the loss is tried (COLD_WEIGHTS); the epoch and the weight
    with the best NDCG@10 on held-out users' requests are taken, if that is above the prior's by a standard
    error.

    Args:
        fusion: untrained.
        signals: (R, C, S) float32. labels: (R, C) whether a candidate came true.
        mask: (R, C) false for padding.
        targets: (R,) how many items came true, candidates or not.
        held: (R,) requests that nothing is learned from: they choose the epoch and the cold weight.
        users: (R,) the user of each request; None = another one each time.
    """
    curves = Curves("fusion", MONITOR)
    useful = (labels & mask).any(1) & (~labels & mask).any(1)
    kept, apart = np.flatnonzero(useful & ~held), np.flatnonzero(useful & held)
    if useful.sum() < MIN_REQUESTS or not len(apart):
        return curves
    requests = _Requests(*(torch.from_numpy(part) for part in (signals, labels, mask, targets)))
    users = np.arange(len(labels)) if users is None else users
    train, test = requests.take(kept), requests.take(apart)
    fusion.shape = fit_prior_by_coordinate_ascent(
        fusion, train.signals, train.labels, train.mask, train.targets, settings.seed
    )
    sample = slice(None, None, -(-train.mask.numel() // STATISTICS_ROWS))
    fusion.fit_statistics(train.signals[sample][train.mask[sample]])
    untrained = weights_of(fusion)
    best, prior = untrained, mean_by_user(_ndcg(fusion, test), users[apart])
    cold_weights = COLD_WEIGHTS if settings.cold_weight is None else (settings.cold_weight,)
    steps = len(cold_weights) * settings.epochs * -(-len(kept) // settings.batch_size)
    with progress("train fusion", steps) as advance:
        for trial, cold_weight in enumerate(cold_weights):
            fusion.load_state_dict(untrained, strict=False)
            optimizer = build_adamw(fusion, settings.learning_rate, settings.weight_decay)
            for number in range(1, settings.epochs + 1):
                started = time.perf_counter()
                loss = _train_epoch(fusion, optimizer, train, settings, number, cold_weight, advance)
                values = mean_by_user(_ndcg(fusion, test), users[apart])
                metrics = {
                    MONITOR: float(values.mean()),
                    f"{MONITOR} of the prior": float(prior.mean()),
                    "cold weight": cold_weight,
                }
                seconds, rate = time.perf_counter() - started, optimizer.param_groups[0]["lr"]
                place = trial * settings.epochs + number
                curves = curves.add(Epoch(place, loss, rate, seconds, metrics))
                if curves.best_epoch == place and is_significantly_better(values, prior):
                    best = weights_of(fusion)
    fusion.load_state_dict(best, strict=False)
    fusion.eval()
    return curves


def _train_epoch(
    fusion: Fusion,
    optimizer: torch.optim.Optimizer,
    train: _Requests,
    settings: FusionSettings,
    number: int,
    cold_weight: float,
    advance: Advance,
) -> float:
    """One pass over the requests; the mean loss of its batches. Leaves the fusion in eval mode."""
    order = np.random.default_rng([settings.seed, number]).permutation(len(train.labels))
    steps_an_epoch = -(-len(order) // settings.batch_size)
    steps, step, total = settings.epochs * steps_an_epoch, (number - 1) * steps_an_epoch, 0.0
    fusion.train()
    for start in range(0, len(order), settings.batch_size):
        batch = train.take(order[start : start + settings.batch_size])
        set_rate(optimizer, learning_rate(step, steps, settings.learning_rate, steps_an_epoch))
        loss = listwise_loss(
            fusion(batch.signals), batch.labels, batch.mask, _cold_weight(batch, cold_weight)
        )
        gradient_step(optimizer, loss, fusion.parameters(), 1.0)
        total += float(loss.detach())
        step += 1
        advance(1)
    fusion.eval()
    return total / steps_an_epoch


def _cold_weight(requests: _Requests, cold: float) -> Tensor:
    """(R,) loss weights: 1 for a request whose targets are warm items, up to 1 + cold for cold ones."""
    events = requests.signals[..., SIGNALS.index(ITEM_EVENTS)]  # (R, C)
    targets = requests.labels & requests.mask
    share = (COLD_EVENTS / (COLD_EVENTS + events) * targets).sum(-1) / targets.sum(-1).clamp(min=1)
    return 1 + cold * share


def _ndcg(fusion: Fusion, requests: _Requests) -> DoubleArray:
    with torch.inference_mode():
        scores = torch.cat([fusion(part) for part in torch.split(requests.signals, BLOCK_REQUESTS)])
    return ndcg_values(scores, requests.labels, requests.mask, requests.targets)
