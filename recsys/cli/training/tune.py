"""`recsys tune`: better settings for this shop, found by trials."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.options import AsJson, TestFrom, with_test_from
from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import load_settings

if TYPE_CHECKING:
    from recsys.jobs.training.tune import TuningResult

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
    test_from: TestFrom = None,
    out: Annotated[
        Path | None, typer.Option(help="Write all settings, the best ones among them, to this TOML file.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is tried and of the users it is judged by.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Search for better settings by trials and write the best ones to a file that `recsys train` takes.

    The first trial is today's settings. A trial is judged by NDCG@10 on validation users that it had no part
    in, and given up when it falls behind others after the same epoch. A study goes on where it stopped;
    ranges of your own are in `[tune.space]` of recsys.toml. Needs the extra `tune`.

    \b
    Example:
      recsys tune --trials 30 --sample 0.3 --out tuned.toml
      RECSYS_CONFIG=tuned.toml recsys train
    """
    settings = with_test_from(load_settings(), test_from)
    if stage not in ("retrieval", "ranking"):
        raise typer.BadParameter(f"{stage!r} is neither retrieval nor ranking", param_hint="--stage")
    if study is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", study):
        raise typer.BadParameter(
            f"{study!r} is not a valid name for a study: use letters, digits, '.', '_' and '-'",
            param_hint="--study",
        )
    from recsys.jobs.training.tune import tune_settings

    found = tune_settings(
        settings,
        protocol,
        "ranking" if stage == "ranking" else "retrieval",
        bars,
        trials=trials,
        timeout=timeout,
        sample=sample,
        name=study,
        seed=seed,
        out=out,
    )
    if as_json:
        print_json(found.to_json())
    else:
        _print_tables(found)


def _print_tables(found: "TuningResult") -> None:
    """The best trials, the best settings, and where they are written."""
    shown = [{name: row[name] for name in list(row)[:_TRIAL_COLUMNS]} for row in found.trial_rows[:_SHOWN]]
    print_rows(shown, as_json=False, title=f"trials of {found.record.name}, best first")
    print_rows(found.setting_rows, as_json=False, title=f"settings of trial {found.best.number}")
    note(found.summary)
    note(f"report: {found.folder}")
    if found.out is not None:
        note(f"best settings: {found.out}. Use them by RECSYS_CONFIG={found.out} recsys train")
