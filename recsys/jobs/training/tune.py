"""A search for better settings by trials: a study that goes on where it stopped, its report and its best."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from recsys.config import Settings, file_values, setting_sources
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.jobs.data.features import build_feature_rows
from recsys.jobs.preconditions import check_before_training, check_file_writable, check_folder_writable
from recsys.jobs.training.settings_file import settings_toml
from recsys.progress import Progress, silent
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.dataset_files import save_text
from recsys.stores.lake.shop import open_shop
from recsys.stores.registry.studies import Pruning, Study, load_optuna
from recsys.training.job import TrainingJob
from recsys.training.tuning.cached_features import CachedFeatures
from recsys.training.tuning.objectives import (
    check_space,
    current_values,
    first_stage_objective,
    open_trials,
    ranker_objective,
    setting_values,
)
from recsys.training.tuning.records import StudyRecord, TrialRecord
from recsys.training.tuning.report import best_rows, trial_rows, write_tuning_report
from recsys.tuning_space import FIRST_STAGE, RANKER, space_of

Stage = Literal["retrieval", "ranking"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudyScope:
    """What the trials of a study are about.

    Attributes:
        sample: the share of the users that is trained on.
        seed: of what is tried and of the users it is judged by.
    """

    stage: Stage
    protocol: str
    sample: float
    seed: int


@dataclass(frozen=True)
class TuningResult:
    """A study after some more trials.

    Attributes:
        best: its best trial. today: the tuned settings as they are without it.
        folder: of the report. report: the files in it.
        out: the file that the best settings were written to, if any.
    """

    record: StudyRecord
    scope: StudyScope
    best: TrialRecord
    today: Mapping[str, Any]
    folder: Path
    report: tuple[Path, ...]
    out: Path | None

    @property
    def summary(self) -> str:
        """One sentence: how many trials, the best of them, and on what."""
        return summary_of(self.record, self.scope)

    @property
    def trial_rows(self) -> Sequence[JsonObject]:
        """One row a trial, the best first."""
        return trial_rows(self.record)

    @property
    def setting_rows(self) -> Sequence[JsonObject]:
        """One row a tuned setting: its value today, that of the best trial, and its importance."""
        return best_rows(self.record, self.today)

    def to_json(self) -> JsonObject:
        """The study, its best trial, all trials, and the report's files."""
        record, best = self.record, self.best
        return {
            "study": record.name,
            **asdict(self.scope),
            "metric": record.metric,
            "best": {"trial": best.number, "score": best.score, "settings": dict(best.values)},
            "importance": dict(record.importance),
            "trials": [vars(trial) | {"values": dict(trial.values)} for trial in record.trials],
            "report": [str(path) for path in self.report],
        }


def tune_settings(
    settings: Settings,
    protocol: str | None,
    stage: Stage,
    progress: Progress,
    *,
    trials: int,
    timeout: float | None,
    sample: float,
    name: str | None,
    seed: int,
    out: Path | None,
) -> TuningResult:
    """Runs trials and writes the study's report, and the best settings to `out`. See `run_study`.

    Raises:
        ConfigError: `out` cannot be written.
        DataError: no trial came to its end.
    """
    if out is not None:
        check_file_writable(out, "--out")
    check_folder_writable(settings.paths.reports)
    with progress("read events", None):
        job = open_tuning_job(settings, protocol)
    record, scope = run_study(
        job,
        stage,
        trials=trials,
        timeout=timeout,
        sample=sample,
        name=name,
        seed=seed,
        progress=progress,
    )
    best = _best_trial(record)
    today = setting_values(settings, best.values)
    folder = settings.paths.reports / f"tune-{record.name}"
    title, summary = f"tune: {record.name}", summary_of(record, scope)
    written = write_tuning_report(record, folder, title=title, summary=summary, today=today)
    if out is not None:
        write_tuned(best, out, f"{record.name}, trial {best.number}: {record.metric} {best.score:.4f}")
    return TuningResult(record, scope, best, today, folder, written, out)


def run_study(
    job: TrainingJob,
    stage: Stage,
    *,
    trials: int,
    timeout: float | None,
    sample: float,
    name: str | None,
    seed: int,
    progress: Progress,
) -> tuple[StudyRecord, StudyScope]:
    """The study after some more trials of `job` by other settings, and what it was made of.

    Features are brought up to date once it is sure that trials can begin.

    Raises:
        ConfigError: Optuna or the feature repository is missing, a range does not fit, or the study is of
            other data.
        DataError: there is no ranker to tune, or too few users.
    """
    settings = job.settings
    check_before_training(settings)
    load_optuna()
    space = space_of(settings.tune.space, FIRST_STAGE if stage == "retrieval" else RANKER)
    check_space(settings, space)
    if stage == "ranking" and job.shop.info.clock == "order":
        raise DataError(f"{job.shop.info.name} has no clock, so there is no ranker. Use --stage retrieval.")
    name = name or _default_name(job, stage)
    scope = _scope_of(job, stage, sample, seed)
    pruning = Pruning(settings.tune.full_trials, settings.tune.full_epochs)
    setup = _setup_of(job, scope, set(space))
    shared = open_trials(replace(job, run_dir=settings.paths.tuning), sample, seed)
    with Study.open(settings, name, setup, seed=seed, pruning=pruning) as found:
        build_feature_rows(settings, progress)
        if stage == "ranking":
            log.info("training the first stage that rankers are tried over")
        objective = first_stage_objective(shared) if stage == "retrieval" else ranker_objective(shared)
        now = current_values(settings, space)
        return found.run(space, objective, trials, first=now, timeout=timeout, progress=progress), scope


def write_tuned(best: TrialRecord, out: Path, title: str) -> None:
    """Writes the settings of today's file with the best ones in their place, for RECSYS_CONFIG."""
    document = file_values()
    for name, value in best.values.items():
        section, _, field = name.partition(".")
        document.setdefault(section, {})[field] = value
    save_text(out, settings_toml(document, f"Settings tuned by `recsys tune`: {title}."))
    for name, source in setting_sources().items():
        if name in best.values and source.startswith("RECSYS_"):
            log.warning("the variable %s wins over %s. Unset it to use %s from there.", source, out, name)


def open_tuning_job(settings: Settings, protocol: str | None) -> TrainingJob:
    """What `recsys train` would train on, its features not yet brought up to date.

    Each read of the feature store is made once for all trials.

    Raises:
        DataError: nothing was imported, or the data cannot take the protocol.
    """
    shop = open_shop(settings.paths)
    split = shop.training_split(protocol or shop.default_protocol, settings.evaluation)
    features = CachedFeatures(OfflineFeatures(settings))
    # A trial's own bars would cover the study's.
    return TrainingJob(shop, split, features, settings, settings.paths.runs, silent)


def _default_name(job: TrainingJob, stage: Stage) -> str:
    name = re.sub(r"[^A-Za-z0-9._]+", "-", job.shop.info.name).strip("-._")[:60] or "shop"
    return f"{name}-{stage}"


def _scope_of(job: TrainingJob, stage: Stage, sample: float, seed: int) -> StudyScope:
    protocol = job.split.protocol if len(job.split.test) else "all"
    return StudyScope(stage, protocol, sample, seed)


def _setup_of(job: TrainingJob, scope: StudyScope, tuned: set[str]) -> str:
    """What must be equal for two trials' scores to be comparable, as JSON."""
    sections = job.settings.model_dump(
        mode="json", include={"text", "retriever", "fusion", "ranker", "evaluation"}
    )
    fixed = {
        f"{section}.{field}": value
        for section, fields in sections.items()
        for field, value in fields.items()
        if f"{section}.{field}" not in tuned | {"retriever.threads"}
    }
    info = job.shop.info
    data = {
        "dataset": info.name,
        "imported_at": info.imported_at.isoformat(),
        "events": len(job.shop.interactions),
    }
    return json.dumps({**data, **asdict(scope), "settings": fixed}, sort_keys=True)


def summary_of(record: StudyRecord, scope: StudyScope) -> str:
    """One sentence: how many trials, the best of them, and on what."""
    best = record.best
    parts = [f"{record.count('complete')} trials complete, {record.count('pruned')} given up"]
    if record.count("failed"):
        parts.append(f"{record.count('failed')} failed")
    if best is not None and record.complete:
        parts.append(f"best {record.metric.upper()} {best.score:.4f} by trial {best.number}")
    made = f"stage {scope.stage}, {scope.protocol}, {scope.sample:.0%} of the users"
    return f"{', '.join(parts)} ({made}; judged on validation users that no trial learned from)."


def _best_trial(record: StudyRecord) -> TrialRecord:
    if record.best is None:
        raise DataError(
            f"none of {len(record.trials)} trials of the study {record.name!r} came to its end. "
            "Run more, or change the ranges in [tune.space]."
        )
    return record.best
