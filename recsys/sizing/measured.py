"""What each stage cost at the sizes that were measured: `growth.json`, written by `scripts/bench growth`."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from recsys.documents import JsonObject
from recsys.sizing.growth import GrowthCurve, growth_curve

Driver = Literal["items", "users", "events", "texts"]


@dataclass(frozen=True)
class MeasuredStage:
    """A stage of a shop's way and how its costs grow.

    Attributes:
        driver: what of the shop it grows with.
        largest: size of the driver that was measured; beyond it a figure is an extrapolation.
        seconds: of CPU. memory_mb: of its process with its children. disk_mb: that it adds to the home.
        figure: what the stage tells of itself; ms of CPU a request of `recommend`, MB of `online store`.
    """

    name: str
    driver: Driver
    largest: int
    seconds: GrowthCurve
    memory_mb: GrowthCurve
    disk_mb: GrowthCurve
    figure: GrowthCurve


def shipped_stages() -> dict[str, MeasuredStage]:
    """Name -> stage, as measured for this release."""
    document = json.loads(files(__package__).joinpath("growth.json").read_text("utf-8"))
    return {stage["stage"]: stage_from_json(stage) for stage in document}


def stage_from_json(document: JsonObject) -> MeasuredStage:
    """The stage of one entry of `growth.json`: sizes, and a cost at each."""
    sizes = document["sizes"]
    curves = [
        growth_curve(sizes, document[name]) for name in ("cpu_seconds", "memory_mb", "disk_mb", "figure")
    ]
    return MeasuredStage(document["stage"], document["driver"], max(sizes), *curves)
