"""Events with a token: which served slot each is about, or why it is about none."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.ads.delivery.served_slot import ServedSlot
from recsys.ads.labels.fates import EventFate
from recsys.arrays import BoolArray, IntArray, combined
from recsys.errors import DataError
from recsys.instants import CLOCK_TOLERANCE, DAY, SECOND, to_micros

LABEL_KINDS = (columns.IMPRESSION, columns.CLICK, columns.PURCHASE)
LABEL_COLUMNS = (
    columns.EVENT_ID,
    columns.KIND,
    columns.USER_ID,
    columns.ITEM_ID,
    columns.AT,
    columns.QUANTITY,
    columns.VALUE_MICROS,
    columns.VIEWABLE,
    columns.TOKEN,
)

DecodeToken = Callable[[str], str | None]
"""The slot_id of a token that this shop signed, whatever its age; None for any other text."""

Fates = npt.NDArray[np.object_]  # of EventFate; None = not said yet


@dataclass(frozen=True)
class LabelWindows:
    """How long after its answer something counts.

    Attributes:
        click_seconds: an impression or a click. purchase_days: a purchase.
    """

    click_seconds: int = 1800
    purchase_days: int = 7

    def __post_init__(self) -> None:
        if self.click_seconds < 1 or self.purchase_days * DAY < self.click_seconds * SECOND:
            raise DataError(
                f"clicks cannot count {self.click_seconds} s and purchases {self.purchase_days} days. "
                "Let clicks count for a second or more, and purchases no shorter than clicks."
            )

    def micros(self, kind: npt.NDArray[np.object_]) -> IntArray:
        """(N,) the windows of events of these kinds, in microseconds."""
        purchase = self.purchase_days * DAY
        return np.where(kind == columns.PURCHASE, purchase, self.click_seconds * SECOND).astype(np.int64)


@dataclass(frozen=True)
class SlotTable:
    """The S slots that labels are asked of, as columns.

    Attributes:
        served_at: (S,) microseconds. item: (S,) texts. ghost: (S,) bool.
    """

    index: pd.Index
    served_at: IntArray
    item: npt.NDArray[np.object_]
    ghost: BoolArray

    @classmethod
    def of(cls, slots: Sequence[ServedSlot]) -> "SlotTable":
        """The columns of `slots`.

        Raises:
            DataError: two slots have one id.
        """
        index = pd.Index([slot.slot_id for slot in slots], dtype=object)
        if not index.is_unique:
            twice = index[index.duplicated()][0]
            raise DataError(f"slot_id {twice!r} was served twice. Read each file of the ad log once.")
        return cls(
            index,
            np.array([to_micros(slot.served_at) for slot in slots], np.int64),
            np.array([slot.item_id for slot in slots], object),
            np.array([slot.is_ghost for slot in slots], bool),
        )


@dataclass(frozen=True)
class TokenEvents:
    """N events of LABEL_KINDS that carry a token, by instant; those of one instant as they came.

    Attributes:
        place: (N,) in the table that they are of. kind, event_id: (N,) texts. at: (N,) microseconds.
        slot: (N,) place of the slot, -1 = none of those that were asked of.
        viewable: (N,) int8: 1 yes, 0 no, -1 = nobody measured.
        fate: (N,) of those that make no label whatever the others say; None = not said yet.
    """

    place: IntArray
    kind: npt.NDArray[np.object_]
    event_id: npt.NDArray[np.object_]
    at: IntArray
    slot: IntArray
    viewable: npt.NDArray[np.int8]
    fate: Fates

    def open(self, kind: str) -> IntArray:
        """Places of the events of `kind` that may still make a label."""
        return np.flatnonzero((self.kind == kind) & pd.isna(self.fate))


def match_tokens(
    table: SlotTable,
    events: pa.Table,
    decode: DecodeToken,
    windows: LabelWindows,
    invalid: Collection[str],
) -> tuple[TokenEvents, BoolArray]:
    """The events of `events` that carry a token, and (S,) slots that are invalid traffic.

    Args:
        events: LABEL_COLUMNS; other kinds, and events without a token, are passed over.
        invalid: ids of slots and of events. An event of them makes its slot invalid, whatever it is.
    """
    concerned = pc.and_(
        pc.is_in(events[columns.KIND], value_set=pa.array(LABEL_KINDS)), pc.is_valid(events[columns.TOKEN])
    )
    at = np.asarray(combined(events[columns.AT]).cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    place = np.flatnonzero(np.asarray(combined(concerned)))
    place = place[np.argsort(at[place], kind="stable")]
    rows = events.take(pa.array(place))
    kind, event_id, item = (
        np.array(rows[name].to_pylist(), object) for name in (columns.KIND, columns.EVENT_ID, columns.ITEM_ID)
    )
    slot, foreign = _slots_of(rows, table, decode)
    known = slot >= 0
    bad_slots = np.asarray(table.index.isin(list(invalid)), bool)
    bad_events = np.isin(event_id.astype(str), list(invalid)) if invalid else np.zeros(len(rows), bool)
    bad_slots[slot[known & bad_events]] = True
    fate: Fates = np.full(len(rows), None, object)
    since = np.where(known, at[place] - _taken(table.served_at, slot), 0)
    reasons: tuple[tuple[EventFate, BoolArray], ...] = (
        (EventFate.FOREIGN, foreign),
        (EventFate.OTHER_SLOT, ~known),
        (EventFate.GHOST, _taken(table.ghost, slot)),
        (EventFate.INVALID, bad_events | _taken(bad_slots, slot)),
        (EventFate.OTHER_ITEM, _taken(table.item, slot) != item),
        (EventFate.EARLY, since < -CLOCK_TOLERANCE),
        (EventFate.LATE, since > windows.micros(kind)),
        (EventFate.DUPLICATE, np.asarray(pd.Series(event_id).duplicated(), bool)),
    )
    for reason, found in reversed(reasons):
        fate[found] = reason
    viewable = pc.fill_null(rows[columns.VIEWABLE].cast(pa.int8()), -1)
    return (
        TokenEvents(
            place,
            kind,
            event_id,
            at[place],
            slot,
            np.asarray(combined(viewable).to_numpy(zero_copy_only=False), np.int8),
            fate,
        ),
        bad_slots,
    )


def event_window(since: datetime, until: datetime, windows: LabelWindows) -> tuple[datetime, datetime]:
    """The time whose events may be about slots served in [since, until)."""
    tolerance = timedelta(microseconds=CLOCK_TOLERANCE)
    return since - tolerance, until + timedelta(days=windows.purchase_days)


def _slots_of(rows: pa.Table, table: SlotTable, decode: DecodeToken) -> tuple[IntArray, BoolArray]:
    """(N,) places of the slots of these events, -1 = none; (N,) whose token is none of this shop's.

    Each distinct text is decoded once.
    """
    tokens = combined(rows[columns.TOKEN]).dictionary_encode()
    ids = pd.Index([decode(text) for text in tokens.dictionary.to_pylist()], dtype=object)
    codes = np.asarray(tokens.indices.to_numpy(zero_copy_only=False), np.int64)
    places = np.asarray(table.index.get_indexer(ids), np.int64)
    return places[codes], np.asarray(ids.isna(), bool)[codes]


def _taken(values: npt.NDArray[Any], slot: IntArray) -> npt.NDArray[Any]:
    """(N,) the values of the events' slots; of an event without a slot anything."""
    return values[slot] if len(values) else np.zeros(len(slot), values.dtype)
