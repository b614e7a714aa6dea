"""Counts of events by kind and window, as named columns."""

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.features.event_log import IntArray
from recsys.features.timeline import RollingSums
from recsys.features.view_schemas import Column


def kind_counts(
    sums: RollingSums, kind: IntArray, order: IntArray, kinds: tuple[str, ...], name: str
) -> dict[str, Column]:
    """Column name -> counts of each of `kinds` over each window, rows in `order`.

    Args:
        kind: (C,) kind code of each change of `sums`.
        name: the columns' name, with `{kind}` and `{days}`.
    """
    nothing = pa.array(np.zeros(len(order), np.int32))  # shared by all kinds that do not occur
    values: dict[str, Column] = {}
    for kind_name in kinds:
        is_kind = (kind == columns.KIND_CODES[kind_name]).astype(np.int64)
        for days in columns.WINDOW_DAYS:
            values[name.format(kind=kind_name, days=days)] = (
                pa.array(sums.sums(is_kind, days)[order].astype(np.int32)) if is_kind.any() else nothing
            )
    return values
