"""Columns of any kind as the numbers that an outcome model reads."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from recsys.arrays import DoubleArray
from recsys.errors import DataError

MOST_VALUES = 20  # of a column of texts; rarer ones count as one


def context_features(columns: Mapping[str, DoubleArray | Sequence[str | None]]) -> DoubleArray:
    """(N, F): a number as it is, with a column that says where it is missing; a text as one column a value.

    A missing number is the mean of the others; a missing text is a value of its own.

    Raises:
        DataError: a column has nothing in it.
    """
    parts: list[DoubleArray] = []
    for name, column in columns.items():
        part = _numbers(column) if isinstance(column, np.ndarray) else _indicators(column)
        if part is None:
            raise DataError(f"the feature {name!r} is empty in every row. Leave it out of --features.")
        parts.append(part)
    return np.column_stack(parts)


def _numbers(column: DoubleArray) -> DoubleArray | None:
    known = np.isfinite(column)
    if not known.any():
        return None
    filled = np.where(known, column, column[known].mean())
    return filled[:, None] if known.all() else np.column_stack([filled, ~known])


def _indicators(column: Sequence[str | None]) -> DoubleArray | None:
    counts = Counter(column)
    if set(counts) == {None}:
        return None
    common = sorted(counts, key=lambda value: (-counts[value], value or ""))[:MOST_VALUES]
    places = {value: place for place, value in enumerate(common)}
    index = np.array([places.get(value, len(common)) for value in column], np.int64)
    return np.eye(len(common) + 1)[index][:, : len(common)]
