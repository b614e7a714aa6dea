"""The ranker's training loop: listwise on requests, calibrated on requests held out."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recsys.columns import RANKING_FEATURES
from recsys.config import RankerSettings
from recsys.errors import DataError
from recsys.models.calibration import fit_platt
from recsys.models.losses import listwise_loss, pointwise_loss
from recsys.models.ranker import Ranker, RankerShape
from recsys.progress import Advance, Progress, silent
from recsys.training.curves import Curves, Epoch
from recsys.training.prior_weights import is_significantly_better, mean_by_user, ndcg_values
from recsys.training.requests import choose_held_out
from recsys.training.schedule import build_adamw, gradient_step, learning_rate, set_rate, weights_of

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # of scores, labels and mask (R, C)
HELD_OUT_SHARE = 0.15  # of the users: chooses the epoch and fits the calibration
ERRORS = 1.0  # standard errors, by user, by which an epoch has to be better than the first stage
POINTWISE_SHARE = 0.2  # of the loss; see `train_ranker`
MIN_REQUESTS = 20  # with an order to learn
MIN_USERS = 14  # of such requests, of whom two are held out: of one alone no error can be told
MONITOR = "ndcg@10"


@dataclass(frozen=True)
class _Requests:
    """R requests of C candidates: features (R, C, F), labels and mask (R, C)."""

    features: Tensor
    labels: Tensor
    mask: Tensor

    def take(self, rows: IntArray) -> "_Requests":
        index = torch.from_numpy(rows)
        return _Requests(self.features[index], self.labels[index], self.mask[index])

    def to(self, device: torch.device) -> "_Requests":
        return _Requests(self.features.to(device), self.labels.to(device), self.mask.to(device))


def train_ranker(
    features: FloatArray,
    labels: BoolArray,
    mask: BoolArray,
    settings: RankerSettings,
    users: IntArray | None = None,
    progress: Progress = silent,
) -> tuple[Ranker, Curves]:
    """A calibrated ranker, and its learning curves.

    The loss is softmax cross-entropy among a request's candidates, which orders them, plus a fifth of
    binary cross-entropy, which ties the scores of different requests to one scale (a softmax alone may
    shift each request by any amount, and no calibration could undo that). A seventh of the users is
    held out: it picks the epoch by NDCG@10 and fits the calibration. From requests without a chosen
    candidate only the level is learned.

    Where no epoch is better than the first stage's order by a standard error, that order stays
    (`RankerShape.orders`), and a ranker that learned by binary cross-entropy alone gives the probability of
    each candidate. The first stage's own scores could not: they compare the candidates of one request, not
    one request with another.

    Paper: Sheng et al. 2023 (KDD), arXiv 2208.06164, joint optimisation of ranking and calibration.

    Args:
        features: (R, C, F) float32 in the order of RANKING_FEATURES, NaN = missing.
        labels: (R, C) whether a candidate was chosen. mask: (R, C) false where a place is empty.
        users: (R,) the user of each request; None = another one each time.

    Raises:
        DataError: the requests are too few, see `ranker_obstacle`.
    """
    users = np.arange(len(labels)) if users is None else users
    if obstacle := ranker_obstacle(labels, mask, users):
        raise DataError(f"{obstacle}. Import more events, or raise ranker.requests where it is low.")
    useful = _with_an_order(labels, mask)
    held, kept = _split_requests(useful, users, settings.seed)
    requests = _Requests(torch.from_numpy(features), torch.from_numpy(labels), torch.from_numpy(mask))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, test = requests.take(kept), requests.take(held).to(device)
    ranker = _initial_ranker(train, settings).to(device)
    first_stage = mean_by_user(_ndcg(ranker, test), users[held])
    curves, best = Curves("ranker", MONITOR), None
    with progress("train ranker", settings.epochs * -(-len(kept) // settings.batch_size)) as advance:
        for epoch in _train_epochs(ranker, train, settings, _listwise_and_pointwise, advance):
            values = mean_by_user(_ndcg(ranker, test), users[held])
            metrics = {
                MONITOR: float(values.mean()),
                f"{MONITOR} of the first stage": float(first_stage.mean()),
            }
            curves = curves.add(replace(epoch, metrics=metrics))
            if curves.best_epoch == epoch.number and is_significantly_better(values, first_stage, ERRORS):
                best = weights_of(ranker)
    if best is None:
        ranker = _initial_ranker(train, settings).to(device)
        best = _fit_probabilities(train, test, settings, progress)
        ranker.shape = replace(ranker.shape, orders=False)
    ranker.load_state_dict(best, strict=False)
    scores, chosen = _held_out_scores(ranker, test)
    ranker.calibration.copy_(torch.tensor(fit_platt(scores, chosen)))
    return ranker.cpu().eval(), curves


def ranker_obstacle(labels: BoolArray, mask: BoolArray, users: IntArray) -> str | None:
    """Why these requests (R, C) of users (R,) are too few to learn a ranker from; None where they are not."""
    useful = _with_an_order(labels, mask)
    requests, people = int(useful.sum()), len(np.unique(users[useful]))
    if requests >= MIN_REQUESTS and people >= MIN_USERS:
        return None
    return (
        f"only {requests} requests have both a chosen and an unchosen candidate (users: {people}); a ranker "
        f"needs {MIN_REQUESTS}, of {MIN_USERS} users or more"
    )


def _with_an_order(labels: BoolArray, mask: BoolArray) -> BoolArray:
    """(R,) whether a request has both a chosen and an unchosen candidate."""
    useful: BoolArray = np.logical_and((labels & mask).any(1), (~labels & mask).any(1))
    return useful


def _initial_ranker(train: _Requests, settings: RankerSettings) -> Ranker:
    """A ranker that keeps the first stage's order."""
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        ranker = Ranker(RankerShape(RANKING_FEATURES, settings.hidden))
    ranker.fit_statistics(train.features[train.mask].numpy())
    return ranker


def _fit_probabilities(
    train: _Requests, test: _Requests, settings: RankerSettings, progress: Progress
) -> dict[str, Tensor]:
    """Weights of the epoch whose probabilities are the best, learned by binary cross-entropy alone."""
    ranker = _initial_ranker(train, settings).to(test.features.device)
    best = math.inf, weights_of(ranker)
    steps = settings.epochs * -(-len(train.labels) // settings.batch_size)
    with progress("train probabilities", steps) as advance:
        for _ in _train_epochs(ranker, train, settings, pointwise_loss, advance):
            with torch.inference_mode():
                loss = float(pointwise_loss(ranker(test.features), test.labels, test.mask))
            if loss < best[0]:
                best = loss, weights_of(ranker)
    return best[1]


def _listwise_and_pointwise(scores: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return listwise_loss(scores, labels, mask) + POINTWISE_SHARE * pointwise_loss(scores, labels, mask)


def _train_epochs(
    ranker: Ranker, train: _Requests, settings: RankerSettings, loss: Loss, advance: Advance
) -> Iterator[Epoch]:
    """Trains in place and yields each epoch, without metrics."""
    optimizer = build_adamw(ranker, settings.learning_rate, settings.weight_decay)
    for number in range(1, settings.epochs + 1):
        started = time.perf_counter()
        value = _train_epoch(ranker, optimizer, train, settings, loss, number, advance)
        rate = optimizer.param_groups[0]["lr"]
        yield Epoch(number, value, rate, time.perf_counter() - started, {})


def _train_epoch(
    ranker: Ranker,
    optimizer: torch.optim.Optimizer,
    train: _Requests,
    settings: RankerSettings,
    objective: Loss,
    number: int,
    advance: Advance,
) -> float:
    """One pass over the requests; the mean loss of its batches. Leaves the ranker in eval mode."""
    order = np.random.default_rng([settings.seed, number]).permutation(len(train.labels))
    steps_an_epoch = -(-len(order) // settings.batch_size)
    steps, step = settings.epochs * steps_an_epoch, (number - 1) * steps_an_epoch
    total = torch.zeros(())
    ranker.train()
    for start in range(0, len(order), settings.batch_size):
        batch = train.take(order[start : start + settings.batch_size]).to(ranker.mean.device)
        set_rate(optimizer, learning_rate(step, steps, settings.learning_rate, steps_an_epoch))
        loss = objective(ranker(batch.features), batch.labels, batch.mask)
        gradient_step(optimizer, loss, ranker.parameters(), 1.0)
        total = total + loss.detach()
        step += 1
        advance(1)
    ranker.eval()
    return float(total) / steps_an_epoch


def _split_requests(useful: BoolArray, users: IntArray, seed: int) -> tuple[IntArray, IntArray]:
    """Requests to hold out and requests to train on, among all; `useful` (R,) have an order to learn."""
    rng = np.random.default_rng(seed)
    # The same share of the users with a useful request and of the others.
    with_order = np.isin(users, users[useful])
    groups = (with_order, ~with_order)
    parts = [choose_held_out(users, np.flatnonzero(group), HELD_OUT_SHARE, rng) for group in groups]
    held = np.zeros(len(useful), bool)
    held[np.concatenate(parts)] = True
    return np.flatnonzero(held), np.flatnonzero(~held)


def _ndcg(ranker: Ranker, requests: _Requests) -> DoubleArray:
    """(R,) NDCG@10 of the order of each request's candidates."""
    with torch.inference_mode():
        scores = ranker(requests.features)
    chosen = (requests.labels & requests.mask).sum(-1)
    return ndcg_values(scores.cpu(), requests.labels.cpu(), requests.mask.cpu(), chosen.cpu())


def _held_out_scores(ranker: Ranker, requests: _Requests) -> tuple[FloatArray, BoolArray]:
    with torch.inference_mode():
        scores = ranker(requests.features)[requests.mask]
    return scores.cpu().numpy(), requests.labels[requests.mask].cpu().numpy()
