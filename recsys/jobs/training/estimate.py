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
from recsys.stores.lake.dataset_files import load_items
from recsys.stores.lake.shop import open_shop
from recsys.training.estimate import Sizes, memory_bytes, peak_bytes, probe_sizes, rough_sizes
from recsys.training.job import TrainingJob

NOT_IN_SECONDS = "text vectors, features, graph, validation, fusion and ranker"
_LOADED_LATER = 150_000_000  # bytes, measured: Feast, DuckDB and what the text encoder leaves behind

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingEstimate:
    """What `recsys train` would do and need.

    Attributes:
        training_events: of the split's training part.
        memory: what holds how many bytes. process_bytes: of this process, with what it will load.
        free_bytes: memory that is free now; None if unknown.
        step_seconds: of one step of the retriever.
    """

    dataset: str
    protocol: str
    sizes: Sizes
    training_events: int
    epochs: int
    memory: Mapping[str, int]
    process_bytes: int
    free_bytes: int | None
    step_seconds: float

    @property
    def steps(self) -> int:
        """Of the retriever, all epochs together."""
        return self.epochs * self.sizes.steps_an_epoch

    @property
    def peak_bytes(self) -> int:
        """The most memory that is taken at once."""
        return peak_bytes(self.memory, self.process_bytes)

    @property
    def retriever_seconds(self) -> float:
        """Of all of the retriever's steps."""
        return self.steps * self.step_seconds

    def to_json(self) -> JsonObject:
        """Counts, bytes and seconds as numbers."""
        return {
            **self._counts(),
            "bytes": {**self.memory, "process": self.process_bytes},
            "peak_bytes": self.peak_bytes,
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
            **{f"memory: {name}": size_text(value) for name, value in self.memory.items()},
            "memory: peak, estimated": size_text(self.peak_bytes),
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
    """What `recsys train` would do and need; a few steps are tried, nothing is written."""
    shop = open_shop(settings.paths)
    protocol = protocol or shop.default_protocol
    split = shop.training_split(protocol, settings.evaluation)
    process, clock = resident_bytes() + _LOADED_LATER, shop.info.clock == "time"
    items = _catalog_items(settings, shop.interactions.items)
    dimensions = encoder_dimensions(settings.text)
    sizes, step_seconds = probe_sizes(settings, split, shop.interactions, items, dimensions, clock=clock)
    return TrainingEstimate(
        dataset=shop.info.name,
        protocol=protocol,
        sizes=sizes,
        training_events=len(split.train),
        epochs=settings.retriever.epochs,
        memory=memory_bytes(settings, sizes, ranker=clock),
        process_bytes=process,
        free_bytes=free_bytes(),
        step_seconds=step_seconds,
    )


def warn_of_memory(job: TrainingJob) -> None:
    """Logs a warning if this training may need more memory than is free."""
    free, settings = free_bytes(), job.settings
    if free is None:
        return
    dimensions = encoder_dimensions(settings.text)
    sizes = rough_sizes(settings, job.split, job.shop.interactions, dimensions)
    parts = memory_bytes(settings, sizes, ranker=job.shop.info.clock == "time")
    warn_if_too_large(peak_bytes(parts, process=0), free)


def warn_if_too_large(peak: int, free: int | None) -> None:
    """Logs a warning if `peak` bytes are more than are free."""
    if free is not None and peak > free:
        log.warning(
            "this training may need %s of memory and %s is free. "
            "Lower fusion.requests, retriever.width or retriever.batch_size, or close other programs.",
            size_text(peak),
            size_text(free),
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
