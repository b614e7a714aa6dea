"""What a training will need, estimated before it starts, and a warning where memory may not do."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys import columns
from recsys.config import Settings
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.item_table import ItemTable, item_table
from recsys.documents import JsonObject
from recsys.models.encoders.text_encoder import encoder_dimensions
from recsys.stores.features.build import stale_views
from recsys.stores.lake.dataset_files import load_items
from recsys.stores.lake.shop import open_shop
from recsys.training.estimate import probe_sizes, rough_sizes
from recsys.training.job import TrainingJob
from recsys.training.memory import Sizes, Stage, largest_stage, training_stages

NOT_IN_SECONDS = "text vectors, features, graph, validation, fusion and ranker"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingEstimate:
    """What `recsys train` would do and need.

    Attributes:
        training_events: of the split's training part.
        stages: in their order, each with the most that the process will hold while it runs.
        process_bytes: of this process before it reads the shop.
        free_bytes: memory that is free now; None if unknown.
        step_seconds: of one step of the retriever.
    """

    dataset: str
    protocol: str
    sizes: Sizes
    training_events: int
    epochs: int
    refit_epochs: int
    stages: tuple[Stage, ...]
    process_bytes: int
    free_bytes: int | None
    step_seconds: float

    @property
    def steps(self) -> int:
        """Of the retriever at most: all epochs, and those that fit it again through the validation period."""
        return (self.epochs + self.refit_epochs) * self.sizes.steps_an_epoch

    @property
    def peak_bytes(self) -> int:
        """The most memory that is taken at once."""
        return self.largest.peak_bytes

    @property
    def largest(self) -> Stage:
        """The stage that takes it."""
        return largest_stage(self.stages)

    @property
    def retriever_seconds(self) -> float:
        """Of all of the retriever's steps."""
        return self.steps * self.step_seconds

    def to_json(self) -> JsonObject:
        """Counts, bytes and seconds as numbers."""
        return {
            **self._counts(),
            "bytes": {"process": self.process_bytes, **{each.name: each.peak_bytes for each in self.stages}},
            "peak_bytes": self.peak_bytes,
            "largest_stage": self.largest.name,
            "to_lower": self.largest.lower,
            "free_bytes": self.free_bytes,
            "step_seconds": self.step_seconds,
            "retriever_seconds": self.retriever_seconds,
            "not_in_seconds": NOT_IN_SECONDS,
        }

    def to_table(self) -> Mapping[str, str]:
        """The same for people, with units."""
        free = self.free_bytes
        return {
            **{
                name: f"{value:,}" if isinstance(value, int) else value
                for name, value in self._counts().items()
            },
            **{f"memory: {each.name}": size_text(each.peak_bytes) for each in self.stages},
            "memory: peak, estimated": f"{size_text(self.peak_bytes)}, by {self.largest.name}; lower "
            f"{self.largest.lower}",
            "memory: free now": "unknown" if free is None else size_text(free),
            "time: a step": f"{1000 * self.step_seconds:.0f} ms",
            "time: retriever, estimated": f"{_time_text(self.retriever_seconds)} at most",
        }

    def _counts(self) -> Mapping[str, int | str]:
        sizes = self.sizes
        return {
            "dataset": self.dataset,
            "protocol": self.protocol,
            "users": sizes.users,
            "items": sizes.items,
            "events": sizes.events,
            "training_events": self.training_events,
            "windows": sizes.windows,
            "targets": sizes.targets,
            "steps_an_epoch": sizes.steps_an_epoch,
            "epochs": self.epochs,
            "steps": self.steps,
            "parameters": sizes.parameters,
        }


def estimate_training(settings: Settings, protocol: str | None) -> TrainingEstimate:
    """What `recsys train` would do and need; a few steps are tried, nothing is written.

    Memory is that of the stages of `recsys.training.memory`, beginning with what this process holds now.
    """
    process = resident_bytes()  # with the libraries that a training imports too, and without any data
    shop = open_shop(settings.paths)
    protocol = protocol or shop.default_protocol
    split = shop.training_split(protocol, settings.evaluation)
    clock = shop.info.clock == "time"
    items = _catalog_items(settings, shop.interactions.items)
    dimensions = encoder_dimensions(settings.text)
    sizes, step_seconds = probe_sizes(settings, split, shop.interactions, items, dimensions, clock=clock)
    stale = stale_views(settings)
    return TrainingEstimate(
        dataset=shop.info.name,
        protocol=protocol,
        sizes=sizes,
        training_events=len(split.train),
        epochs=settings.retriever.epochs,
        refit_epochs=settings.incremental.epochs,
        stages=training_stages(
            settings,
            sizes,
            process,
            ranker=clock,
            builds_features=bool(stale),
            encodes_text=columns.ITEM_TEXT in stale,
        ),
        process_bytes=process,
        free_bytes=free_bytes(),
        step_seconds=step_seconds,
    )


def warn_of_memory(job: TrainingJob) -> None:
    """Logs a warning if this training, whose features are up to date, may need more memory than is free."""
    free, settings, shop = free_bytes(), job.settings, job.shop
    if free is None:
        return
    dimensions = encoder_dimensions(settings.text)
    sizes = rough_sizes(settings, job.split, shop.interactions, dimensions)
    ranker = shop.info.clock == "time"
    # What this process holds already is not free, so it begins with nothing.
    stages = training_stages(settings, sizes, 0, ranker=ranker, builds_features=False, encodes_text=False)
    warn_if_too_large(largest_stage(stages), free)


def warn_if_too_large(stage: Stage, free: int | None) -> None:
    """Logs a warning if a stage takes more bytes than are free."""
    if free is not None and stage.peak_bytes > free:
        log.warning(
            "this training may need %s of memory (%s) and %s is free. Lower %s, or close other programs.",
            size_text(stage.peak_bytes),
            stage.name,
            size_text(free),
            stage.lower,
        )


def free_bytes() -> int | None:
    """Memory that this process may still take: of the machine, or of its control group; None if unknown."""
    found = [value for value in (_machine_free(), _group_free(Path("/sys/fs/cgroup"))) if value is not None]
    return min(found, default=None)


def resident_bytes() -> int:
    """Memory that this process takes now; 0 if unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def size_text(size: int) -> str:
    """A size for people.

    >>> size_text(512), size_text(5_300_000), size_text(2_000_000_000)
    ('512 B', '5.3 MB', '2.0 GB')
    """
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def _machine_free() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(found[0][1]) * 1024 if found else None


def _group_free(folder: Path) -> int | None:
    try:
        most, used = ((folder / name).read_text("ascii").strip() for name in ("memory.max", "memory.current"))
        return None if most == "max" else int(most) - int(used)
    except (OSError, ValueError):
        return None


def _time_text(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _catalog_items(settings: Settings, vocabulary: Vocabulary) -> ItemTable:
    """The catalog as training will see it, without the feature store."""
    rows = load_items(settings.paths).to_pandas().set_index(columns.ITEM_ID)
    return item_table(rows.loc[list(vocabulary.ids[1:])].reset_index(), vocabulary)
