"""What one trial of `recsys tune` is: a first stage or a ranker by other settings, judged on users apart.

Half of the validation users teach (they stop the retriever, and fusion and the ranker learn from them), the
other half judge. What the judges did in the validation period is taken out of the data of the job, and so is
everything of the test, so that no trial can have seen what it is judged by.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pydantic import ValidationError

from recsys import columns
from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.config import Settings
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.split import TEST, VALIDATION, leave_one_out_parts
from recsys.errors import ConfigError, DataError
from recsys.evaluation.slices import had_before, restrict
from recsys.funnel.offline import candidate_lists
from recsys.metrics import hits_at, ndcg, target_ranks
from recsys.models.bundle import Bundle
from recsys.retrieval.popularity import popularity_at_end
from recsys.training.feature_reads import read_histories, read_ranking_features
from recsys.training.pipeline import Job, ranking_data, test_start, train_bundle
from recsys.training.ranker import train_ranker
from recsys.training.scorers import seen_lists
from recsys.tuning_space import Range, Space

JUDGES = 2000  # questions that judge a trial, sampled where there are more
CUTOFF = 10
METRIC = f"ndcg@{CUTOFF}"
FEWEST_REQUESTS = 400  # that a sample of users leaves to fusion and ranker

Values = Mapping[str, Any]  # dotted name of a setting -> what it is to be
Report = Callable[[float], None]  # takes an epoch's validation; what it raises ends the trial
Objective = Callable[[Values, Report], float]


@dataclass(frozen=True)
class Trials:
    """What the trials of a study share: a job that knows the teachers only, and the judges' questions."""

    job: Job
    judges: EvalCases


def open_trials(job: Job, sample: float, seed: int) -> Trials:
    """Teachers and judges of a study, the same for the same seed.

    Args:
        job: what would be trained; its feedback and parent are left out.
        sample: share of the users that the retriever learns from; as many fewer requests for the rest.

    Raises:
        DataError: too few users are left to teach or to judge.
    """
    rng = np.random.default_rng([seed, 0])
    split, interactions = job.split, job.shop.interactions
    asked = rng.permutation(len(split.validation))
    teachers, judges = (np.sort(half) for half in (asked[1::2], asked[::2]))
    users = np.unique(split.train.user_index)
    learning = rng.permutation(users)[: round(sample * len(users))]
    train = split.train.take(np.isin(split.train.user_index, learning))
    if not len(teachers) or not len(train):
        raise DataError(
            f"{len(split.validation)} validation users and {len(train)} training actions are too few to "
            "tune. Raise --sample or evaluation.validation_days, or import more events."
        )
    questions = split.validation.take(judges)
    if not job.shop.info.repeats:
        questions, _ = restrict(questions, ~had_before(questions, interactions))
    if len(questions) > JUDGES:
        questions = questions.take(np.sort(rng.choice(len(questions), JUDGES, replace=False)))
    if not len(questions):
        raise DataError("no validation user took anything new, so nobody can judge. Import more events.")
    known = interactions.take(~_withheld(job, split.validation.user_index[judges]))
    return Trials(
        replace(
            job,
            shop=replace(job.shop, interactions=known),
            split=replace(split, train=train, validation=split.validation.take(teachers)),
            settings=_smaller(job.settings, sample),
            feedback=None,
            parent=None,
            with_ranker=False,
        ),
        questions,
    )


def first_stage_objective(trials: Trials) -> Objective:
    """NDCG@10 of the fused score by given settings; the retriever's validation is reported epoch by epoch."""

    def objective(values: Values, report: Report) -> float:
        settings = with_values(trials.job.settings, values)
        watching = replace(trials.job, settings=settings, watch=lambda metrics: report(metrics[METRIC]))
        bundle = _first_stage(watching)
        found, scores = _candidates(watching, bundle, trials.judges)
        return _ndcg(found, scores, trials.judges)

    return objective


def ranker_objective(trials: Trials) -> Objective:
    """NDCG@10 of the ranker by given settings, over one first stage of the settings that are not tuned."""
    job, judges = trials.job, trials.judges
    bundle = _first_stage(job)
    lessons = ranking_data(job, bundle)
    found, scores = _candidates(job, bundle, judges)
    matrix = read_ranking_features(job.features, job.shop.interactions, judges, found)
    matrix = np.concatenate([matrix, scores[:, :, None]], axis=2)  # (R, C, F)

    def objective(values: Values, report: Report) -> float:
        settings = with_values(job.settings, values).ranker
        ranker, curves = train_ranker(lessons.features, lessons.labels, lessons.mask, settings, lessons.users)
        report(curves.best)
        logits = ranker.score(matrix.reshape(-1, matrix.shape[2])).reshape(found.shape)
        return _ndcg(found, ranker.ordering(scores, logits), judges)

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
        for value in _ends(span):
            with_values(settings, {name: value})


def values_now(settings: Settings, space: Space) -> dict[str, Any]:
    """What the tuned settings are today, as far as their ranges hold it."""
    return {name: value for name, value in values_of(settings, space).items() if space[name].holds(value)}


def values_of(settings: Settings, names: Iterable[str]) -> dict[str, Any]:
    """What settings are, by their dotted names."""
    document = settings.model_dump()
    return {name: document[name.partition(".")[0]][name.partition(".")[2]] for name in names}


def _ends(span: Range) -> tuple[Any, ...]:
    return span.choices if span.choices is not None else (span.low, span.high)


def _smaller(settings: Settings, sample: float) -> Settings:
    def fewer(count: int) -> int:
        return min(count, max(FEWEST_REQUESTS, round(count * sample)))

    fusion = settings.fusion.model_copy(update={"requests": fewer(settings.fusion.requests)})
    ranker = settings.ranker.model_copy(update={"requests": fewer(settings.ranker.requests)})
    return settings.model_copy(update={"fusion": fusion, "ranker": ranker})


def _withheld(job: Job, judges: IntArray) -> BoolArray:
    """(M,) which actions of the shop no trial may know: the test's, and what judges did to be guessed."""
    interactions, split = job.shop.interactions, job.split
    judging = np.isin(interactions.user_index, judges)
    if split.train_end is None:
        parts = leave_one_out_parts(interactions)
        held: BoolArray = (parts == TEST) | ((parts == VALIDATION) & judging)
        return held
    asked: BoolArray = (interactions.at >= split.train_end) & judging
    return asked | (interactions.at >= test_start(interactions, split))


def _first_stage(job: Job) -> Bundle:
    """A bundle without a ranker, whose popularity knows nothing of the validation period."""
    job.run_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=job.run_dir) as folder:  # nobody goes on from a trial
        bundle = train_bundle(replace(job, run_dir=Path(folder)), "trial", job.shop.info.imported_at)
    return bundle.with_arrays(popularity=popularity_at_end(job.split.train))


def _candidates(job: Job, bundle: Bundle, cases: EvalCases) -> tuple[IntArray, FloatArray]:
    """(R, C) candidates as served and their fused scores."""
    known: Interactions = job.shop.interactions
    histories = read_histories(job.features, known, cases.user_index, cases.at, columns.HISTORY_LENGTH)
    seen = None if job.shop.info.repeats else seen_lists(known, cases)
    return candidate_lists(bundle, histories, seen, job.settings.serving.candidates, job.progress)


def _ndcg(found: IntArray, scores: FloatArray, cases: EvalCases) -> float:
    """The mean NDCG@10 of candidates (R, C) in the order of their scores; NaN keeps the candidates' order."""
    order = np.argsort(np.where(found > 0, -np.nan_to_num(scores), np.inf), axis=1, kind="stable")[:, :CUTOFF]
    places = np.take_along_axis(found, order, axis=1)  # (R, 10)
    hits = hits_at(target_ranks(places, cases.target_offsets, cases.targets), cases.target_offsets, CUTOFF)
    return float(ndcg(hits, np.diff(cases.target_offsets), CUTOFF).mean())
