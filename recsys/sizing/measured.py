"""What each stage of a shop's way cost where it was measured: `growth.json`, by `scripts/bench growth`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.documents import JsonObject
from recsys.sizing.growth_curve import GrowthCurve, growth_curve
from recsys.sizing.shop_size import Driver, ShopSize

# Stage -> what it grows with, first what it grows with most. Where a shop has more of one than the measured
# ones had for their number of the other, the larger of both counts: more than is needed, not less.
DRIVERS: Mapping[str, tuple[Driver, ...]] = {
    "import": ("events", "items"),
    "features build": ("events", "items"),
    "text encoding": ("texts",),
    "materialize all": ("users", "items"),
    "online store": ("users", "items"),
    "import again": ("events", "items"),
    "features build again": ("events", "items"),
    "materialize what is new": ("events",),
    "train one epoch": ("events", "items"),
    "recommend": ("items",),
}

SPACE_DRIVERS: Mapping[str, tuple[Driver, ...]] = {"text encoding": ("items",)}
"""Stage -> what its memory and disk grow with, where that is not what its time does."""

_GROWTH = Path(__file__).with_name("growth.json")


@dataclass(frozen=True)
class MeasuredStage:
    """A stage and how its costs grow with its scale, which is 1 for the largest shop that was measured.

    Attributes:
        largest: what its time grows with -> how many of it the largest shop had. largest_space: its memory.
        seconds: of CPU. memory_mb: of its process with its children. disk_mb: that it adds to the home.
        figure: what the stage tells of itself: MB of `online store`, ms of CPU a request of `recommend`, and
            the seconds of `train one epoch` that another epoch takes again.
    """

    name: str
    largest: Mapping[Driver, int]
    largest_space: Mapping[Driver, int]
    seconds: GrowthCurve
    memory_mb: GrowthCurve
    disk_mb: GrowthCurve
    figure: GrowthCurve

    def scale(self, size: ShopSize) -> float:
        """How large the stage is in a shop, for its time; beyond 1 it is extrapolated."""
        return _scale(size, self.largest)

    def space_scale(self, size: ShopSize) -> float:
        """The same for its memory, and what it leaves on disk."""
        return _scale(size, self.largest_space)


def shipped_stages() -> dict[str, MeasuredStage]:
    """Name -> stage, as measured for this release."""
    return stages_from_json(json.loads(_GROWTH.read_text("utf-8")))


def stages_from_json(document: JsonObject) -> dict[str, MeasuredStage]:
    """The stages of what the benchmark writes: `shops`, and for each of `stages` a cost at each shop."""
    shops = [ShopSize(**shop) for shop in document["shops"]]
    return {name: _stage(name, shops, document["stages"][name]) for name in DRIVERS}


def _stage(
    name: str, shops: Sequence[ShopSize], costs: Mapping[str, Sequence[float | None]]
) -> MeasuredStage:
    """The stage by the shops where it was measured: of the others its costs are null."""
    known = [place for place, seconds in enumerate(costs["cpu_seconds"]) if seconds is not None]
    largest, space = (
        {driver: shops[known[-1]].of(driver) for driver in drivers}
        for drivers in (DRIVERS[name], SPACE_DRIVERS.get(name, DRIVERS[name]))
    )
    scales = [_scale(shops[place], largest) for place in known]  # all drivers have the same ratio there
    curves = (
        growth_curve(scales, [costs[of][place] or 0.0 for place in known])
        for of in ("cpu_seconds", "memory_mb", "disk_mb", "figure")
    )
    return MeasuredStage(name, largest, space, *curves)


def _scale(size: ShopSize, largest: Mapping[Driver, int]) -> float:
    return max(size.of(driver) / most for driver, most in largest.items())
