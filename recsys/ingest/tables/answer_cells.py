"""Cells that say what an answer was and how it was seen: results, filters and page of a search, and more."""

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import Column, true_rows
from recsys.event_fields import MOST_TOKEN_CHARACTERS, filters_text
from recsys.ingest.mapping.event_sources import EventSource, Position
from recsys.ingest.raw.cells import as_number, as_text
from recsys.ingest.tables.cell_notes import CellNotes
from recsys.ingest.tables.rejections import RowRejections

_MOST_INT32 = 2**31 - 1
_MOST_RESULTS = 2**53


def answer_columns(source: EventSource) -> tuple[str | None, ...]:
    """The raw columns that `answer_cells` reads, and those of the search's id and the surface."""
    return (
        source.query_id,
        source.results,
        source.filters,
        source.surface,
        source.page.column if source.page else None,
        source.visible_ms,
        source.viewable,
        source.token,
    )


def answer_cells(
    raw: pa.Table, source: EventSource, rejections: RowRejections, notes: CellNotes
) -> dict[str, Column]:
    """Canonical columns by name, each (N,): what a search found, what a page measured, and tokens of ads.

    Empty cells stay null, for what nobody said is neither 0 nor false. Rows with a cell that says something
    else than it may are rejected.
    """
    return {
        columns.RESULTS: _whole_numbers(raw, source.results, _MOST_RESULTS, pa.int64(), rejections),
        columns.FILTERS: _filters(raw, source.filters, rejections),
        columns.PAGE: place_cells(raw, source.page, rejections, notes),
        columns.VISIBLE_MS: _whole_numbers(raw, source.visible_ms, _MOST_INT32, pa.int32(), rejections),
        columns.VIEWABLE: _flags(raw, source.viewable, rejections),
        columns.TOKEN: _tokens(raw, source.token, rejections),
    }


def place_cells(raw: pa.Table, place: Position | None, rejections: RowRejections, notes: CellNotes) -> Column:
    """Places from 1, null where there is none. A 0 where places count from 1 is none, and counted."""
    if place is None:
        return pa.nulls(len(raw), pa.int32())
    name, first = place.column, place.first
    parsed = as_number(raw[name])
    rejections.reject(parsed.bad, "bad_number", name, "is not a number")
    places = parsed.values + (1 - first)
    none = parsed.ok & (places == 0)
    if none.any():
        notes.zero_positions[name] += int(none.sum())
    inside = parsed.ok & (places >= 1) & (places <= _MOST_INT32)
    rejections.reject(parsed.ok & ~inside & ~none, "bad_number", name, f"is not a position from {first}")
    return pa.array(np.where(inside, places, 0).astype(np.int32), mask=~inside)


def _whole_numbers(
    raw: pa.Table, name: str | None, most: int, kind: pa.DataType, rejections: RowRejections
) -> Column:
    """Numbers from 0 to `most`, rounded; null where there is none."""
    if name is None:
        return pa.nulls(len(raw), kind)
    parsed = as_number(raw[name])
    inside = parsed.ok & (parsed.values >= 0) & (parsed.values <= most)
    rejections.reject(
        parsed.bad | (parsed.ok & ~inside), "bad_number", name, f"is no number from 0 to {most}"
    )
    return pa.array(np.where(inside, np.rint(parsed.values), 0).astype(np.int64), mask=~inside).cast(kind)


def _flags(raw: pa.Table, name: str | None, rejections: RowRejections) -> Column:
    """True, false, and null where nothing is said; cells are 1 and 0, or true and false."""
    if name is None:
        return pa.nulls(len(raw), pa.bool_())
    parsed = as_number(raw[name])
    known = parsed.ok & np.isin(parsed.values, (0.0, 1.0))
    rejections.reject(parsed.bad | (parsed.ok & ~known), "bad_flag", name, "is neither true nor false")
    return pa.array(parsed.values == 1, mask=~known)


def _tokens(raw: pa.Table, name: str | None, rejections: RowRejections) -> Column:
    """Texts as they came, null where there is none; a row whose text is too long for a token is rejected."""
    if name is None:
        return pa.nulls(len(raw), pa.string())
    texts = as_text(raw[name])
    long = true_rows(pc.greater(pc.utf8_length(texts), MOST_TOKEN_CHARACTERS))
    rejections.reject(long, "bad_token", name, f"has more than {MOST_TOKEN_CHARACTERS} characters")
    return texts


def _filters(raw: pa.Table, name: str | None, rejections: RowRejections) -> Column:
    """JSON objects with sorted keys; each distinct text is read once."""
    if name is None:
        return pa.nulls(len(raw), pa.string())
    encoded = as_text(raw[name]).dictionary_encode()
    texts = [_sorted_text(text) for text in encoded.dictionary.to_pylist()]
    found: Column = pa.array(texts, pa.string()).take(encoded.indices)
    bad = np.asarray(found.is_null()) & np.asarray(encoded.indices.is_valid())
    rejections.reject(bad, "bad_filters", name, "is not a JSON object of filters, or too large")
    return found


def _sorted_text(text: str) -> str | None:
    try:
        return filters_text(orjson.loads(text))
    except ValueError:  # orjson's errors are
        return None
