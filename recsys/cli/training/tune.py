"""`recsys tune`: better settings for this shop, found by trials."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import Settings, file_values, load_settings, setting_sources
from recsys.errors import DataError
from recsys.progress import Progress, silent

if TYPE_CHECKING:
    from recsys.training.job import TrainingJob
    from recsys.training.tuning.records import StudyRecord, TrialRecord

Stage = Literal["retrieval", "ranking"]
_SHOWN, _TRIAL_COLUMNS = 10, 5  # trials on the screen, and what is said of each before its settings


def tune(
    trials: Annotated[int, typer.Option(min=1, help="How many trials to run now.")] = 20,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Begin no trial after so many seconds.")
    ] = None,
    sample: Annotated[
        float, typer.Option(min=0.01, max=1, help="Train on this share of the users, for speed.")
    ] = 1.0,
    stage: Annotated[
        str,
        typer.Option(
            help="retrieval (network and fusion) or ranking (the second stage, over today's first)."
        ),
    ] = "retrieval",
    study: Annotated[
        str | None, typer.Option(help="The study to begin or to go on with. Default: named after the data.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="As for `recsys train`; trials see nothing of the test.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write all settings, the best ones among them, to this TOML file.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is tried and of who judges.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Search for better settings by trials and write the best ones to a file that `recsys train` takes.

    The first trial is today's settings. A trial is judged by NDCG@10 on validation users that it had no part
    in, and given up when it falls behind others after the same epoch. A study goes on where it stopped;
    ranges of your own are in `[tune.space]` of recsys.toml. Needs `pip install 'recsys[tune]'`.

    \b
    Example:
      recsys tune --trials 30 --sample 0.3 --out tuned.toml
      RECSYS_CONFIG=tuned.toml recsys train
    """
    settings = load_settings()
    if stage not in ("retrieval", "ranking"):
        raise typer.BadParameter(f"{stage!r} is neither retrieval nor ranking", param_hint="--stage")
    record, facts = run_study(
        _job(settings, protocol),
        "ranking" if stage == "ranking" else "retrieval",
        trials=trials,
        timeout=timeout,
        sample=sample,
        name=study,
        seed=seed,
        progress=bars,
    )
    _report(settings, record, facts, out, as_json)


def _report(
    settings: Settings, record: "StudyRecord", facts: dict[str, Any], out: Path | None, as_json: bool
) -> None:
    """Writes the study's report and the best settings, and shows both."""
    from recsys.training.tuning.objectives import values_of
    from recsys.training.tuning.report import write_tuning_report

    best = _best(record)
    today = values_of(settings, best.values)
    folder = settings.paths.reports / f"tune-{record.name}"
    title, summary = f"tune: {record.name}", _summary(record, facts)
    written = write_tuning_report(record, folder, title=title, summary=summary, today=today)
    if out is not None:
        write_tuned(best, out, f"{record.name}, trial {best.number}: {record.metric} {best.score:.4f}")
    if as_json:
        print_json(_document(record, best, facts) | {"report": [str(path) for path in written]})
        return
    _show(record, best, today)
    note(summary)
    note(f"report: {folder}")
    if out is not None:
        note(f"best settings: {out}. Use them by RECSYS_CONFIG={out} recsys train")


def _best(record: "StudyRecord") -> "TrialRecord":
    if record.best is None:
        raise DataError(
            f"none of {len(record.trials)} trials of the study {record.name!r} came to its end. "
            "Run more, or change the ranges in [tune.space]."
        )
    return record.best


def _show(record: "StudyRecord", best: "TrialRecord", today: dict[str, Any]) -> None:
    from recsys.training.tuning.report import best_rows, trial_rows

    shown = [{name: row[name] for name in list(row)[:_TRIAL_COLUMNS]} for row in trial_rows(record)[:_SHOWN]]
    print_rows(shown, as_json=False, title=f"trials of {record.name}, best first")
    print_rows(best_rows(record, today), as_json=False, title=f"settings of trial {best.number}")


def run_study(
    job: "TrainingJob",
    stage: Stage,
    *,
    trials: int,
    timeout: float | None,
    sample: float,
    name: str | None,
    seed: int,
    progress: Progress,
) -> "tuple[StudyRecord, dict[str, Any]]":
    """The study after some more trials of `job` by other settings, and what it was made of.

    Raises:
        ConfigError: Optuna is missing, a range does not fit, or the study is of other data.
        DataError: there is no ranker to tune, or too few users.
    """
    from recsys.stores.registry.studies import Pruning, Study
    from recsys.training.tuning.objectives import (
        check_space,
        first_stage_objective,
        open_trials,
        ranker_objective,
        values_now,
    )
    from recsys.tuning_space import FIRST_STAGE, RANKER, space_of

    settings = job.settings
    space = space_of(settings.tune.space, FIRST_STAGE if stage == "retrieval" else RANKER)
    check_space(settings, space)
    if stage == "ranking" and job.shop.info.clock == "order":
        raise DataError(f"{job.shop.info.name} has no clock, so there is no ranker. Use --stage retrieval.")
    name = _checked(name) if name else _default_name(job, stage)
    facts = _facts(job, stage, sample, seed)
    pruning = Pruning(settings.tune.full_trials, settings.tune.full_epochs)
    setup = _setup(job, facts, set(space))
    with Study.open(settings, name, setup, seed=seed, pruning=pruning) as found:
        shared = open_trials(replace(job, run_dir=settings.paths.tuning), sample, seed)
        if stage == "ranking":
            note("training the first stage that rankers are tried over")
        objective = first_stage_objective(shared) if stage == "retrieval" else ranker_objective(shared)
        now = values_now(settings, space)
        return found.run(space, objective, trials, first=now, timeout=timeout, progress=progress), facts


def write_tuned(best: "TrialRecord", out: Path, title: str) -> None:
    """Writes the settings of today's file with the best ones in their place, for RECSYS_CONFIG."""
    from recsys.jobs.training.settings_file import settings_toml
    from recsys.stores.lake.dataset_files import save_text

    document = file_values()
    for name, value in best.values.items():
        section, _, field = name.partition(".")
        document.setdefault(section, {})[field] = value
    save_text(out, settings_toml(document, f"Settings tuned by `recsys tune`: {title}."))
    for name, source in setting_sources().items():
        if name in best.values and source.startswith("RECSYS_"):
            note(f"warning: the variable {source} wins over {out}. Unset it to use {name} from there.")


def _job(settings: Settings, protocol: str | None) -> "TrainingJob":
    """What `recsys train` would train on; the store answers each question once for all trials."""
    from recsys.cli.training.train import open_job
    from recsys.training.tuning.cached_features import CachedFeatures

    job = open_job(settings, protocol, bars, None, False)
    return replace(
        job, features=CachedFeatures(job.features), progress=silent
    )  # a trial's own bars would cover the study's


def _default_name(job: "TrainingJob", stage: Stage) -> str:
    name = re.sub(r"[^A-Za-z0-9._]+", "-", job.shop.info.name).strip("-._")[:60] or "shop"
    return f"{name}-{stage}"


def _checked(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise typer.BadParameter(
            f"{name!r} is no name for a study: use letters, digits, '.', '_' and '-'", param_hint="--study"
        )
    return name


def _facts(job: "TrainingJob", stage: Stage, sample: float, seed: int) -> dict[str, Any]:
    protocol = job.split.protocol if len(job.split.test) else "all"
    return {"stage": stage, "protocol": protocol, "sample": sample, "seed": seed}


def _setup(job: "TrainingJob", facts: dict[str, Any], tuned: set[str]) -> str:
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
    return json.dumps({**data, **facts, "settings": fixed}, sort_keys=True)


def _summary(record: "StudyRecord", facts: dict[str, Any]) -> str:
    best = record.best
    parts = [f"{record.count('complete')} trials complete, {record.count('pruned')} given up"]
    if record.count("failed"):
        parts.append(f"{record.count('failed')} failed")
    if best is not None and record.complete:
        parts.append(f"best {record.metric.upper()} {best.score:.4f} by trial {best.number}")
    made = f"stage {facts['stage']}, {facts['protocol']}, {facts['sample']:.0%} of the users"
    return f"{', '.join(parts)} ({made}; judged on validation users that no trial learned from)."


def _document(record: "StudyRecord", best: "TrialRecord", facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "study": record.name,
        **facts,
        "metric": record.metric,
        "best": {"trial": best.number, "score": best.score, "settings": dict(best.values)},
        "importance": dict(record.importance),
        "trials": [vars(trial) | {"values": dict(trial.values)} for trial in record.trials],
    }
