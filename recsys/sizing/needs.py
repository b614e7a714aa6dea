"""What a shop needs of a machine, and what it meets first as it grows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from recsys.documents import JsonObject
from recsys.sizing.measured import MeasuredStage, shipped_stages
from recsys.sizing.shop_size import ShopSize

TRAINING, REQUESTS, ONLINE = "train one epoch", "recommend", "online store"
ONCE = ("import", "features build", "text encoding", "materialize all", TRAINING)
HOURLY = ("import again", "features build again", "materialize what is new")
HOUR = 3600.0
MOST_TIMES = 1e6  # the shop is not looked at beyond so many times its size

Limit = Literal["memory", "disk", "hour", "day", "cores"]


@dataclass(frozen=True)
class Use:
    """What is asked of a shop.

    Attributes:
        requests: recommendations a second at the peak. epochs: of training, the most.
    """

    requests: float = 1.0
    epochs: int = 10


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
        hours: on one core. disk_mb: that it adds to the home. scale: of the largest shop that was measured.
    """

    stage: str
    hours: float
    memory_mb: float
    disk_mb: float
    scale: float


@dataclass(frozen=True)
class ShopNeeds:
    """What a shop needs.

    Attributes:
        online_mb: memory of Redis. cores: that answer the requests.
    """

    stages: tuple[StageNeed, ...]
    online_mb: float
    cores: float

    def stage(self, name: str) -> StageNeed:
        """The stage of that name."""
        return next(each for each in self.stages if each.stage == name)

    @property
    def hourly_hours(self) -> float:
        """What the job of each hour takes after one hundredth of new events, on one core."""
        return sum(self.stage(name).hours for name in HOURLY)

    @property
    def memory_mb(self) -> float:
        """The most at once: the largest stage beside Redis and one process that serves."""
        largest = max(each.memory_mb for each in self.stages)
        return largest + self.online_mb + self.stage(REQUESTS).memory_mb

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
            "day": self.stage(TRAINING).hours > 24,
            "cores": self.cores > machine.cores,
        }
        return tuple(name for name, is_exceeded in limits.items() if is_exceeded)

    def largest(self, limit: Limit) -> str:
        """The stage that needs most of what a limit bounds."""
        match limit:
            case "memory":
                return max(self.stages, key=lambda each: each.memory_mb).stage
            case "disk":
                return max(self.stages, key=lambda each: each.disk_mb).stage
            case "hour":
                return max((self.stage(name) for name in HOURLY), key=lambda each: each.hours).stage
            case "day":
                return TRAINING
            case "cores":
                return REQUESTS

    def to_json(self) -> JsonObject:
        """The numbers; sizes in MB of 10^6 bytes."""
        return {
            "stages": [asdict(each) for each in self.stages],
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


def size_shop(size: ShopSize, use: Use, machine: Machine) -> tuple[ShopNeeds, Break | None]:
    """What a shop needs, and what it meets first on a machine, by the costs measured for this release."""
    stages = shipped_stages()
    return shop_needs(stages, size, use), first_break(stages, size, use, machine)


def shop_needs(stages: Mapping[str, MeasuredStage], size: ShopSize, use: Use) -> ShopNeeds:
    """What a shop of `size` needs, by how the stages grew where they were measured."""
    needs = tuple(_need(stages[name], size, use) for name in (*ONCE, *HOURLY, REQUESTS))
    online, request = (stages[name].figure.at(stages[name].scale(size)) for name in (ONLINE, REQUESTS))
    return ShopNeeds(needs, online, use.requests * request / 1e3)


def first_break(
    stages: Mapping[str, MeasuredStage], size: ShopSize, use: Use, machine: Machine
) -> Break | None:
    """The first limit of the machine that a shop meets as it grows in everything; None = none that is seen.

    `times` is below 1 where the shop is too large already.
    """

    def grown(times: float) -> ShopNeeds:
        return shop_needs(stages, size.times(times), Use(use.requests * times, use.epochs))

    low, high = 1e-6, MOST_TIMES
    if not grown(high).exceeds(machine):
        return None
    for _ in range(80):
        half = (low * high) ** 0.5
        low, high = (low, half) if grown(half).exceeds(machine) else (half, high)
    needs = grown(high)
    limit = needs.exceeds(machine)[0]
    return Break(limit, high, needs.largest(limit))


def _need(stage: MeasuredStage, size: ShopSize, use: Use) -> StageNeed:
    scale, space = stage.scale(size), stage.space_scale(size)
    seconds = stage.seconds.at(scale)
    if stage.name == TRAINING:
        seconds += (use.epochs - 1) * stage.figure.at(scale)
    return StageNeed(
        stage.name,
        max(seconds, 0.0) / HOUR,
        max(stage.memory_mb.at(space), 0.0),
        max(stage.disk_mb.at(space), 0.0),
        max(scale, space),
    )
