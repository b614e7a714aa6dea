"""Simulated logs of a week in a small shop."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.events import UserEvent
from recsys.simulation.habits import Habits
from recsys.simulation.page_events import Names
from recsys.simulation.truth import Truth, TruthWriter, read_truth
from recsys.simulation.visits import simulate_visits
from recsys.simulation.world import World, open_world
from tests.simulation.catalogs import START, small_catalog

DAYS = 7
TIDY = {"bot_share": 0.0, "duplicate_share": 0.0, "late_share": 0.0, "skewed_share": 0.0}


@dataclass(frozen=True)
class Log:
    world: World
    arriving: list[tuple[int, UserEvent]]
    truth: Truth

    @property
    def events(self) -> list[UserEvent]:
        return [event for _, event in self.arriving]


def make_log(folder: Path, days: int = DAYS, **habits: Any) -> Log:
    world = open_world(Habits(**{"shoppers": 300, "cancel_share": 0.2, **habits}), small_catalog())
    with TruthWriter(folder / "truth.parquet", world) as writer:
        arriving = list(simulate_visits(world, START, days, Names("0"), writer))
    return Log(world, arriving, read_truth(folder / "truth.parquet"))
