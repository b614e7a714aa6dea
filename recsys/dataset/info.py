"""What is known of an imported shop besides its tables; written as dataset.json."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class DatasetInfo(BaseModel):
    """Facts about an imported data set.

    Attributes:
        clock: `time`, or `order` where the source only says what came after what. Then instants are
            made up (one second apart from 2000-01-01) and nothing may be split or windowed by time.
        repeats: whether buying or viewing the same item again is normal in this shop.
        label_kinds: kinds of event that are to be predicted.
        events: 0 for a catalog alone.
        start, end: of the events; the instant of the import where there are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    clock: Literal["time", "order"]
    repeats: bool
    label_kinds: tuple[str, ...]
    currency: str | None = None
    events: int
    users: int
    items: int
    start: datetime
    end: datetime
    imported_at: datetime
    mapping_sha256: str
