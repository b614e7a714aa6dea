"""Whether features that were served equal what the feature store computes for the same instants.

A served row is compared with the recomputed one as of its own event timestamp, that instant included: a row
holds every event up to its timestamp, so both must be equal however old the row was when it was read. That
it was old is a matter of freshness, which `measure_staleness` measures apart from it.
"""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys.arrays import DoubleArray

FLOAT_TOLERANCE = 1e-6  # relative, of float32 features; whole numbers, keys, texts and flags must be equal
EXAMPLES = 3  # kept of each feature
PERCENTILES = (50, 90, 99)

Values = Mapping[str, Any]  # feature -> number, text, flag, list of numbers, or None


@dataclass(frozen=True)
class ServedRow:
    """One row of a feature view as a request used it.

    Attributes:
        at: microseconds of the request.
        event_at: microseconds, the row's event timestamp; None where the view had no row.
    """

    request_id: str
    at: int
    view: str
    entity_id: str
    event_at: int | None
    values: Values


@dataclass(frozen=True)
class Mismatch:
    """One value that is not what the feature store computes; `difference` is None where it has no size."""

    request_id: str
    entity_id: str
    event_at: int
    served: Any
    recomputed: Any
    difference: float | None


@dataclass(frozen=True)
class FeatureSkew:
    """One feature's comparison.

    Attributes:
        late: values that differ only because an event arrived after they were served; not mismatched.
        share: mismatched / compared.
        max_difference: of the mismatched numbers, 0 without any.
    """

    view: str
    feature: str
    compared: int
    mismatched: int
    late: int
    share: float
    max_difference: float
    examples: tuple[Mismatch, ...]


@dataclass(frozen=True)
class Staleness:
    """How far the rows of one view lagged behind what the lake holds strictly before the request.

    Attributes:
        rows: served rows, missing ones included. behind: those that a newer row should have replaced.
        missing: there was no row online, though the lake has one.
        lag: percentile (or `max`) -> seconds from the row's timestamp to that of the newest row, over the
            rows that were there. A quiet entity's row may lag by days and be overdue by milliseconds.
        overdue: the same of seconds from the first newer row to the request: how long the row was wrong.
    """

    view: str
    rows: int
    behind: int
    missing: int
    lag: Mapping[str, float]
    overdue: Mapping[str, float]


@dataclass(frozen=True)
class StoredRows:
    """What the lake holds of a served row's entity strictly before the request, microseconds.

    Attributes:
        newest: event timestamp of the newest row, None where there is none.
        first: of the first row after the served one, None where there is none.
    """

    newest: int | None
    first: int | None


def values_equal(served: Any, recomputed: Any) -> bool:
    """Whether two values of one feature are the same; NaN is what JSON writes as null.

    >>> equal(0.1, 0.10000000149), equal(0.1, 0.1001), equal([1, 2], [1, 2]), equal(3, 4)
    (True, False, True, False)
    """
    if isinstance(served, list | tuple) and isinstance(recomputed, list | tuple):
        return len(served) == len(recomputed) and all(map(values_equal, served, recomputed))
    if _absent(served) or _absent(recomputed):
        return _absent(served) and _absent(recomputed)
    if isinstance(served, float) or isinstance(recomputed, float):
        try:
            return math.isclose(served, recomputed, rel_tol=FLOAT_TOLERANCE)
        except TypeError:  # a text where a number should be
            return False
    return bool(served == recomputed)


def differing_features(served: Values, recomputed: Values) -> list[str]:
    """Names of the features that both have and that are not equal."""
    return [
        name for name in served if name in recomputed and not values_equal(served[name], recomputed[name])
    ]


def compare_rows(
    rows: Sequence[ServedRow], recomputed: Sequence[Values], late: AbstractSet[int] = frozenset()
) -> tuple[FeatureSkew, ...]:
    """One comparison a feature, in the order of views and features as served.

    Args:
        rows: rows that were there (`event_at` is not None).
        recomputed: for each of them the feature store's values as of its event timestamp.
        late: places of rows whose differences an event that arrived later explains.
    """
    compared: dict[tuple[str, str], int] = {}
    explained: dict[tuple[str, str], int] = {}
    wrong: dict[tuple[str, str], list[Mismatch]] = {}
    for place, (row, values) in enumerate(zip(rows, recomputed, strict=True)):
        for name in row.values:
            if name in values:
                compared[row.view, name] = compared.get((row.view, name), 0) + 1
        for name in differing_features(row.values, values):
            if place in late:
                explained[row.view, name] = explained.get((row.view, name), 0) + 1
            else:
                wrong.setdefault((row.view, name), []).append(_mismatch(row, name, values[name]))
    return tuple(
        _feature(key, count, explained.get(key, 0), wrong.get(key, [])) for key, count in compared.items()
    )


def measure_staleness(rows: Sequence[ServedRow], stored: Sequence[StoredRows]) -> tuple[Staleness, ...]:
    """One summary a view; `stored` is what the lake holds for each row."""
    views: dict[str, list[tuple[ServedRow, StoredRows]]] = {}
    for row, newer in zip(rows, stored, strict=True):
        views.setdefault(row.view, []).append((row, newer))
    return tuple(_staleness(view, pairs) for view, pairs in views.items())


def _staleness(view: str, pairs: Sequence[tuple[ServedRow, StoredRows]]) -> Staleness:
    there = [(row.at, row.event_at, newer) for row, newer in pairs if row.event_at is not None]
    # A row that is newer than the lake's came by the stream and is not yet on the disk: it lags by nothing.
    lags = [
        max(0, newer.newest - event_at) if newer.newest is not None else 0 for _, event_at, newer in there
    ]
    overdue = [at - newer.first if newer.first is not None else 0 for at, _, newer in there]
    return Staleness(
        view=view,
        rows=len(pairs),
        behind=sum(lag > 0 for lag in lags),
        missing=sum(row.event_at is None and newer.newest is not None for row, newer in pairs),
        lag=_percentiles(np.array(lags) / 1e6),
        overdue=_percentiles(np.array(overdue) / 1e6),
    )


def _percentiles(seconds: DoubleArray) -> dict[str, float]:
    if not len(seconds):
        return {}
    found = {f"p{share}": float(np.percentile(seconds, share)) for share in PERCENTILES}
    return found | {"max": float(seconds.max())}


def _feature(key: tuple[str, str], compared: int, late: int, wrong: Sequence[Mismatch]) -> FeatureSkew:
    sizes = [mismatch.difference for mismatch in wrong if mismatch.difference is not None]
    return FeatureSkew(
        view=key[0],
        feature=key[1],
        compared=compared,
        mismatched=len(wrong),
        late=late,
        share=len(wrong) / compared,
        max_difference=max(sizes, default=0.0),
        examples=tuple(wrong[:EXAMPLES]),
    )


def _mismatch(row: ServedRow, name: str, recomputed: Any) -> Mismatch:
    served, event_at = row.values[name], row.event_at or 0
    return Mismatch(
        row.request_id, row.entity_id, event_at, served, recomputed, _difference(served, recomputed)
    )


def _difference(served: Any, recomputed: Any) -> float | None:
    numbers = all(isinstance(value, int | float) for value in (served, recomputed))
    return abs(float(served) - float(recomputed)) if numbers else None


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
