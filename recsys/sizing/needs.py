"""What a shop needs of a machine, and what breaks first as it grows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from recsys.documents import JsonObject
from recsys.sizing.measured import MeasuredStage, shipped_stages

FIRST = ("import", "features build", "text encoding", "materialize all", "train one epoch")
HOURLY = ("features build again", "materialize what is new")
REQUESTS, ONLINE = "recommend", "online store"
HOUR = 3600.0
MOST_TIMES = 1e6  # the shop is not looked at beyond so many times its size

Limit = Literal["memory", "disk", "hour", "cores"]


@dataclass(frozen=True)
class ShopSize:
    """How large a shop is.

    Attributes:
        events: that are kept. texts: distinct texts of items. requests: recommendations a second at the peak.
        epochs: of training, the most.
    """

    items: int
    users: int
    events: int
    texts: int
    requests: float = 1.0
    epochs: int = 10

    def times(self, factor: float) -> "ShopSize":
        """A shop so many times as large in everything."""
        grown = {name: round(getattr(self, name) * factor) for name in ("items", "users", "events", "texts")}
        return replace(self, **grown, requests=self.requests * factor)


@dataclass(frozen=True)
class Machine:
    """What there is."""

    memory_mb: float
    disk_mb: float
    cores: int


@dataclass(frozen=True)
class StageNeed:
    """What one stage needs.

    Attributes:
        hours: on one core. disk_mb: that it adds. beyond: how many times the largest size that was measured.
    """

    stage: str
    hours: float
    memory_mb: float
    disk_mb: float
    beyond: float


@dataclass(frozen=True)
class ShopNeeds:
    """What a shop needs.

    Attributes:
        hourly_hours: that the job of each hour takes after 1% of new events, on one core.
        online_mb: memory of Redis. cores: that answer the requests.
    """

    stages: tuple[StageNeed, ...]
    hourly_hours: float
    online_mb: float
    cores: float

    @property
    def memory_mb(self) -> float:
        """The most at once: the largest stage beside Redis and one process that serves."""
        served = next(each.memory_mb for each in self.stages if each.stage == REQUESTS)
        return max(each.memory_mb for each in self.stages) + self.online_mb + served

    @property
    def disk_mb(self) -> float:
        """Of the home when all is built."""
        return sum(each.disk_mb for each in self.stages)

    def exceeds(self, machine: Machine) -> tuple[Limit, ...]:
        """The limits of a machine that the shop does not keep to."""
        limits: dict[Limit, bool] = {
            "memory": self.memory_mb > machine.memory_mb,
            "disk": self.disk_mb > machine.disk_mb,
            "hour": self.hourly_hours > 1,
            "cores": self.cores > machine.cores,
        }
        return tuple(name for name, is_exceeded in limits.items() if is_exceeded)

    def to_json(self) -> JsonObject:
        """The numbers; sizes in MB of 10^6 bytes."""
        return {
            "stages": [vars(each) for each in self.stages],
            "memory_mb": self.memory_mb,
            "disk_mb": self.disk_mb,
            "hourly_hours": self.hourly_hours,
            "online_mb": self.online_mb,
            "cores": self.cores,
        }


@dataclass(frozen=True)
class Break:
    """What a growing shop meets first.

    Attributes:
        times: how many times as large it is then. stage: that needs most of the limit there.
    """

    limit: Limit
    times: float
    stage: str


def size_shop(size: ShopSize, machine: Machine) -> tuple[ShopNeeds, Break | None]:
    """What a shop needs, and what it meets first on a machine, by the growth measured for this release."""
    stages = shipped_stages()
    return shop_needs(stages, size), first_break(stages, size, machine)


def shop_needs(stages: Mapping[str, MeasuredStage], size: ShopSize) -> ShopNeeds:
    """What a shop of `size` needs, by how the stages grew where they were measured."""
    needs = tuple(_need(stages[name], size) for name in (*FIRST, *HOURLY, REQUESTS))
    hourly = sum(each.hours for each in needs if each.stage in HOURLY)
    milliseconds = stages[REQUESTS].figure.at(size.items)
    online = stages[ONLINE].figure.at(getattr(size, stages[ONLINE].driver))
    return ShopNeeds(needs, hourly, online, size.requests * milliseconds / 1e3)


def first_break(stages: Mapping[str, MeasuredStage], size: ShopSize, machine: Machine) -> Break | None:
    """The first limit of the machine that a shop meets as it grows in everything; None = none that is seen.

    `times` is below 1 where the shop is too large already.
    """
    low, high = 1e-6, MOST_TIMES
    if not shop_needs(stages, size.times(high)).exceeds(machine):
        return None
    for _ in range(80):
        half = (low * high) ** 0.5
        low, high = (low, half) if shop_needs(stages, size.times(half)).exceeds(machine) else (half, high)
    needs = shop_needs(stages, size.times(high))
    limit = needs.exceeds(machine)[0]
    return Break(limit, high, _largest(needs, limit))


def _largest(needs: ShopNeeds, limit: Limit) -> str:
    match limit:
        case "memory":
            return max(needs.stages, key=lambda each: each.memory_mb).stage
        case "disk":
            return max(needs.stages, key=lambda each: each.disk_mb).stage
        case "hour":
            return max(
                (each for each in needs.stages if each.stage in HOURLY), key=lambda each: each.hours
            ).stage
        case "cores":
            return REQUESTS


def _need(stage: MeasuredStage, size: ShopSize) -> StageNeed:
    driver: int = getattr(size, stage.driver)
    times = size.epochs if stage.name == "train one epoch" else 1
    return StageNeed(
        stage.name,
        max(stage.seconds.at(driver), 0.0) * times / HOUR,
        max(stage.memory_mb.at(driver), 0.0),
        max(stage.disk_mb.at(driver), 0.0),
        driver / stage.largest,
    )
