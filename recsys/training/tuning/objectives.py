"""What one trial of `recsys tune` is: a first stage or a ranker by other settings, scored on users apart.

Half of the validation users are trained on (they stop the retriever, and fusion and the ranker learn from
them), the other half are the evaluation users. What these did in the validation period is taken out of the
data of the job, and so is everything of the test, so that no trial can have seen what it is scored on.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydantic import ValidationError

from recsys import columns
from recsys.arrays import FloatArray, IntArray
from recsys.config import Settings
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.split import TEST, VALIDATION, leave_one_out_parts
from recsys.errors import ConfigError, DataError
from recsys.evaluation.rankings import list_ndcg
from recsys.evaluation.slices import repeat_targets, restrict_cases
from recsys.funnel.offline import candidate_lists
from recsys.instants import NEVER
from recsys.models.bundle import Bundle
from recsys.models.orders import kind_of
from recsys.retrieval.popularity import popularity_at_end
from recsys.training.feature_reads import read_histories, read_ranking_features
from recsys.training.job import TrainingJob
from recsys.training.pipeline import train_bundle
from recsys.training.ranker import train_ranker
from recsys.training.requests import HELD_OUT_SHARE, HeldOutUsers
from recsys.training.scorers import seen_lists
from recsys.training.stages.ranking_set import build_ranking_set
from recsys.tuning_space import Choice, Range, Space

EVALUATION_CASES = 2000  # that a trial is scored on, sampled where there are more
CUTOFF = 10
METRIC = f"ndcg@{CUTOFF}"
MIN_REQUESTS = 400  # that a sample of users leaves to fusion and ranker

Values = Mapping[str, Choice]  # dotted name of a setting -> what it is to be
Report = Callable[[float], None]  # takes an epoch's validation; what it raises ends the trial
Objective = Callable[[Values, Report], float]


@dataclass(frozen=True)
class Trials:
    """What the trials of a study share: a job without the evaluation users' actions, and their cases."""

    job: TrainingJob
    cases: EvalCases


def open_trials(job: TrainingJob, sample: float, seed: int) -> Trials:
    """The training data and the evaluation cases of a study, the same for the same seed.

    Args:
        job: what would be trained; its feedback and parent are left out.
        sample: share of the users that the retriever learns from; as many fewer requests for the rest.

    Raises:
        DataError: too few users are left to train on or to evaluate on.
    """
    rng = np.random.default_rng([seed, 0])
    split, interactions = job.split, job.shop.interactions
    shuffled = rng.permutation(len(split.validation))
    trained_on, evaluated_on = (np.sort(half) for half in (shuffled[1::2], shuffled[::2]))
    users = np.unique(split.train.user_index)
    learning = rng.permutation(users)[: round(sample * len(users))]
    train = split.train.take(np.isin(split.train.user_index, learning))
    if not len(trained_on) or not len(train):
        raise DataError(
            f"{len(split.validation)} validation users and {len(train)} training actions are too few to "
            "tune. Raise --sample or evaluation.validation_days, or import more events."
        )
    cases = split.validation.take(evaluated_on)
    if not job.shop.info.repeats:
        cases, _ = restrict_cases(cases, ~repeat_targets(cases, interactions))
    if len(cases) > EVALUATION_CASES:
        cases = cases.take(np.sort(rng.choice(len(cases), EVALUATION_CASES, replace=False)))
    if not len(cases):
        raise DataError(
            "no validation user chose anything new, so there is no case to score on. Import more events."
        )
    known = _known_actions(job, split.validation.user_index[evaluated_on])
    return Trials(
        replace(
            job,
            shop=replace(job.shop, interactions=known),
            split=replace(split, train=train, validation=split.validation.take(trained_on)),
            settings=_sampled_settings(job.settings, sample),
            feedback=None,
            parent=None,
            refit=False,
            with_ranker=False,
        ),
        cases,
    )


def first_stage_objective(trials: Trials) -> Objective:
    """NDCG@10 of the fused score by given settings; the retriever's validation is reported epoch by epoch."""

    def objective(values: Values, report: Report) -> float:
        settings = with_values(trials.job.settings, values)
        watching = replace(trials.job, settings=settings, watch=lambda metrics: report(metrics[METRIC]))
        bundle = _train_first_stage(watching)
        candidates, scores = _served_candidates(watching, bundle, trials.cases)
        return _mean_ndcg(candidates, scores, trials.cases)

    return objective


def ranker_objective(trials: Trials) -> Objective:
    """NDCG@10 of the ranker by given settings, over one first stage of the settings that are not tuned."""
    job, cases = trials.job, trials.cases
    bundle = _train_first_stage(job)
    ids = job.shop.interactions.users.ids
    users = np.unique(job.split.validation.user_index).tolist()
    held = HeldOutUsers.share_of((ids[user] for user in users), HELD_OUT_SHARE)
    data = build_ranking_set(job, bundle, held)
    candidates, scores = _served_candidates(job, bundle, cases)
    matrix = read_ranking_features(job.features, job.shop.interactions, cases, candidates)
    matrix = np.concatenate([matrix, scores[:, :, None]], axis=2)  # (R, C, F)

    def objective(values: Values, report: Report) -> float:
        settings = with_values(job.settings, values).ranker
        trained = train_ranker(data, settings)
        report(trained.curves.best)
        if kind_of(job.shop.info.repeats) not in trained.better:
            return _mean_ndcg(candidates, scores, cases)
        logits = trained.ranker.score(matrix.reshape(-1, matrix.shape[2])).reshape(candidates.shape)
        return _mean_ndcg(candidates, logits, cases)

    return objective


def with_values(settings: Settings, values: Values) -> Settings:
    """`settings` with some of them replaced by dotted name.

    Raises:
        ConfigError: a name is unknown or a value does not fit.
    """
    document = settings.model_dump()
    for name, value in values.items():
        section, _, field = name.partition(".")
        if not isinstance(document.get(section), dict) or field not in document[section]:
            raise ConfigError(
                f"tune.space: there is no setting {name!r}. `recsys config` lists every setting."
            )
        document[section][field] = value
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"tune.space: setting {name!r} cannot be {first['input']!r}: {first['msg']}. Change its range."
        ) from error


def check_space(settings: Settings, space: Space) -> None:
    """Tries the ends and choices of every range.

    Raises:
        ConfigError: a setting is unknown, or may not have such a value.
    """
    if not space:
        raise ConfigError("tune.space leaves nothing to tune. Give a range to some setting.")
    for name, span in space.items():
        for value in _range_ends(span):
            with_values(settings, {name: value})


def current_values(settings: Settings, space: Space) -> dict[str, Choice]:
    """The tuned settings' values today, as far as their ranges hold them."""
    return {
        name: value for name, value in setting_values(settings, space).items() if space[name].holds(value)
    }


def setting_values(settings: Settings, names: Iterable[str]) -> dict[str, Choice]:
    """The values of settings by their dotted names."""
    document = settings.model_dump()
    return {name: document[name.partition(".")[0]][name.partition(".")[2]] for name in names}


def _range_ends(span: Range) -> tuple[Choice, ...]:
    if span.choices is not None:
        return span.choices
    assert span.low is not None
    assert span.high is not None
    return span.low, span.high


def _sampled_settings(settings: Settings, sample: float) -> Settings:
    def fewer(count: int) -> int:
        return min(count, max(MIN_REQUESTS, round(count * sample)))

    fusion = settings.fusion.model_copy(update={"requests": fewer(settings.fusion.requests)})
    ranker = settings.ranker.model_copy(update={"requests": fewer(settings.ranker.requests)})
    return settings.model_copy(update={"fusion": fusion, "ranker": ranker})


def _known_actions(job: TrainingJob, users: IntArray) -> Interactions:
    """The log without what no trial may know: the test, and what evaluation `users` are scored on."""
    interactions, split = job.shop.interactions, job.split
    evaluated = np.isin(interactions.user_index, users)
    if split.train_end is None or split.test_start is None:
        parts = leave_one_out_parts(interactions)
        return interactions.take((parts != TEST) & ((parts != VALIDATION) | ~evaluated))
    end = np.where(evaluated, split.train_end, split.test_start)
    undone_at = np.where(interactions.undone_at < end, interactions.undone_at, NEVER)
    return replace(interactions, undone_at=undone_at).take(interactions.at < end)


def _train_first_stage(job: TrainingJob) -> Bundle:
    """A bundle without a ranker, whose popularity knows nothing of the validation period."""
    job.run_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=job.run_dir) as folder:  # a trial is never gone on from
        bundle = train_bundle(replace(job, run_dir=Path(folder)), "trial", job.shop.info.imported_at)
    return bundle.with_arrays(popularity=popularity_at_end(job.split.train))


def _served_candidates(job: TrainingJob, bundle: Bundle, cases: EvalCases) -> tuple[IntArray, FloatArray]:
    """(R, C) candidates as served and their fused scores."""
    known: Interactions = job.shop.interactions
    histories = read_histories(job.features, known, cases.user_index, cases.at, columns.HISTORY_LENGTH)
    seen = None if job.shop.info.repeats else seen_lists(known, cases)
    return candidate_lists(bundle, histories, seen, job.settings.serving.candidates, job.progress)


def _mean_ndcg(candidates: IntArray, scores: FloatArray, cases: EvalCases) -> float:
    """The mean NDCG@10 of candidates (R, C) in the order of their scores; NaN keeps the candidates' order."""
    keys = np.where(candidates > 0, -np.nan_to_num(scores), np.inf)
    order = np.argsort(keys, axis=1, kind="stable")[:, :CUTOFF]
    items = np.take_along_axis(candidates, order, axis=1)  # (R, 10)
    return float(list_ndcg(items, cases, CUTOFF).mean())
