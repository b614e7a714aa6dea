"""A simulated log as files that `recsys data import --mapping simulated` reads."""

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from recsys import columns
from recsys.errors import ConfigError
from recsys.events import encode_event
from recsys.simulation.delivery import Delivered

ITEMS_FILE = "items.jsonl"
_LEVEL = 6  # of gzip


def write_log(path: Path, arriving: Iterable[Delivered]) -> int:
    """Writes one event a line, in the order of arrival; returns how many.

    Args:
        path: `events*.jsonl` or `events*.jsonl.gz`, as the shipped mapping expects it.

    Raises:
        ConfigError: the file has another name.
    """
    if not path.name.startswith("events") or not path.name.removesuffix(".gz").endswith(".jsonl"):
        raise ConfigError(
            f"the mapping `simulated` would not find {path.name!r}. "
            "Call it events.jsonl or events.jsonl.gz; anything may stand behind `events`."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    # No time in the header: equal seeds give equal files.
    with path.open("wb") as raw:
        packed = gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) if path.suffix == ".gz" else None
        sink = packed or raw
        for _, event in arriving:
            sink.write(orjson.dumps(encode_event(event), option=orjson.OPT_APPEND_NEWLINE))
            count += 1
        if packed:
            packed.close()
    return count


def write_items(folder: Path, items: pa.Table) -> None:
    """Writes the catalog beside the log; its attributes become a list of `name: value`.

    Args:
        items: columns of `ITEM_SCHEMA`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = (columns.ITEM_ID, columns.TITLE, columns.TEXT, columns.CATEGORY, columns.BRAND)
    with (folder / ITEMS_FILE).open("wb") as lines:
        for row in items.to_pylist():
            document = {name: row[name] for name in (*names, columns.PRICE_MICROS, columns.AVAILABLE)}
            document["tags"] = _tags(orjson.loads(row[columns.ATTRIBUTES]))
            lines.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))


def _tags(attributes: dict[str, Any]) -> list[str]:
    return [
        f"{name}: {each}"
        for name, value in attributes.items()
        for each in (value if isinstance(value, list) else [value])
    ]
