#!/usr/bin/env python3
"""Simulated shoppers over an imported catalog: a log to import, or live traffic for a running service."""

import asyncio
import logging
import os
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from recsys.cli.output import note, print_facts
from recsys.config import load_settings
from recsys.errors import ConfigError, DataError, RecsysError
from recsys.instants import now_micros, to_micros
from recsys.jobs.preconditions import check_file_writable
from recsys.simulation.habits import parse_habits

if TYPE_CHECKING:
    import pyarrow as pa

    from recsys.simulation.live import Tally
    from recsys.simulation.world import World

BANNER = "SIMULATED TRAFFIC: no real shopper did any of this; every user id begins with `sim-`."
MONDAY = "2026-01-05"


def main(
    out: Annotated[Path | None, typer.Option(help="Write a log: FOLDER/events.jsonl[.gz].")] = None,
    url: Annotated[
        str | None, typer.Option(help="Or play against this service, http://127.0.0.1:3000")
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, help="Of virtual time; live: default real time")
    ] = None,
    start: Annotated[str, typer.Option(help="The first day of a log, ISO 8601.")] = MONDAY,
    seconds: Annotated[float, typer.Option(min=0.1, help="Live: how long in real time.")] = 60.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Live: events a real second, about.")] = 100.0,
    truth: Annotated[Path | None, typer.Option(help="Write the true chances here, as Parquet.")] = None,
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
      scripts/simulate_traffic.py --url http://127.0.0.1:3000 --rate 200 --seconds 60 --truth truth.parquet
      scripts/simulate_traffic.py --url http://127.0.0.1:3000 --rate 200 --seconds 60 --days 1
      scripts/simulate_traffic.py --url http://127.0.0.1:3000 --habit search_sessions=.5 --truth t.parquet
    """
    from recsys.simulation.world import open_world
    from recsys.stores.lake.dataset_files import load_items

    if (out is None) is (url is None):
        raise ConfigError("where to? Pass either --out with a file or --url with a running service.")
    for option, file in (("--out", out), ("--truth", truth)):
        if file is not None:
            check_file_writable(file, option)
    note(BANNER)
    habits = parse_habits(habit or [], seed=seed, shoppers=shoppers)
    items = load_items(load_settings().paths)
    world = open_world(habits, items)
    if out:
        facts = _write(world, items, out, _whole(28.0 if days is None else days), truth, start)
    else:
        facts = _play(world, items, str(url), days, seconds, rate, truth)
    print_facts({"traffic": "simulated", **facts}, as_json=as_json, title="Simulated traffic")


def _write(
    world: "World", items: "pa.Table", out: Path, days: int, truth: Path | None, start: str
) -> dict[str, Any]:
    """A log over whole days, and the catalog beside it."""
    from recsys.simulation.log_files import write_items, write_log
    from recsys.simulation.page_events import Names
    from recsys.simulation.truth import TruthWriter
    from recsys.simulation.visits import simulate_visits

    with TruthWriter(truth, world) if truth else nullcontext() as writer:
        log = simulate_visits(world, _midnight(start), days, Names(str(world.habits.seed)), writer)
        events = write_log(out, log)
    write_items(out.parent, items)
    return {"events": events, "days": days, "shoppers": world.habits.shoppers, "log": str(out)}


def _play(
    world: "World",
    items: "pa.Table",
    url: str,
    days: float | None,
    seconds: float,
    rate: float,
    truth: Path | None,
) -> dict[str, Any]:
    """A closed loop with a running service."""
    from recsys.simulation.live import LiveTraffic, set_pace, start_pace
    from recsys.simulation.needs import open_needs
    from recsys.simulation.page_events import Names
    from recsys.simulation.searches import ShopperSearches
    from recsys.simulation.service import HttpService
    from recsys.simulation.truth import TruthWriter

    key = load_settings().api_key
    now = now_micros()
    names = Names(f"{world.habits.seed}-{now:x}")  # another run is other events

    async def play() -> dict[str, Any]:
        pace = start_pace(seconds, days, now)
        paced_world = set_pace(world, pace, rate)
        with TruthWriter(truth, paced_world) if truth else nullcontext() as writer:
            async with HttpService(url, key.get_secret_value() if key else None) as service:
                searches = None
                if world.habits.search_sessions:
                    needs = open_needs(world.habits, world.space, items)
                    searches = ShopperSearches(paced_world, needs, service, names, writer)
                traffic = LiveTraffic(paced_world, service, pace, names, writer, searches)
                tally = await traffic.run()
                took = time.monotonic() - pace.began
                return {**_facts(tally, took), "asked to come again": service.retries}

    facts = asyncio.run(play())
    return facts | (_judged(truth) if truth else {})


def _facts(tally: "Tally", seconds: float) -> dict[str, Any]:
    milliseconds = np.array(tally.answer_ms or [np.nan])
    searches = np.array(tally.search_ms or [np.nan])
    shown = max(tally.shown, 1)
    return {
        "seconds": round(seconds, 1),
        "visits": tally.visits,
        "slates": tally.slates,
        "degraded slates": tally.degraded,
        "searches": tally.searches,
        "degraded searches": tally.degraded_searches,
        "events accepted": tally.accepted,
        "events refused": tally.refused,
        "first refusal": tally.problem,
        "events a second": round((tally.accepted + tally.refused) / seconds, 1),
        "click rate": tally.clicks / shown,
        "true click rate": tally.expected_clicks / shown,
        "recommend p50 ms": float(np.median(milliseconds)),
        "recommend p99 ms": float(np.quantile(milliseconds, 0.99)),
        "search p50 ms": float(np.median(searches)),
        "search p99 ms": float(np.quantile(searches, 0.99)),
    }


def _judged(path: Path) -> dict[str, Any]:
    """How the service's own probabilities did, where it gave any."""
    from recsys.simulation.judge import served_calibration
    from recsys.simulation.truth import read_truth

    try:
        found = served_calibration(read_truth(path))
    except DataError as error:
        note(str(error))
        return {}
    return {
        "predicted click rate": found.mean_predicted,
        "calibration error to the truth": found.error,
        "truth": str(path),
    }


def _whole(days: float) -> int:
    if days < 1 or days != int(days):
        raise ConfigError(f"a log has whole days (got --days {days:g}). Write for example --days 28.")
    return int(days)


def _midnight(text: str) -> int:
    try:
        day = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--start {text!r} is not a day. Write for example {MONDAY}.") from error
    return to_micros(datetime(day.year, day.month, day.day, tzinfo=UTC))


if __name__ == "__main__":
    logging.getLogger("httpx").setLevel(logging.WARNING)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        typer.run(main)
    except RecsysError as error:
        note(f"error: {error}")
        sys.exit(1)
