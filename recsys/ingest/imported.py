"""What an import begins with and what it finds."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from recsys.dataset.info import DatasetInfo
from recsys.documents import JsonObject
from recsys.ingest.mapping.schema import ShopMapping
from recsys.ingest.readers.limits import DEFAULT_LIMITS, ReadLimits


@dataclass(frozen=True)
class ImportedShop:
    """What an import found, besides the events that went to the lake in `parts` appends."""

    info: DatasetInfo
    items: pa.Table
    users: pa.Table
    report: JsonObject
    parts: int
    returned: pa.Table  # cancellations, and the purchases that they took something from, as they came
    unlisted: frozenset[str]  # items that events name and the catalog does not have
    prices: pa.Table | None  # where events say what items cost: see `UnitPrices.versions`
    earlier: pa.Table  # versions of items that the files themselves date, but the newest


@dataclass(frozen=True)
class ShopFiles:
    """A shop's files and how to understand them."""

    mapping: ShopMapping
    mapping_sha256: str
    folder: Path
    limits: ReadLimits = DEFAULT_LIMITS
