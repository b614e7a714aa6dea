"""The types of arrays, once: numpy's by their element, and Arrow's columns. Imports numpy alone."""

from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
SmallIntArray = npt.NDArray[np.int32]  # item indexes where a table has many
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Column = Any  # an Arrow array; the stubs of its kernels take neither literals nor numpy


def true_rows(column: Any) -> BoolArray:
    """(N,) bool: where an Arrow column of booleans is true; a null is not."""
    return np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False), bool)


def combined(column: Any) -> Column:
    """An Arrow column in one piece."""
    chunks = getattr(column, "num_chunks", None)
    if chunks is None:
        return column
    return column.chunk(0) if chunks == 1 else column.combine_chunks()
