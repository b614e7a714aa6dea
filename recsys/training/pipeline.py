"""From an imported shop to a bundle, stage by stage, top to bottom."""

from dataclasses import replace
from datetime import datetime
from itertools import count

import numpy as np

from recsys import columns
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import known_before_test
from recsys.documents import JsonObject
from recsys.instants import from_micros
from recsys.models.bundle import Bundle
from recsys.models.manifest import Manifest
from recsys.models.retriever.retriever import Retriever
from recsys.retrieval.popularity import popularity_at_end
from recsys.training.job import TrainingJob
from recsys.training.requests import CHOOSING_SHARE, HELD_OUT_SHARE, HeldOutUsers
from recsys.training.retriever.loop import Validate
from recsys.training.retriever.warm_start import has_new_actions, trained_until
from recsys.training.stages.click_stage import train_click_stage, without_click_model
from recsys.training.stages.first_stage import build_first_stage
from recsys.training.stages.fusion_stage import read_signal_requests, train_fusion_stage
from recsys.training.stages.manifest import build_manifest
from recsys.training.stages.order_stage import choose_orders
from recsys.training.stages.ranker_stage import train_ranker_stage
from recsys.training.stages.validation import build_validator, with_watch
from recsys.training.stages.validation_cases import read_validation_cases, with_some_users_asked

EARLY, REFITTED = "retriever", "retriever-refitted"  # folders of the two trainings' checkpoints
NOTHING_YET = -1  # under leave-one-out every user has something new, whenever it was
_EPOCH = "epoch"  # the "metric" of a network that nothing is left to validate: a later epoch is better


def train_bundle(job: TrainingJob, bundle_id: str, now: datetime, git_revision: str | None = None) -> Bundle:
    """The trained bundle; checkpoints and learning curves are left in `job.run_dir`.

    First a first stage learns from the training part alone. Fusion, the ranker and the orders are learned
    from cases of the validation period, of which it knows nothing. Then network, neighbours and counts are
    fitted again, through the validation period, and served with what was learned of weighing them: what is
    served is as fresh as the data. Nothing learns from the test part.

    A parent that has learned from the validation period already cannot be asked about it: its fusion, ranker
    and orders are taken on, and its network goes on through the validation period.
    """
    known = known_before_test(job.shop.interactions, job.split)
    manifest = build_manifest(job, known, bundle_id, now, git_revision)
    if job.parent is not None and not has_new_actions(job.split.train, job.parent.manifest):
        taken = _taken_on(job.parent.manifest, manifest)
        since = trained_until(job.parent.manifest)
        return _gone_on(job, job.parent, known, manifest.model_copy(update=dict(taken)), since)
    asked_job = with_some_users_asked(job)
    validate = build_validator(asked_job)
    early = build_first_stage(
        asked_job, asked_job.split.train, manifest, with_watch(validate, job.watch), job.run_dir / EARLY
    )
    early = learn_from_validation(asked_job, early)
    metrics = {f"validation_{name}": value for name, value in validate(early.retriever).items()}
    manifest = early.manifest.model_copy(update={"metrics": metrics})
    if not job.refit:
        learned = from_micros(int(asked_job.split.train.at.max()))
        manifest = manifest.model_copy(update={"trained_until": learned})
        return replace(early.with_arrays(popularity=popularity_at_end(known)), manifest=manifest)
    since = NOTHING_YET if job.split.train_end is None else int(job.split.train.at.max())
    return _gone_on(job, early, known, manifest, since)


def learn_from_validation(job: TrainingJob, early: Bundle) -> Bundle:
    """`early` with fusion, ranker and orders learned from cases of the validation period.

    Args:
        early: a first stage that knows nothing of that period.
    """
    settings = job.settings.fusion
    rng = np.random.default_rng(settings.seed)
    asked = read_validation_cases(job, rng, settings.requests)
    ids = job.shop.interactions.users.ids
    users = [ids[user] for user in np.unique(asked.cases.user_index).tolist()]
    choosing = HeldOutUsers.share_of(users, CHOOSING_SHARE)
    held = HeldOutUsers.share_of(users, HELD_OUT_SHARE, choosing.last)
    requests = read_signal_requests(job, early, asked, choosing, held)
    if "learning" not in settings.without:
        train_fusion_stage(job, early, requests)  # in place
    requests = {
        kind: part.take(part.held) for kind, part in requests.items()
    }  # orders ask the others nothing
    better_by_ranker: frozenset[str] = frozenset()
    if job.with_ranker:
        early, better_by_ranker = train_ranker_stage(job, early, held)
    early = train_click_stage(job, early)
    orders = choose_orders(job, early, asked, requests, better_by_ranker)
    return replace(early, manifest=early.manifest.model_copy(update={"orders": orders}))


def _gone_on(job: TrainingJob, start: Bundle, known: Interactions, manifest: Manifest, since: int) -> Bundle:
    """`start` with its network gone on through validation, and neighbours and counts of all of it.

    For few epochs at a lower rate, on windows with something new and as many others: as good as a training
    from the beginning (docs/model.md) for a fraction of its steps. Nothing is left to stop early by.

    Args:
        since: microseconds; later actions are new to `start`.
    """
    learned = from_micros(max(since, 0))
    parent = replace(start, manifest=start.manifest.model_copy(update={"trained_until": learned}))
    late = replace(job, split=replace(job.split, train=known), parent=parent)
    bundle = build_first_stage(late, known, manifest, _count_epochs(), job.run_dir / REFITTED, _EPOCH)
    ranker = start.ranker if job.with_ranker else None
    bundle = replace(bundle, fusion=start.fusion, ranker=ranker)
    if start.click_model is None:
        return bundle
    if start.items.vocabulary.ids != bundle.items.vocabulary.ids:  # its items are known by their index
        return without_click_model(bundle, "there are other items than when it was trained")
    return replace(bundle, click_model=start.click_model)


def _taken_on(parent: Manifest, manifest: Manifest) -> JsonObject:
    """What a bundle says of itself as its parent does, since it learned nothing of it anew."""
    names = ("orders", "no_ranker", "no_click_model", "shown_labels")
    ads = {name: value for name, value in parent.services.items() if name == columns.ADS_SERVICE}
    return {name: getattr(parent, name) for name in names} | {"services": manifest.services | ads}


def _count_epochs() -> Validate:
    numbers = count(1)

    def count_epoch(retriever: Retriever) -> dict[str, float]:
        return {_EPOCH: float(next(numbers))}

    return count_epoch
