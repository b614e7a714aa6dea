"""Features kept up to date by each event: a tile a day for each entity, nothing older than a window.

The values equal those of the batch tables at every instant. Events of one entity come in order of time and
arrival. Of what comes late, tiles still count an action on its own day; a cancellation takes back the
purchase that came last, and a history keeps the order in which it was told.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recsys import columns
from recsys.features.item_engagement import rates
from recsys.features.windows import LONGEST_WINDOW, PROFILE_DAYS, SECOND_MICROS, day_of, first_day

Values = dict[str, Any]


@dataclass(frozen=True)
class Action:
    """One event as features see it: an action, an impression or a cancellation.

    Attributes:
        item_key: stable key of the item.
        category_key: stable key of its category, 0 = none.
        at: microseconds.
        value: micros of the whole line, None = unknown.
    """

    kind: str
    user_id: str
    item_id: str
    item_key: int
    category_key: int
    at: int
    quantity: int = 1
    value: int | None = None


@dataclass
class Tile:
    """What one entity's events of one day add up to."""

    counts: Counter[str] = field(default_factory=Counter)
    categories: Counter[int] = field(default_factory=Counter)
    value: int = 0
    price: int = 0  # sum of prices a piece over `priced` purchases
    priced: int = 0
    active: bool = False

    def add(self, action: Action, sign: int = 1) -> None:
        """Counts `action`, or takes it back."""
        self.counts[action.kind] += sign
        if action.kind == columns.IMPRESSION:
            return
        if action.category_key:
            self.categories[action.category_key] += sign
        if action.kind == columns.PURCHASE and action.value is not None:
            self.value += sign * action.value
            self.price += sign * (action.value // max(action.quantity, 1))
            self.priced += sign
        self.active = True


@dataclass
class DayTiles:
    """The tiles of one user or one item.

    Attributes:
        tiles: by day.
        standing: by user and item, the purchases that a cancellation could still undo, oldest first.
        oldest: day before which everything was forgotten.
        last_at: microseconds of the last action or cancellation; 0 = none.
    """

    tiles: dict[int, Tile] = field(default_factory=dict)
    standing: dict[tuple[str, str], list[Action]] = field(default_factory=dict)
    last_at: int = 0
    oldest: int = 0

    def update(self, action: Action) -> None:
        """Takes `action` up; forgets what no window can hold any more."""
        if action.kind != columns.IMPRESSION:
            self.last_at = max(self.last_at, action.at)
        if action.kind == columns.CANCEL:
            self._undo(action)
        else:
            self.tiles.setdefault(day_of(action.at), Tile()).add(action)
            if action.kind == columns.PURCHASE:
                self.standing.setdefault((action.user_id, action.item_id), []).append(action)
        self._forget(action.at)

    def within(self, at: int, days: int) -> Tile:
        """The sum of all tiles that a window of `days` holds at the instant `at`."""
        total = Tile()
        for day, tile in self.tiles.items():
            if day >= first_day(at, days):
                total.counts.update(tile.counts)
                total.categories.update(tile.categories)
                total.value += tile.value
                total.price += tile.price
                total.priced += tile.priced
        return total

    def active_days(self, at: int, days: int) -> int:
        """Days within the window on which something was done."""
        return sum(tile.active and day >= first_day(at, days) for day, tile in self.tiles.items())

    def _undo(self, cancel: Action) -> None:
        purchases = self.standing.get((cancel.user_id, cancel.item_id))
        if purchases:
            bought = purchases.pop()
            if day_of(bought.at) in self.tiles:
                self.tiles[day_of(bought.at)].add(bought, -1)

    def _forget(self, at: int) -> None:
        oldest = first_day(at, LONGEST_WINDOW)
        if oldest <= self.oldest:
            return
        self.oldest = oldest
        self.tiles = {day: tile for day, tile in self.tiles.items() if day >= oldest}
        recent = {
            pair: [bought for bought in purchases if day_of(bought.at) >= oldest]
            for pair, purchases in self.standing.items()
        }
        self.standing = {pair: purchases for pair, purchases in recent.items() if purchases}


def user_activity_values(state: DayTiles, at: int) -> Values:
    """The user_activity features of a user's tiles at the instant `at` (microseconds)."""
    values: Values = {}
    for days in columns.WINDOW_DAYS:
        window = state.within(at, days)
        values |= {f"{kind}_count_{days}d": window.counts[kind] for kind in columns.ACTION_KINDS}
        values[f"purchase_value_micros_{days}d"] = window.value
    profile = state.within(at, PROFILE_DAYS)
    counts = {key: count for key, count in profile.categories.items() if count}
    top = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[: columns.TOP_CATEGORY_COUNT]
    return values | {
        columns.ACTIVE_DAYS: state.active_days(at, PROFILE_DAYS),
        columns.LAST_EVENT_AT: state.last_at // SECOND_MICROS,
        columns.AVERAGE_PRICE: profile.price // max(profile.priced, 1),
        columns.TOP_CATEGORIES: [key for key, _ in top],
        columns.TOP_CATEGORY_SHARES: [float(np.float32(count / sum(counts.values()))) for _, count in top],
    }


def item_engagement_values(state: DayTiles, at: int) -> Values:
    """The item_engagement features of an item's tiles at the instant `at` (microseconds)."""
    values: Values = {}
    for days in columns.WINDOW_DAYS:
        counts = state.within(at, days).counts
        for kind in (columns.IMPRESSION, *columns.ACTION_KINDS):
            values[f"item_{kind}_count_{days}d"] = counts[kind]
    shares = rates({name: np.array([count], np.int32) for name, count in values.items()})
    values |= {name: float(share[0]) for name, share in shares.items()}
    return values | {columns.ITEM_LAST_EVENT_AT: state.last_at // SECOND_MICROS}


@dataclass
class HistoryState:
    """A user's last actions. An undone purchase keeps its place, unseen, so that nothing older moves up."""

    actions: deque[tuple[Action, bool]] = field(default_factory=lambda: deque(maxlen=columns.HISTORY_LENGTH))

    def update(self, action: Action) -> None:
        """Takes an action or a cancellation up; impressions are no part of a history."""
        if action.kind in columns.ACTION_KINDS:
            self.actions.append((action, True))
        elif action.kind == columns.CANCEL:
            for place in reversed(range(len(self.actions))):
                bought, stands = self.actions[place]
                if stands and bought.kind == columns.PURCHASE and bought.item_id == action.item_id:
                    self.actions[place] = bought, False
                    return

    def values(self) -> Values:
        """The user_history features after the last update."""
        standing = [action for action, stands in self.actions if stands]
        return {
            columns.HISTORY_ITEMS: [action.item_key for action in standing],
            columns.HISTORY_KINDS: [columns.KIND_CODES[action.kind] for action in standing],
            columns.HISTORY_AT: [action.at // SECOND_MICROS for action in standing],
        }
