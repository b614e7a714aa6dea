"""The label of each served slot: seen, clicked, bought from; and what became of every event with a token.

A label is a click whose event carries the slot's token within half an hour of the answer; the denominator is
slots that an impression says were viewable. Where nobody measured it, a slot is in neither. Slots that the
hold-out won (ghosts) were never shown and have no labels. Features are to be joined at the instant of the
answer, `served_at`: what the ad was chosen by.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recsys import columns
from recsys.ads.delivery.served_slot import ServedSlot
from recsys.ads.labels.conversions import net_purchases
from recsys.ads.labels.fates import EventFate
from recsys.ads.labels.token_events import DecodeToken, LabelWindows, SlotTable, TokenEvents, match_tokens
from recsys.arrays import BoolArray, IntArray
from recsys.instants import DAY, NEVER, SECOND, to_micros


@dataclass(frozen=True)
class SlotLabels:
    """S slots that were shown, in the order in which they were given, and what was done with each.

    Attributes:
        slots: without ghosts.
        served_at: (S,) microseconds of the answer, at which features are joined.
        viewable: (S,) int8: 1 = seen, 0 = not, -1 = nobody measured, or no impression came.
        reported: (S,) whether an impression came, measured or not.
        clicked: (S,) whether a click counts. clicked_at: (S,) microseconds, NEVER where none does.
        purchased: (S,) whether a purchase after that click counts. value_micros: (S,) of all such, less what
            was taken back, 0 where nobody said.
        settled: (S,) whether no click can count any more. mature: (S,) no purchase either.
        invalid: (S,) invalid traffic, which teaches nothing.
        now: as of when, microseconds.
        ghosts: how many slots were given that the hold-out won.
        fates: of the events with a token, by kind; they add up to all of them.
    """

    slots: tuple[ServedSlot, ...]
    served_at: IntArray
    viewable: npt.NDArray[np.int8]
    reported: BoolArray
    clicked: BoolArray
    clicked_at: IntArray
    purchased: BoolArray
    value_micros: IntArray
    settled: BoolArray
    mature: BoolArray
    invalid: BoolArray
    now: int
    ghosts: int
    fates: Mapping[str, Mapping[EventFate, int]]

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def in_clicks(self) -> BoolArray:
        """(S,) rows that a probability of clicks is learned from and measured by: the denominator."""
        return np.asarray((self.viewable == 1) & self.settled & ~self.invalid)

    @property
    def in_purchases(self) -> BoolArray:
        """(S,) rows that a probability of purchases is learned from: of those, the mature ones."""
        return np.asarray(self.in_clicks & self.mature)

    @property
    def click_age(self) -> IntArray:
        """(S,) microseconds since the click: young ones may yet lead to a purchase; -1 = no click."""
        return np.where(self.clicked, self.now - self.clicked_at, -1)


def label_slots(
    slots: Sequence[ServedSlot],
    events: pa.Table,
    decode: DecodeToken,
    now: datetime,
    windows: LabelWindows | None = None,
    invalid: Collection[str] = (),
) -> SlotLabels:
    """The labels of `slots` as far as `events` say.

    Args:
        events: LABEL_COLUMNS in the order of arrival, of the time of `event_window`, as the lake reads them.
        decode: the slot_id of a token; it should take tokens of any age, for windows are applied here.
        now: aware; up to when `events` are complete.
        invalid: ids of slots and of events that are invalid traffic. A slot with such an event teaches
            nothing.

    Raises:
        DataError: two slots have one id.
    """
    windows = windows or LabelWindows()
    table = SlotTable.of(slots)
    found, bad = match_tokens(table, events, decode, windows, invalid)
    viewable, reported = _impressions(found, len(slots))
    clicked_at = _clicks(found, viewable, reported)
    purchased, value = _purchases(found, clicked_at, *net_purchases(events))
    micros, shown = to_micros(now), np.flatnonzero(~table.ghost)
    age = micros - table.served_at
    return SlotLabels(
        slots=tuple(slot for slot in slots if not slot.is_ghost),
        served_at=table.served_at[shown],
        viewable=viewable[shown],
        reported=reported[shown],
        clicked=(clicked_at < NEVER)[shown],
        clicked_at=clicked_at[shown],
        purchased=purchased[shown],
        value_micros=value[shown],
        settled=(age > windows.click_seconds * SECOND)[shown],
        mature=(age > windows.purchase_days * DAY)[shown],
        invalid=bad[shown],
        now=micros,
        ghosts=int(table.ghost.sum()),
        fates=_counted(found),
    )


def _impressions(found: TokenEvents, count: int) -> tuple[npt.NDArray[np.int8], BoolArray]:
    """(S,) what impressions say of each slot's being seen: the most that any says; (S,) whether one came."""
    places = found.open(columns.IMPRESSION)
    best = places[np.argsort(-found.viewable[places], kind="stable")]
    slots, first = np.unique(found.slot[best], return_index=True)
    found.fate[places] = EventFate.DUPLICATE
    found.fate[best[first]] = EventFate.COUNTED
    viewable, reported = np.full(count, -1, np.int8), np.zeros(count, bool)
    viewable[slots], reported[slots] = found.viewable[best[first]], True
    return viewable, reported


def _clicks(found: TokenEvents, viewable: npt.NDArray[np.int8], reported: BoolArray) -> IntArray:
    """(S,) microseconds of each slot's click that counts, NEVER = none."""
    places = found.open(columns.CLICK)
    slots, first = np.unique(found.slot[places], return_index=True)
    clicks = places[first]
    found.fate[places] = EventFate.DUPLICATE
    reasons = {1: EventFate.COUNTED, 0: EventFate.UNSEEN, -1: EventFate.UNMEASURED}
    for saw, fate in reasons.items():
        found.fate[clicks[viewable[slots] == saw]] = fate
    found.fate[clicks[~reported[slots]]] = EventFate.NO_IMPRESSION
    clicked_at = np.full(len(viewable), NEVER, np.int64)
    counted = viewable[slots] == 1
    clicked_at[slots[counted]] = found.at[clicks[counted]]
    return clicked_at


def _purchases(
    found: TokenEvents, clicked_at: IntArray, quantity_left: IntArray, value_left: IntArray
) -> tuple[BoolArray, IntArray]:
    """(S,) whether a purchase counts, and (S,) micros of all that do."""
    places = found.open(columns.PURCHASE)
    slots = found.slot[places]
    returned = quantity_left[found.place[places]] == 0
    unclicked = found.at[places] < clicked_at[slots]
    found.fate[places] = np.where(
        returned, EventFate.RETURNED, np.where(unclicked, EventFate.NO_CLICK, EventFate.COUNTED)
    )
    counted = ~returned & ~unclicked
    purchased, value = np.zeros(len(clicked_at), bool), np.zeros(len(clicked_at), np.int64)
    purchased[slots[counted]] = True
    np.add.at(value, slots[counted], value_left[found.place[places[counted]]])
    return purchased, value


def _counted(found: TokenEvents) -> dict[str, dict[EventFate, int]]:
    counts = Counter(zip(found.kind.tolist(), found.fate.tolist(), strict=True))
    by_kind: dict[str, dict[EventFate, int]] = {}
    for (kind, fate), number in sorted(counts.items()):
        by_kind.setdefault(kind, {})[EventFate(fate)] = number
    return by_kind
