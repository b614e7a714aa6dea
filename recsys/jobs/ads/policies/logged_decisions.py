"""Served ads as a randomised experiment: which ad was drawn for a slot, how probably, and what came of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from recsys.ads.delivery.served_slot import ServedSlot
from recsys.ads.labels.slot_labels import SlotLabels
from recsys.arrays import BoolArray
from recsys.config import Settings
from recsys.errors import DataError, SchemaMismatchError, did_you_mean
from recsys.evaluation.off_policy.log import Gap, refuse_gaps
from recsys.instants import as_utc
from recsys.jobs.ads.policies.experiment_files import Experiment, ExperimentColumns, experiment_of
from recsys.jobs.ads.served_labels import read_served_labels
from recsys.jobs.search.judged_files.table_files import TableRows
from recsys.stores.served.ad_log_files import AdLogGap

_NAME = "the ad log"
_ITEM = "item"
_OF_SLOT: dict[str, Callable[[ServedSlot], object]] = {
    _ITEM: lambda slot: slot.item_id,
    "campaign": lambda slot: slot.campaign_id,
    "account": lambda slot: slot.account_id,
    "line": lambda slot: slot.line_id,
    "surface": lambda slot: slot.surface,
    "slot": lambda slot: slot.slot,
    "position": lambda slot: slot.position,
    "query": lambda slot: slot.query,
    "category": lambda slot: slot.category,
    "about_item": lambda slot: slot.about_item_id,
    "pricing": lambda slot: slot.pricing,
    "price_micros": lambda slot: slot.price_micros,
    "p_click": lambda slot: slot.p_click,
    "propensity": lambda slot: slot.propensity,
    "model": lambda slot: slot.model,
    "unit": lambda slot: slot.unit,
    "request": lambda slot: slot.request_id,
    "at": lambda slot: as_utc(slot.served_at).isoformat(),
}
_CLICKED, _PURCHASED, _VALUE = "clicked", "purchased", "value_micros"
OUTCOMES = (_CLICKED, _PURCHASED, _VALUE)
DECISION_COLUMNS = (*_OF_SLOT, *OUTCOMES)


@dataclass(frozen=True)
class LoggedSpan:
    """Slots that were served in [since, until), aware, as of `now`."""

    since: datetime
    until: datetime
    now: datetime


def read_decisions(
    settings: Settings, span: LoggedSpan, columns: ExperimentColumns, context: Collection[str] = ()
) -> Experiment:
    """The decisions of a home's ad log: a row for each slot that was seen and may be learned from.

    Args:
        columns: each of DECISION_COLUMNS. Rows of an outcome of purchases are those whose purchases can no
            longer change.
        context: further columns, by which a policy's file names rows.

    Raises:
        SchemaMismatchError: the log has no such column.
        DataError: the log lacks slots of that time, a file cannot be read, no row is left, or an arm had
            several items: a propensity is that of an item.
    """
    for name in (*columns.names, *context):
        if name not in DECISION_COLUMNS:
            raise SchemaMismatchError(
                f"the ad log has no column {name!r}.{did_you_mean(name, DECISION_COLUMNS)} "
                f"It has: {', '.join(DECISION_COLUMNS)}."
            )
    found = read_served_labels(settings, span.since, span.until, span.now)
    _refuse_lost_slots(found.gaps, span)
    labels = found.labels
    rows = labels.in_clicks if columns.outcome == _CLICKED else labels.in_purchases
    if not rows.any():
        seen, old = int((labels.viewable == 1).sum()), int(labels.settled.sum())
        raise DataError(
            f"the ad log has no row from {span.since.isoformat()} to {span.until.isoformat()}: of "
            f"{len(labels)} slots {seen} were seen and {old} are old enough to have a label. Name another "
            "time, and send impressions with `viewable`."
        )
    texts = _texts(labels, rows, {*columns.names, *context, _ITEM})
    _refuse_arms_of_several_items(columns.arm, texts)
    given = columns.given(context)
    table = TableRows(
        _NAME, {field: texts[name] for field, name in given.items()}, range(1, int(rows.sum()) + 1)
    )
    return experiment_of(table, columns)


def _texts(labels: SlotLabels, rows: BoolArray, names: Collection[str]) -> dict[str, list[str | None]]:
    places = np.flatnonzero(rows).tolist()
    outcomes = {_CLICKED: labels.clicked, _PURCHASED: labels.purchased, _VALUE: labels.value_micros}
    texts: dict[str, list[str | None]] = {}
    for name in names:
        cells: list[object] = (
            [int(outcomes[name][place]) for place in places]
            if name in outcomes
            else [_OF_SLOT[name](labels.slots[place]) for place in places]
        )
        texts[name] = [None if cell is None or cell == "" else str(cell) for cell in cells]
    return texts


def _refuse_arms_of_several_items(arm: str, texts: Mapping[str, Sequence[str | None]]) -> None:
    """Makes sure that each arm had one item: the probability of an arm of two is the sum of theirs."""
    item_of: dict[str | None, str | None] = {}
    for name, item in zip(texts[arm], texts[_ITEM], strict=True):
        if item_of.setdefault(name, item) != item:
            raise DataError(
                f"{arm} {name!r} had the items {item_of[name]!r} and {item!r}, but the log says with which "
                f"probability an item was shown. Use --arm {_ITEM}."
            )


def _refuse_lost_slots(gaps: Collection[AdLogGap], span: LoggedSpan) -> None:
    """Makes sure that nothing which was served in the time lacks; an unfinished line was never served."""
    lost = [gap for gap in gaps if gap.loses_slots]
    refuse_gaps(
        span.since,
        span.until,
        [Gap(str(gap), gap.since or span.since, gap.until or span.until) for gap in lost],
    )
