"""Quantity and money of raw event rows."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.amounts import MOST_MICROS, MOST_THOUSANDTHS, PIECE, line_micros
from recsys.arrays import BoolArray, Column, IntArray, true_rows
from recsys.ingest.mapping.event_sources import EventSource, Quantity, Value
from recsys.ingest.raw.cells import as_micros, as_number
from recsys.ingest.tables.cell_notes import CellNotes
from recsys.ingest.tables.rejections import RowRejections

_REMEDY = "`decimal` and `strip` in the mapping say how it is written, `nulls` what means nothing"
_INCREDIBLE = f"is more than {MOST_MICROS / 1e6:,.0f} units of money, too much for one line; check `scale`"


def amounts_of(
    raw: pa.Table, source: EventSource, kinds: Column, rejections: RowRejections, notes: CellNotes
) -> tuple[Column, Column]:
    """(N,) quantity in thousandths and (N,) money of the whole line, null where the source says nothing.

    A cancellation says what comes back, whatever the sign: that of its quantity and value is dropped.

    Args:
        kinds: (N,) kind of each row; may be null.
    """
    cancels = true_rows(pc.equal(kinds, columns.CANCEL))
    quantity: Column = pa.nulls(len(raw), pa.int64())
    pieces = np.full(len(raw), PIECE, np.int64)
    absolute = False
    if source.quantity is not None:
        pieces, said = _quantities(raw, source.quantity, cancels, rejections, notes)
        quantity, absolute = pa.array(pieces, mask=~said), source.quantity.absolute
    if source.value is None:
        return quantity, pa.nulls(len(raw), pa.int64())
    return quantity, _money(raw, source.value, pieces, cancels | absolute, rejections, notes)


def _quantities(
    raw: pa.Table, quantity: Quantity, cancels: BoolArray, rejections: RowRejections, notes: CellNotes
) -> tuple[IntArray, BoolArray]:
    """(N,) thousandths, one piece where nothing is said, and (N,) where something is."""
    parsed = as_number(raw[quantity.column], quantity.strip, quantity.decimal, booleans=False)
    notes.add_numbers(quantity.column, parsed, raw[quantity.column])
    rejections.reject(parsed.bad, "bad_number", quantity.column, f"is not a number; {_REMEDY}")
    numbers = np.where(cancels | quantity.absolute, np.abs(parsed.values), parsed.values)
    if quantity.most is not None:
        numbers = np.where(numbers > quantity.most, 1, numbers)
    thousandths = np.rint(numbers * PIECE)
    inside = (thousandths >= 1) & (thousandths <= MOST_THOUSANDTHS)
    detail = "is negative; give returns the kind `cancel`, or write absolute = true if the sign means nothing"
    rejections.reject(parsed.ok & (numbers < 0), "bad_quantity", quantity.column, detail)
    detail = f"is not a quantity from 0.001 to {MOST_THOUSANDTHS // PIECE}"
    rejections.reject(parsed.ok & ~inside, "bad_quantity", quantity.column, detail)
    said = parsed.ok & inside
    return np.where(said, thousandths, PIECE).astype(np.int64), said


def _money(
    raw: pa.Table,
    value: Value,
    pieces: IntArray,
    unsigned: BoolArray,
    rejections: RowRejections,
    notes: CellNotes,
) -> Column:
    """(N,) micros of whole lines; `unsigned` (N,) marks rows whose sign is dropped."""
    money = as_micros(raw[value.column], value.scale, value.strip, value.decimal)
    notes.add_numbers(value.column, money, raw[value.column])
    huge = np.abs(money.values) > MOST_MICROS
    rejections.reject(huge, "bad_value", value.column, _INCREDIBLE)
    rejections.reject(money.bad, "bad_value", value.column, f"is not an amount of money; {_REMEDY}")
    micros = np.where(unsigned, np.abs(money.values), money.values)
    rejections.reject((micros < 0) & money.ok, "bad_value", value.column, "is negative")
    if value.per == "unit":
        micros = line_micros(np.maximum(micros, 0), pieces)
    too_much = micros > MOST_MICROS
    rejections.reject(too_much & money.ok, "bad_value", value.column, _INCREDIBLE)
    return pa.array(np.clip(micros, 0, MOST_MICROS), mask=~money.ok)
