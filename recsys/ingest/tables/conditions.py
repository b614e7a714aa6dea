"""Tests of raw columns that a mapping states, as masks."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import BoolArray, Column, IntArray
from recsys.ingest.mapping.event_sources import KindRule
from recsys.ingest.mapping.sources import Condition, Reject
from recsys.ingest.raw.cells import as_number, as_text
from recsys.ingest.tables.rejections import RowRejections


def matches(condition: Condition, table: pa.Table) -> BoolArray:
    """(N,) bool: the rows of `table` that meet `condition`."""
    column = table[condition.column]
    met = np.ones(len(table), bool)
    if condition.missing is not None:
        met &= as_text(column).is_null().to_numpy(zero_copy_only=False) == condition.missing
    for wanted, values in ((True, condition.is_in), (False, condition.not_in)):
        if values is not None:
            cells = as_text(column)
            met &= (_is_in(cells, values) == wanted) & np.asarray(cells.is_valid())
    bounds = (condition.above, condition.at_least, condition.at_most, condition.below)
    if any(bound is not None for bound in bounds):
        numbers = as_number(column)
        tests = (np.greater, np.greater_equal, np.less_equal, np.less)
        met &= numbers.ok
        for bound, test in zip(bounds, tests, strict=True):
            if bound is not None:
                met &= test(numbers.values, bound)
    return met


def _is_in(cells: Column, values: Sequence[str | bool | int | float]) -> BoolArray:
    """(N,) bool: texts that are one of `values`; numbers and booleans are compared as what they are."""
    # A whole number that a float cannot hold, such as a long id, is compared as a text.
    texts = [str(value) for value in values if isinstance(value, str) or abs(value) > 2**53]
    found = np.asarray(pc.is_in(cells, value_set=pa.array(texts, pa.string())))
    booleans = [text.casefold() for text in texts if text.casefold() in ("true", "false")]
    if booleans:
        found |= np.asarray(pc.is_in(pc.utf8_lower(cells), value_set=pa.array(booleans)))
    numbers = [float(value) for value in values if not isinstance(value, str) and abs(value) <= 2**53]
    if numbers:
        parsed = as_number(cells)
        found |= parsed.ok & np.isin(parsed.values, numbers)
    return found


def all_hold(conditions: Iterable[Condition], table: pa.Table) -> BoolArray:
    """(N,) bool: the rows that meet every condition."""
    met = np.ones(len(table), bool)
    for condition in conditions:
        met &= matches(condition, table)
    return met


def any_holds(conditions: Iterable[Condition], table: pa.Table) -> BoolArray:
    """(N,) bool: the rows that meet at least one condition."""
    met = np.zeros(len(table), bool)
    for condition in conditions:
        met |= matches(condition, table)
    return met


def apply_reject_rules(rejects: Iterable[Reject], table: pa.Table, rejections: RowRejections) -> None:
    """Rejects what the mapping's own rules reject."""
    for rule in rejects:
        rejections.reject(
            all_hold(rule.when, table), rule.reason, rule.when[0].column, "is rejected by the mapping"
        )


def kinds_of(rule: KindRule, table: pa.Table, rejections: RowRejections) -> Column:
    """(N,) kinds as texts, null where rejected."""
    count = len(table)
    if rule.fixed is not None:
        return pa.repeat(rule.fixed, count)
    names: list[str | None] = [rule.otherwise]
    places = np.zeros(count, np.int64)
    if rule.column is not None:
        known = list(rule.values)
        names += [rule.values[value] for value in known]
        places = _looked_up(as_text(table[rule.column]), known) + 1
        column = rule.column
    else:
        for place, case in enumerate(rule.cases, start=1):
            names.append(case.kind)
            places[(places == 0) & matches(case, table)] = place
        column = rule.cases[0].column
    if rule.otherwise is None:
        rejections.reject(places == 0, "unknown_kind", column, "has no kind in the mapping")
    return pa.array(names, pa.string()).take(places)


def _looked_up(cells: Column, known: Sequence[str]) -> IntArray:
    """(N,) int64: the place of each cell in `known`, -1 where it is none of them.

    Keys of a mapping are texts always, so what is not found is tried again as what it may mean: `1.0` as the
    key 1, and TRUE as the key true.
    """
    keys = pa.array(known, pa.string())
    found = pc.index_in(cells, value_set=keys)
    if found.null_count > cells.null_count:
        whole = pc.replace_substring_regex(cells, r"^(-?\d+)\.0+$", r"\1")
        found = pc.coalesce(found, pc.index_in(whole, value_set=keys))
        booleans = pa.array(
            [key.casefold() if key.casefold() in ("true", "false") else None for key in known]
        )
        lowered = pc.index_in(pc.utf8_lower(cells), value_set=booleans.cast(pa.string()), skip_nulls=True)
        found = pc.coalesce(found, lowered)
    places = found.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.asarray(places, np.int64)
