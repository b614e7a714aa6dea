"""The ranker's training loop: listwise on requests, calibrated on requests held out."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.columns import RANKING_FEATURES
from recsys.config import RankerSettings
from recsys.errors import DataError
from recsys.models.calibration import Calibration, fit_platt
from recsys.models.losses import listwise_loss, pointwise_loss
from recsys.models.orders import REPEATS_KEPT, REPEATS_REMOVED, REQUEST_KINDS
from recsys.models.ranker import CALIBRATED_KINDS, Ranker, RankerShape
from recsys.progress import Advance, Progress, silent
from recsys.training.curves import Curves, Epoch
from recsys.training.prior_weights import is_significantly_better, mean_by_user, ndcg_values
from recsys.training.requests import RankingData
from recsys.training.schedule import build_adamw, gradient_step, learning_rate, set_rate, weights_of

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # of scores, labels and mask (R, C)
ERRORS = 2.0  # standard errors, by user, by which an epoch has to be better than the first stage
POINTWISE_SHARE = 0.2  # of the loss; see `train_ranker`
MIN_REQUESTS = 20  # with an order to learn
MIN_USERS = 10  # of such requests, of whom two are held out: of one alone no error can be told
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


@dataclass(frozen=True)
class TrainedRanker:
    """A calibrated ranker, its curves, and the kinds of request that it orders better than fusion."""

    ranker: Ranker
    curves: Curves
    better: frozenset[str]


def train_ranker(data: RankingData, settings: RankerSettings, progress: Progress = silent) -> TrainedRanker:
    """A calibrated ranker, its learning curves, and what it is good for.

    The loss is softmax cross-entropy among a request's candidates, which orders them, plus a fifth of
    binary cross-entropy, which ties the scores of different requests to one scale (a softmax alone may
    shift each request by any amount, and no calibration could undo that). Held-out users pick the epoch, by
    the mean over the kinds of request of NDCG@10, and fit a calibration for each kind. From requests without
    a chosen candidate only the level is learned.

    A kind is ordered by the ranker where that is better than the first stage's order by two standard errors,
    on half of the held-out users; the other half picks the epoch. The best of many epochs looks better than
    it is on the users that picked it.
    Where no kind is, a ranker that learned by binary cross-entropy alone gives the probability of
    each candidate. The first stage's own scores could not: they compare the candidates of one request, not
    one request with another.

    Paper: Sheng et al. 2023 (KDD), arXiv 2208.06164, joint optimisation of ranking and calibration.

    Args:
        data: features in the order of RANKING_FEATURES, NaN = missing.

    Raises:
        DataError: the requests are too few, see `ranker_obstacle`.
    """
    if obstacle := ranker_obstacle(data):
        raise DataError(f"{obstacle}. Import more events, or raise ranker.requests where it is low.")
    requests = _Requests(*(torch.from_numpy(part) for part in (data.features, data.labels, data.mask)))
    held, kept = np.flatnonzero(data.held), np.flatnonzero(~data.held)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, test = requests.take(kept), requests.take(held).to(device)
    picks, decides = _Judge.halves(data, held)
    ranker = _initial_ranker(train, settings).to(device)
    untrained = _ndcg(ranker, test)
    first_stage, before = picks.values(untrained), decides.values(untrained)
    curves, best, better = Curves("ranker", MONITOR), None, frozenset[str]()
    with progress("train ranker", settings.epochs * -(-len(kept) // settings.batch_size)) as advance:
        for epoch in _train_epochs(ranker, train, settings, _listwise_and_pointwise, advance):
            ndcg = _ndcg(ranker, test)
            metrics = {
                MONITOR: _mean_of_kinds(picks.values(ndcg)),
                f"{MONITOR} of the first stage": _mean_of_kinds(first_stage),
            }
            curves = curves.add(replace(epoch, metrics=metrics))
            if curves.best_epoch != epoch.number:
                continue
            better = frozenset(
                kind
                for kind, found in decides.values(ndcg).items()
                if is_significantly_better(found, before[kind], ERRORS)
            )
            best = weights_of(ranker) if better else None
    if best is None:
        ranker = _initial_ranker(train, settings).to(device)
        best = _fit_probabilities(train, test, settings, progress)
        ranker.shape = replace(ranker.shape, orders=False)
    ranker.load_state_dict(best, strict=False)
    ranker.calibration.copy_(torch.tensor(_calibrations(ranker, test, data, held)))
    return TrainedRanker(ranker.cpu().eval(), curves, better)


@dataclass(frozen=True)
class _Judge:
    """Says how good orders of the held-out requests are, by kind of request and by user.

    Attributes:
        rows: kind -> rows of the requests that have an order. users: (R,) their users.
    """

    rows: dict[str, IntArray]
    users: IntArray

    @classmethod
    def halves(cls, data: RankingData, held: IntArray) -> tuple["_Judge", "_Judge"]:
        """Two of users apart; one and the same where only one half has requests that tell."""
        useful, users = (_with_an_order(data) & data.judges)[held], data.users[held]
        half = np.searchsorted(np.unique(users), users) % 2
        both = [cls._of(data, held, useful & (half == place)) for place in (0, 1)]
        telling = [judge for judge in both if judge.rows] or both
        return telling[0], telling[-1]

    @classmethod
    def _of(cls, data: RankingData, held: IntArray, useful: BoolArray) -> "_Judge":
        kinds = data.kinds[held]
        # A visitor without a history is shown what is popular, whatever the ranker says.
        ordered = [REQUEST_KINDS.index(kind) for kind in (REPEATS_KEPT, REPEATS_REMOVED)]
        rows = {REQUEST_KINDS[kind]: np.flatnonzero(useful & (kinds == kind)) for kind in ordered}
        return cls({kind: found for kind, found in rows.items() if len(found)}, data.users[held])

    def values(self, ndcg: DoubleArray) -> dict[str, DoubleArray]:
        """Kind -> (U,) the mean of `ndcg` (R,) of each user."""
        return {kind: mean_by_user(ndcg[rows], self.users[rows]) for kind, rows in self.rows.items()}


def _mean_of_kinds(values: dict[str, DoubleArray]) -> float:
    return float(np.mean([found.mean() for found in values.values()])) if values else 0.0


def _calibrations(ranker: Ranker, test: _Requests, data: RankingData, held: IntArray) -> list[Calibration]:
    """A calibration for each kind, from the requests of it that calibrate.

    A kind without any takes that of all.
    """
    scores = ranker.forward_in_parts(test.features).cpu().numpy()
    labels, mask, kinds = data.labels[held], data.mask[held], data.kinds[held]
    whole = data.calibrates[held]
    whole = whole if (labels & mask)[whole].any() else np.ones(len(held), bool)
    found = []
    for kind in range(CALIBRATED_KINDS):
        rows = whole & (kinds == kind)
        rows = rows if (labels & mask)[rows].any() else whole
        found.append(fit_platt(scores[rows][mask[rows]], labels[rows][mask[rows]]))
    return found


def ranker_obstacle(data: RankingData) -> str | None:
    """Why these requests are too few to learn a ranker from; None where they are not."""
    useful = _with_an_order(data)
    requests, people = int(useful.sum()), len(np.unique(data.users[useful]))
    enough = requests >= MIN_REQUESTS and people >= MIN_USERS
    if enough and (useful & data.held).any() and (useful & ~data.held).any():
        return None
    return (
        f"only {requests} requests have both a chosen and an unchosen candidate (users: {people}); a ranker "
        f"needs {MIN_REQUESTS}, of {MIN_USERS} users or more"
    )


def _with_an_order(data: RankingData) -> BoolArray:
    """(R,) whether a request has both a chosen and an unchosen candidate."""
    labels, mask = data.labels, data.mask
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
            loss = float(pointwise_loss(ranker.forward_in_parts(test.features), test.labels, test.mask))
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


def _ndcg(ranker: Ranker, requests: _Requests) -> DoubleArray:
    """(R,) NDCG@10 of the order of each request's candidates."""
    scores = ranker.forward_in_parts(requests.features)
    chosen = (requests.labels & requests.mask).sum(-1)
    return ndcg_values(scores.cpu(), requests.labels.cpu(), requests.mask.cpu(), chosen.cpu())
