#!/usr/bin/env python3
"""Simulated shoppers over an imported catalogue: a log to import, or live traffic for a running service."""

import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from recsys.cli.output import note, print_facts
from recsys.config import load_settings
from recsys.errors import ConfigError, RecsysError
from recsys.simulation.habits import Habits

BANNER = "SIMULATED TRAFFIC: no real shopper did any of this; every user id begins with `sim-`."
MONDAY = "2026-01-05"


def main(
    out: Annotated[Path | None, typer.Option(help="Write a log: FOLDER/events.jsonl[.gz].")] = None,
    days: Annotated[float | None, typer.Option(min=0.001, help="Of virtual time.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write the true chances here, as Parquet.")] = None,
    start: Annotated[str, typer.Option(help="The first day of a log, ISO 8601.")] = MONDAY,
    shoppers: Annotated[int, typer.Option(min=1)] = 1000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    habit: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of recsys/simulation/habits.py; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Simulate shoppers of the shop that was imported into RECSYS_HOME.

    \b
    Example:
      scripts/simulate_traffic.py --out simulated/events.jsonl.gz --days 28 --truth simulated/truth.parquet
    """
    note(BANNER)
    habits = _habits(habit or [], seed=seed, shoppers=shoppers)
    if out is None:
        raise ConfigError("where to? Pass --out with a file.")
    facts = _write(habits, out, round(days or 28), truth, start)
    print_facts({"traffic": "simulated", **facts}, as_json=as_json, title="Simulated traffic")


def _write(habits: Habits, out: Path, days: int, truth: Path | None, start: str) -> dict[str, Any]:
    from contextlib import nullcontext

    from recsys.simulation.log_files import write_items, write_log
    from recsys.simulation.page_events import Names
    from recsys.simulation.truth import TruthWriter
    from recsys.simulation.visits import simulate
    from recsys.simulation.world import open_world
    from recsys.stores.dataset_files import load_items

    items = load_items(load_settings().paths)
    world = open_world(habits, items)
    with TruthWriter(truth, world) if truth else nullcontext() as writer:
        log = simulate(world, _midnight(start), days, Names(str(habits.seed)), writer)
        events = write_log(out, log)
    write_items(out.parent, items)
    return {"events": events, "days": days, "shoppers": habits.shoppers, "log": str(out)}


def _habits(given: list[str], **options: int) -> Habits:
    from pydantic import ValidationError

    values: dict[str, Any] = dict(options)
    for pair in given:
        name, mark, value = pair.partition("=")
        if not mark:
            raise ConfigError(f"--habit {pair!r} is no NAME=VALUE. Write for example --habit drift=0.1.")
        values[name] = value
    try:
        return Habits.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"habit {name!r}: {first['msg']} (got {first['input']!r}). "
            f"There are: {', '.join(Habits.model_fields)}."
        ) from error


def _midnight(text: str) -> int:
    try:
        day = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--start {text!r} is no day. Write for example {MONDAY}.") from error
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


if __name__ == "__main__":
    logging.getLogger("httpx").setLevel(logging.WARNING)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        typer.run(main)
    except RecsysError as error:
        note(f"error: {error}")
        sys.exit(1)
