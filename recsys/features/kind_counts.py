"""Counts of events by kind and window, as named columns."""

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import Column, IntArray
from recsys.features.timeline import Changes, Instants, sums_over


def kind_counts(
    instants: Instants, changes: Changes, kind: IntArray, kinds: tuple[str, ...], name: str
) -> dict[str, Column]:
    """Column name -> counts of each of `kinds` over each window, at the instants that are written.

    Args:
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
        of_kind = changes.chosen(slice(first, last))
        sums = sums_over(instants, of_kind)
        for days in columns.WINDOW_DAYS:
            values[name.format(kind=kind_name, days=days)] = (
                pa.array(sums.counts(days)[order].astype(np.int32)) if len(of_kind) else nothing
            )
    return values
