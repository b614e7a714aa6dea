"""Sums over rolling windows at every row of a timeline, or at one moment each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recsys import columns
from recsys.amounts import saturating_sums
from recsys.arrays import IntArray
from recsys.features.timeline import Changes, Instants, Moments, Timeline
from recsys.features.windows import day_of, leaves_at


class Sums(Protocol):
    """Sums over windows for one set of C changes, at every row of a timeline."""

    def counts(self, days: int) -> IntArray:
        """(R,) sums of the signs over the last `days` days."""
        ...

    def sums(self, amounts: IntArray, days: int) -> IntArray:
        """(R,) sums of `amounts` (C,) over the last `days` days, within int64."""
        ...

    def chosen(self, which: IntArray | slice) -> "Sums":
        """The sums of some of the changes, by their places; cheaper than to begin anew."""
        ...


def sums_over(instants: Instants, changes: Changes) -> "RollingSums | MomentSums":
    """The sums of `changes` at `instants`."""
    if isinstance(instants, Timeline):
        return rolling_sums(instants, changes)
    return moment_sums(instants, changes)


@dataclass(frozen=True)
class MomentSums:
    """Sums at one instant an entity: of the daily counters that its windows hold then.

    Attributes:
        rows: how many there are.
        row: (C,) the row of each change.
        age: (C,) days since that of the change.
        sign: (C,) what it counts.
    """

    rows: int
    row: IntArray
    age: IntArray
    sign: IntArray

    def counts(self, days: int) -> IntArray:
        """(R,) sums of the signs over the last `days` days."""
        return self._summed(self.sign, days)

    def sums(self, amounts: IntArray, days: int) -> IntArray:
        """(R,) sums of `amounts` (C,) over the last `days` days, within int64."""
        return saturating_sums(lambda part: self._summed(part, days), amounts)

    def chosen(self, which: IntArray | slice) -> "MomentSums":
        """The sums of some of the changes, by their places."""
        return MomentSums(self.rows, self.row[which], self.age[which], self.sign[which])

    def _summed(self, signed: IntArray, days: int) -> IntArray:
        held = np.flatnonzero(self.age <= days)
        total = np.zeros(self.rows, np.int64)
        np.add.at(total, self.row[held], signed[held])
        return total


def moment_sums(moments: Moments, changes: Changes) -> MomentSums:
    """The sums of `changes` at `moments`."""
    row = moments.rank[changes.entity]
    return MomentSums(len(moments), row, day_of(moments.at)[row] - changes.day, changes.sign)


@dataclass(frozen=True)
class RollingSums:
    """Sums at every instant at which they can change: what enters a window at one row leaves at another.

    Attributes:
        rows: R.
        enter: (C,) the row at which each change enters all windows.
        leave: for each window (C,) the row at which it leaves; -1 = it is in that window at no row.
        sign: (C,) what it counts.
    """

    rows: int
    enter: IntArray
    leave: Mapping[int, IntArray]
    sign: IntArray

    def counts(self, days: int) -> IntArray:
        """(R,) sums of the signs over the last `days` days."""
        return self._cumulated(self.sign, days)

    def sums(self, amounts: IntArray, days: int) -> IntArray:
        """(R,) sums of `amounts` (C,) over the last `days` days, within int64."""
        return saturating_sums(lambda part: self._cumulated(part, days), amounts)

    def chosen(self, which: IntArray | slice) -> "RollingSums":
        """The sums of some of the changes, by their places: their rows are known already."""
        leave = {days: rows[which] for days, rows in self.leave.items()}
        return RollingSums(self.rows, self.enter[which], leave, self.sign[which])

    def _cumulated(self, signed: IntArray, days: int) -> IntArray:
        enter, leave = self.enter, self.leave[days]
        counted = leave >= 0
        if not counted.all():
            enter, leave, signed = enter[counted], leave[counted], signed[counted]
        change = np.zeros(self.rows, np.int64)
        np.add.at(change, enter, signed)
        np.subtract.at(change, leave, signed)
        # What enters an entity also leaves it within its own rows, so one sum serves all entities.
        return np.cumsum(change, out=change)


def rolling_sums(timeline: Timeline, changes: Changes) -> RollingSums:
    """The sums of `changes` over each of WINDOW_DAYS at every row of `timeline`."""
    leave = {}
    for days in columns.WINDOW_DAYS:
        leave_at = leaves_at(changes.day, days)
        # A purchase taken back after its day left: this window has nothing to give back.
        counted = changes.at < leave_at
        if timeline.since is not None:
            counted &= leave_at > timeline.since[changes.entity]
        rows = np.full(len(changes), -1)
        rows[counted] = timeline.rows_of(changes.entity[counted], leave_at[counted])
        leave[days] = rows
    return RollingSums(len(timeline), timeline.rows_of(changes.entity, changes.at), leave, changes.sign)
