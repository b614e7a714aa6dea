"""`recsys train --dry-run`, and the warning before a training that may not fit into memory."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.cli.output import note, print_facts, print_json
from recsys.config import Settings

if TYPE_CHECKING:
    from recsys.dataset.item_table import ItemTable
    from recsys.training.pipeline import Job

_LOADED_LATER = 150_000_000  # bytes, measured: Feast, DuckDB and what the text encoder leaves behind
_NOT_IN_TIME = "text vectors, features, graph, validation, fusion and ranker"


def dry_run(settings: Settings, protocol: str | None, as_json: bool) -> None:
    """Prints what `recsys train` would do and need; a few steps are tried, nothing is written."""
    from recsys.models.encoders.text_encoder import encoder_dimensions
    from recsys.stores.lake.shop import open_shop
    from recsys.training.estimate import memory_bytes, peak_bytes, probed

    shop = open_shop(settings.paths)
    split = shop.split(protocol or shop.default_protocol, settings.evaluation)
    process, clock = resident_bytes() + _LOADED_LATER, shop.info.clock == "time"
    dimensions = encoder_dimensions(settings.text)
    items = _items(settings, shop.interactions.items)
    sizes, step_seconds = probed(settings, split, shop.interactions, items, dimensions, clock=clock)
    parts = memory_bytes(settings, sizes, ranker=clock)
    epochs, steps = settings.retriever.epochs, settings.retriever.epochs * sizes.steps_an_epoch
    facts: dict[str, Any] = {
        "dataset": shop.info.name,
        "protocol": protocol or shop.default_protocol,
        "users": sizes.users,
        "items": sizes.items,
        "events": sizes.events,
        "training_events": len(split.train),
        "windows": sizes.windows,
        "targets": sizes.targets,
        "steps_an_epoch": sizes.steps_an_epoch,
        "epochs": epochs,
        "steps": steps,
        "parameters": sizes.parameters,
    }
    peak, free = peak_bytes(parts, process), free_bytes()
    seconds = steps * step_seconds
    if as_json:
        print_json(
            facts
            | {
                "bytes": {**parts, "process": process},
                "peak_bytes": peak,
                "free_bytes": free,
                "step_seconds": step_seconds,
                "retriever_seconds": seconds,
                "not_in_seconds": _NOT_IN_TIME,
            }
        )
    else:
        shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in facts.items()}
        shown |= {f"memory: {name}": size_text(value) for name, value in parts.items()}
        shown |= {
            "memory: peak, estimated": size_text(peak),
            "memory: free now": "unknown" if free is None else size_text(free),
            "time: a step": f"{1000 * step_seconds:.0f} ms",
            "time: retriever, estimated": f"{_time_text(seconds)} at most",
        }
        print_facts(shown, as_json=False, title="what `recsys train` will do; nothing was written")
        note(f"not in that time: {_NOT_IN_TIME}; it may stop earlier, after {settings.retriever.patience} "
             "epochs without a better validation.")  # fmt: skip
    _warn(peak, free)


def warn_of_memory(job: "Job") -> None:
    """Says on stderr if this training may need more memory than is free."""
    from recsys.models.encoders.text_encoder import encoder_dimensions
    from recsys.training.estimate import memory_bytes, peak_bytes, rough_sizes

    free, settings = free_bytes(), job.settings
    if free is None:
        return
    dimensions = encoder_dimensions(settings.text)
    sizes = rough_sizes(settings, job.split, job.shop.interactions, dimensions)
    parts = memory_bytes(settings, sizes, ranker=job.shop.info.clock == "time")
    _warn(peak_bytes(parts, process=0), free)


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


def _warn(peak: int, free: int | None) -> None:
    if free is not None and peak > free:
        note(
            f"warning: this training may need {size_text(peak)} of memory and {size_text(free)} is free. "
            "Lower fusion.requests, retriever.width or retriever.batch_size, or close other programs."
        )


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


def _items(settings: Settings, vocabulary: Any) -> "ItemTable":
    """The catalog as training will see it, without the feature store."""
    from recsys import columns
    from recsys.dataset.item_table import item_table
    from recsys.stores.lake.dataset_files import load_items

    rows = load_items(settings.paths).to_pandas().set_index(columns.ITEM_ID)
    return item_table(rows.loc[list(vocabulary.ids[1:])].reset_index(), vocabulary)
