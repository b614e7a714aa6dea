"""Feature values as numpy columns: what a point-in-time join returns, spread over the rows that asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from recsys import columns
from recsys.arrays import FloatArray, IntArray, true_rows
from recsys.errors import SchemaMismatchError
from recsys.features.cross import ITEM_INPUTS, USER_INPUTS, cross_features_by_row
from recsys.instants import SECOND

KEY_FEATURES = (columns.ITEM_KEY, columns.CATEGORY_KEY)  # stable keys: as floats they would no longer match


@dataclass(frozen=True)
class EntityValues:
    """Features of U distinct (entity, at) pairs, and which pair each of R rows asked for.

    Attributes:
        values: feature name -> (U,) array, see `column_of`.
        place: (R,) int64 into them.
    """

    values: Mapping[str, npt.NDArray[Any]]
    place: IntArray

    def spread(self, name: str) -> npt.NDArray[Any]:
        """(R,) values of one feature."""
        return self.values[name][self.place]


def check_rows(rows: pd.DataFrame, service: str, entities: Sequence[str]) -> None:
    """Raises SchemaMismatchError unless `rows` names every entity and an aware instant, none of them null."""
    for name in (*entities, columns.AT):
        if name not in rows.columns:
            raise SchemaMismatchError(
                f"{service} needs the column {name!r}; the rows have {list(rows.columns)}. Add it, or ask a "
                f"service of other entities (`recsys features show {service}`)."
            )
        if rows[name].isna().any():
            place = int(rows[name].isna().to_numpy().argmax())
            raise SchemaMismatchError(f"row {place} has no {name}. Leave such rows out.")
    if not isinstance(rows[columns.AT].dtype, pd.DatetimeTZDtype):
        raise SchemaMismatchError(
            f"the column {columns.AT!r} is {rows[columns.AT].dtype}, not an aware instant. "
            "Give it a zone, for example with .dt.tz_localize('UTC')."
        )


def column_of(column: Any, name: str) -> npt.NDArray[Any]:
    """An Arrow column as numpy: keys int64, other numbers floats with NaN, texts and lists as objects."""
    column = column.combine_chunks()
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _arrays(column)
    if pa.types.is_boolean(kind):
        return true_rows(column)
    if name in KEY_FEATURES:
        return np.asarray(column.cast(pa.int64()).fill_null(0).to_numpy(), np.int64)
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        dtype = np.float32 if kind == pa.float32() else np.float64
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype)
    return np.array(column.fill_null("").to_pylist(), object)


def _arrays(column: Any) -> npt.NDArray[Any]:
    """(U,) object array of numpy arrays, empty where null."""
    values = column.flatten().to_numpy(zero_copy_only=False)  # those of null rows are left out
    lengths = column.value_lengths().fill_null(0).to_numpy()
    ends = np.cumsum(lengths)
    out = np.empty(len(column), object)
    for row, (start, end) in enumerate(zip((ends - lengths).tolist(), ends.tolist(), strict=True)):
        out[row] = values[start:end]
    return out


def cross_columns(user: EntityValues, item: EntityValues, at: pd.Series) -> dict[str, FloatArray]:
    """The cross features of R rows, computed as the online funnel computes them."""
    seconds = at.astype("datetime64[us, UTC]").astype("int64").to_numpy() // SECOND
    users = {name: _filled(user.values[name]) for name in USER_INPUTS}
    items = {name: _filled(item.spread(name)) for name in ITEM_INPUTS}
    return cross_features_by_row(users, user.place, items, seconds)


def _filled(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Missing numbers as 0, which is what `recsys.features.cross` takes."""
    return np.nan_to_num(values, nan=0.0) if values.dtype.kind == "f" else values
