"""Counts of events by kind and window, as named columns."""

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import Column, IntArray
from recsys.features.timeline import Instants
from recsys.features.window_sums import Sums


def kind_counts(
    instants: Instants, changes: Sums, kind: IntArray, kinds: tuple[str, ...], name: str
) -> dict[str, Column]:
    """Column name -> counts of each of `kinds` over each window, at the instants that are written.

    Args:
        changes: the sums of all changes.
        kind: (C,) kind code of each change.
        name: the columns' name, with `{kind}` and `{days}`.
    """
    order = instants.written
    nothing = pa.array(np.zeros(len(order), np.int32))  # shared by all kinds that do not occur
    values: dict[str, Column] = {}
    kind = kind.astype(np.int8)
    by_kind = np.argsort(kind, kind="stable")  # bytes are sorted without comparing
    changes, kind = changes.chosen(by_kind), kind[by_kind]
    for kind_name in kinds:
        first, last = np.searchsorted(
            kind, [columns.KIND_CODES[kind_name], columns.KIND_CODES[kind_name] + 1]
        )
        sums = changes.chosen(slice(first, last))
        for days in columns.WINDOW_DAYS:
            values[name.format(kind=kind_name, days=days)] = (
                pa.array(sums.counts(days).astype(np.int32)[order]) if last > first else nothing
            )
    return values
