#!/usr/bin/env python3
"""Simulated shoppers at the search box: what their clicks teach, and what interleaving sees, by the truth."""

import logging
import os
import sys
import tempfile
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import load_settings
from recsys.documents import JsonObject
from recsys.errors import RecsysError
from recsys.instants import to_micros
from recsys.jobs.preconditions import check_file_writable
from recsys.simulation.habits import Habits, parse_habits

BANNER = "SIMULATED TRAFFIC: no real shopper did any of this; every user id begins with `sim-`."
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
Answering = Annotated[str, typer.Option(help="`production`, or a row of `recsys search evaluate`.")]
Shoppers = Annotated[int, typer.Option(min=1)]
Seed = Annotated[int, typer.Option(min=0)]
HabitTexts = Annotated[
    list[str] | None, typer.Option("--habit", help="NAME=VALUE of recsys/simulation/habits.py, repeatable.")
]
LeastShown = Annotated[int, typer.Option(min=1, help="A pair is judged that was shown so often.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def clicks(
    answering: Answering = "BM25",
    days: Annotated[int, typer.Option(min=1)] = 14,
    truth: Annotated[Path | None, typer.Option(help="Keep the truth here, as Parquet.")] = None,
    least_shown: LeastShown = 50,
    shoppers: Shoppers = 1000,
    seed: Seed = 0,
    habit: HabitTexts = None,
    as_json: AsJson = False,
) -> None:
    """Let shoppers search the imported catalog in this process, and compare their clicks with the truth.

    \b
    Example:
      scripts/simulate_searches.py clicks --habit shuffled_share=0.1
      scripts/simulate_searches.py clicks --answering production --habit filter_share=0.1
    """
    from recsys.jobs.search.simulation.experiments import learn_from_simulated_clicks, open_search_shop

    note(BANNER)
    if truth is not None:
        check_file_writable(truth, "--truth")
    shop = open_search_shop(load_settings(), _habits(habit, shoppers, seed))
    with nullcontext() if truth else tempfile.TemporaryDirectory(prefix="recsys-simulated-") as folder:
        path = truth or Path(str(folder)) / "truth.parquet"
        found = learn_from_simulated_clicks(
            shop, answering, to_micros(MONDAY), days, path, least_shown, progress=bars
        )
    _print(found.facts(), found.rows(), as_json)


@app.command()
def judge(
    truth: Annotated[Path, typer.Argument(help="What --truth of a simulation wrote.")],
    least_shown: LeastShown = 50,
    as_json: AsJson = False,
) -> None:
    """Learn from the clicks of a simulation that was run before, against a service above all.

    \b
    Example:
      scripts/simulate_traffic.py --url http://127.0.0.1:3000 --habit search_sessions=1 --truth truth.parquet
      scripts/simulate_searches.py judge truth.parquet
    """
    from recsys.jobs.search.simulation.judgments import judge_clicks
    from recsys.simulation.truth import read_truth

    note(BANNER)
    found = judge_clicks(read_truth(truth), least_shown)
    _print(found.facts(), found.rows(), as_json)


@app.command()
def interleave(
    first: Answering = "BM25",
    second: Annotated[
        str | None, typer.Option(help="As --first. Default: the first with some places turned round.")
    ] = None,
    turned: Annotated[int, typer.Option(min=2, help="How many of the first places are turned round.")] = 3,
    sizes: Annotated[str, typer.Option(help="Searches of an experiment, with commas.")] = "100,300,1000",
    experiments: Annotated[int, typer.Option(min=1, help="Of each size.")] = 400,
    shoppers: Shoppers = 1000,
    seed: Seed = 0,
    habit: HabitTexts = None,
    as_json: AsJson = False,
) -> None:
    """Interleave two rankings again and again: false alarms where they are the same, power where they differ.

    \b
    Example:
      scripts/simulate_searches.py interleave --sizes 100,300,1000
      scripts/simulate_searches.py interleave --first BM25 --second "BM25 as typed"
    """
    from recsys.jobs.search.simulation.experiments import measure_interleaving, open_search_shop

    note(BANNER)
    try:
        counts = [int(part) for part in sizes.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{sizes!r} is not numbers with commas, as 100,300") from None
    shop = open_search_shop(load_settings(), _habits(habit, shoppers, seed))
    rows = measure_interleaving(shop, first, second, counts, experiments, turned, progress=bars)
    _print({"experiments": experiments, "shoppers": shoppers}, rows, as_json)


def _habits(given: list[str] | None, shoppers: int, seed: int) -> Habits:
    """Everybody searches, within no category, unless told otherwise."""
    return parse_habits(["search_sessions=1", "filter_share=0", *(given or [])], shoppers=shoppers, seed=seed)


def _print(facts: JsonObject, rows: list[JsonObject], as_json: bool) -> None:
    if as_json:
        print_json({"traffic": "simulated", **facts, "rows": rows})
        return
    note(", ".join(f"{name}: {value}" for name, value in facts.items()))
    print_rows(rows, as_json=False, title="Simulated traffic")


if __name__ == "__main__":
    logging.getLogger("httpx").setLevel(logging.WARNING)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        app()
    except RecsysError as error:
        note(f"error: {error}")
        sys.exit(1)
