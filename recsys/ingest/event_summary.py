"""What an import has to know of the clean events once they are on their way to the lake."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.ingest.tables.unit_prices import UnitPrices
from recsys.ingest.warnings import ImportWarnings
from recsys.instants import DAY, from_micros


class EventSummary:
    """What is gathered from clean events on their way to the lake."""

    def __init__(self, priced: bool) -> None:
        self.users: set[str] = set()
        self.items: set[str] = set()
        self.returned: list[pa.Table] = [EVENT_SCHEMA.empty_table()]
        self.parts = 0
        self.start = np.iinfo(np.int64).max
        self.end = np.iinfo(np.int64).min
        self.prices = UnitPrices() if priced else None

    def add(self, events: pa.Table, returned: pa.Table) -> None:
        """Counts a part of the log in.

        Args:
            events: what is kept of it, perhaps nothing. returned: cancellations, and the purchases that they
                took something from, as they came.
        """
        if len(events):
            self.parts += 1
            at = pc.min_max(events[columns.AT].cast(pa.int64())).as_py()
            self.start, self.end = min(self.start, at["min"]), max(self.end, at["max"])
            self.users.update(pc.unique(events[columns.USER_ID]).to_pylist())
            self.items.update(pc.unique(events[columns.ITEM_ID].drop_null()).to_pylist())
        self.returned.append(returned)
        if self.prices:
            self.prices.add(events, returned)

    @property
    def price_versions(self) -> pa.Table | None:
        """See `UnitPrices.versions`; None where the mapping takes no prices from events."""
        return self.prices.versions(self.span[1]) if self.prices else None

    @property
    def span(self) -> tuple[int, int]:
        """Instants, microseconds, of the first and the last event, with purchases that were undone later."""
        bounds = [pc.min_max(events[columns.AT].cast(pa.int64())).as_py() for events in self.returned]
        bounds = [each for each in bounds if each["min"] is not None]
        first = min([self.start, *(int(each["min"]) for each in bounds)])
        return first, max([self.end, *(int(each["max"]) for each in bounds)])


def warn_of_old_data(newest: int, now: int, warnings: ImportWarnings) -> None:
    """Warns where all events lie before the longest window of the features.

    Args:
        newest: instant of the newest event. now: both in microseconds.
    """
    days = (now - newest) // DAY
    longest = max(columns.WINDOW_DAYS)
    if days <= longest:
        return
    warnings.add(
        "old_data",
        f"the newest event is of {from_micros(newest):%Y-%m-%d}, {days} days before now: counts of the "
        f"last {longest} days and less are all 0. For a historic log write shift = 'weeks-to-now' in [time] "
        "of the mapping; for your own shop bring newer files, or check `unit` and `format` of `time`.",
    )
