"""Fusion: learns to weigh the signals, on candidates of cases of the validation period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.funnel.offline import candidate_signals
from recsys.models.bundle import Bundle
from recsys.models.orders import REPEATS_KEPT, REPEATS_REMOVED
from recsys.training.fusion import train_fusion
from recsys.training.job import TrainingJob
from recsys.training.requests import HeldOutUsers, labels_of, target_counts
from recsys.training.scorers import seen_lists
from recsys.training.stages.validation_cases import ValidationCases, bundles_as_of


@dataclass(frozen=True)
class SignalRequests:
    """R requests of one kind, of C candidates each, as the first stage sees them.

    Attributes:
        signals: (R, C, S). labels: (R, C) whether a candidate came true. mask: (R, C) false for padding.
        targets: (R,) how many items came true, candidates or not.
        users: (R,) the user of each. choosing: (R,) of a user on whom fusion's epoch is chosen.
        held: (R,) of a user who is held out from that as well.
    """

    signals: FloatArray
    labels: BoolArray
    mask: BoolArray
    targets: IntArray
    users: IntArray
    choosing: BoolArray
    held: BoolArray

    def take(self, rows: BoolArray) -> "SignalRequests":
        """Those where `rows` (R,) holds."""
        return SignalRequests(*(getattr(self, part.name)[rows] for part in fields(self)))


def read_signal_requests(
    job: TrainingJob, bundle: Bundle, asked: ValidationCases, choosing: HeldOutUsers, held: HeldOutUsers
) -> Mapping[str, SignalRequests]:
    """The requests of each kind: each case asks for what comes next, and for what comes next that is new.

    A request may ask for either in any shop. Where people buy again the second would drown in the first;
    where they do not, the first teaches that what a user had is not what comes next.
    """
    interactions, settings = job.shop.interactions, job.settings.fusion
    cases, histories = asked.cases, asked.histories
    seen = seen_lists(interactions, cases)
    kinds = (REPEATS_KEPT, REPEATS_REMOVED)
    parts: dict[str, list[tuple[Any, ...]]] = {kind: [] for kind in kinds}
    for rows, past in bundles_as_of(job, bundle, cases):
        part = cases.take(rows)
        apart = [users.of(interactions.users.ids, part.user_index) for users in (choosing, held)]
        excluded = (None, [seen[row] for row in rows])
        answers = candidate_signals(past, histories.take(rows), excluded, settings.candidates, job.progress)
        for kind, without, (candidates, signals) in zip(kinds, excluded, answers, strict=True):
            labels, targets = labels_of(part, candidates), target_counts(part, without)
            parts[kind].append((signals, labels, candidates > 0, targets, part.user_index, *apart))
    return {
        kind: SignalRequests(*map(_joined, zip(*parts.pop(kind), strict=True)))  # they are large: one by one
        for kind in kinds
    }


def _joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def train_fusion_stage(job: TrainingJob, bundle: Bundle, requests: Mapping[str, SignalRequests]) -> None:
    """Trains the bundle's fusion in place, without held-out users; leaves its curves in the run's folder."""

    def all_of(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(part, name)[~part.held] for part in requests.values()])

    curves = train_fusion(
        bundle.fusion,
        all_of("signals"),
        all_of("labels"),
        all_of("mask"),
        all_of("targets"),
        job.settings.fusion,
        all_of("choosing"),
        all_of("users"),
        job.progress,
    )
    curves.save(job.run_dir / "fusion")
    curves.draw(job.run_dir / "fusion")
