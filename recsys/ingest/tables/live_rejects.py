"""The reject rules of a mapping over live events, as far as these say what a rule asks for.

A rule tests raw columns of files. A live event has no raw row, but what the mapping takes from a column as
it is, the event says too: user, item, session, query and its id, request, surface, the event's id, what a
search found, what a page measured, the token, quantity, money of the line, and the kind where one value
stands for it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.amounts import PIECE
from recsys.arrays import Column, IntArray
from recsys.ingest.mapping.event_sources import EventSource, KindRule
from recsys.ingest.mapping.sources import Condition
from recsys.ingest.raw.cells import MICROS
from recsys.ingest.tables.conditions import all_hold

_Cells = Callable[[pa.Table], Column]


@dataclass(frozen=True)
class _Rule:
    """One rule.

    Attributes:
        kinds: that the rule's files may hold.
        when: all of these hold for what is rejected.
        cells: raw column -> its cells as they would be of canonical events.
    """

    kinds: frozenset[str]
    when: tuple[Condition, ...]
    cells: Mapping[str, _Cells]


@dataclass(frozen=True)
class LiveRejects:
    """Rules by which live events are rejected, with the reason of each."""

    reasons: tuple[str, ...] = ()
    rules: tuple[_Rule, ...] = ()

    def places(self, events: pa.Table) -> IntArray:
        """(N,) number, from 1, of the first rule that rejects each of canonical `events`; 0 = none does."""
        found = np.zeros(len(events), np.int64)
        for number, rule in enumerate(self.rules, start=1):
            kinds = pa.array(sorted(rule.kinds), pa.string())
            raw = pa.table({name: cells(events) for name, cells in rule.cells.items()})
            met = all_hold(rule.when, raw) & np.asarray(pc.is_in(events[columns.KIND], value_set=kinds))
            found[met & (found == 0)] = number
        return found


def live_rejects(sources: Sequence[EventSource]) -> LiveRejects:
    """The rules of `sources` that live events can be judged by; the others are for files only."""
    found = [
        (rule.reason, _Rule(_kinds(source.kind), rule.when, cells))
        for source in sources
        for rule in source.reject
        if (cells := _cells(source, {condition.column for condition in rule.when})) is not None
    ]
    return LiveRejects(tuple(reason for reason, _ in found), tuple(rule for _, rule in found))


def _kinds(rule: KindRule) -> frozenset[str]:
    named = (rule.fixed, rule.otherwise, *rule.values.values(), *(case.kind for case in rule.cases))
    return frozenset(name for name in named if name is not None)


def _cells(source: EventSource, wanted: Collection[str]) -> dict[str, _Cells] | None:
    """The cells of the raw columns `wanted`; None unless live events say what all of them would hold."""
    known: dict[str | None, _Cells] = {
        source.user: _column(columns.USER_ID),
        source.item: _column(columns.ITEM_ID),
        source.session: _column(columns.SESSION_ID),
        source.query: _column(columns.QUERY),
        source.request: _column(columns.REQUEST_ID),
        source.event_id: _column(columns.EVENT_ID),
        source.query_id: _column(columns.QUERY_ID),
        source.surface: _column(columns.SURFACE),
        source.results: _number(columns.RESULTS, 1),
        source.visible_ms: _number(columns.VISIBLE_MS, 1),
        source.viewable: _column(columns.VIEWABLE),
        source.token: _column(columns.TOKEN),
    }
    if source.quantity is not None:
        known[source.quantity.column] = _number(columns.QUANTITY, PIECE)
    if source.value is not None and source.value.per == "line":
        known[source.value.column] = _number(columns.VALUE_MICROS, MICROS * source.value.scale)
    raw_kinds = {kind: raw for raw, kind in source.kind.values.items()}
    if len(raw_kinds) == len(source.kind.values) and source.kind.otherwise is None:
        known[source.kind.column] = _raw_kind(raw_kinds)
    return {name: known[name] for name in wanted} if known.keys() >= set(wanted) else None


def _column(name: str) -> _Cells:
    return lambda events: events[name]


def _number(name: str, divisor: float) -> _Cells:
    return lambda events: pc.divide(events[name].cast(pa.float64()), divisor)


def _raw_kind(raw: Mapping[str, str]) -> _Cells:
    kinds, values = pa.array(list(raw), pa.string()), pa.array(list(raw.values()), pa.string())
    return lambda events: values.take(pc.index_in(events[columns.KIND], value_set=kinds))
