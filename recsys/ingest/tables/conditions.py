"""Tests of raw columns that a mapping states, as masks."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import BoolArray, Column
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
    for wanted, texts in ((True, condition.is_in), (False, condition.not_in)):
        if texts is not None:
            cells = as_text(column)
            found = pc.is_in(cells, value_set=pa.array([str(text) for text in texts], pa.string()))
            present = cells.is_valid().to_numpy(zero_copy_only=False)
            met &= (np.asarray(found) == wanted) & present
    bounds = (condition.above, condition.at_least, condition.at_most, condition.below)
    if any(bound is not None for bound in bounds):
        numbers = as_number(column)
        tests = (np.greater, np.greater_equal, np.less_equal, np.less)
        met &= numbers.ok
        for bound, test in zip(bounds, tests, strict=True):
            if bound is not None:
                met &= test(numbers.values, bound)
    return met


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
        cells = as_text(table[rule.column])
        known = list(rule.values)
        names += [rule.values[value] for value in known]
        found: Column = pc.index_in(cells, value_set=pa.array(known, pa.string()))
        places = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
        column = rule.column
    else:
        for place, case in enumerate(rule.cases, start=1):
            names.append(case.kind)
            places[(places == 0) & matches(case, table)] = place
        column = rule.cases[0].column
    if rule.otherwise is None:
        rejections.reject(places == 0, "unknown_kind", column, "has no kind in the mapping")
    return pa.array(names, pa.string()).take(places)
