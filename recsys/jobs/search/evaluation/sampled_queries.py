"""Queries of the shop's own log, sampled by demand, and what was clicked for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.config import Settings
from recsys.errors import DataError
from recsys.evaluation.search.click_judgments import estimate_from_clicks, judgments_from_clicks
from recsys.evaluation.search.demand_sample import DemandSample, sample_by_demand
from recsys.evaluation.search.judgments import JudgedPairs
from recsys.jobs.search.judged_files.click_logs import ClickLog, LoggedItem, click_log, one_query
from recsys.jobs.search.judged_files.judged_sets import ReadingOptions
from recsys.stores.lake.event_lake import open_lake

_SEARCH = (columns.KIND, columns.QUERY, columns.QUERY_ID, columns.REQUEST_ID, columns.PAGE)
_SHOWN = (columns.KIND, columns.ITEM_ID, columns.QUERY_ID, columns.REQUEST_ID, columns.POSITION)


@dataclass(frozen=True)
class LoggedQueries:
    """The searches of a log.

    Attributes:
        texts: query id -> text. counts: text as `one_query` has it -> how many searches asked for it.
        written: that text -> as it was typed first.
    """

    texts: Mapping[str, str]
    counts: Mapping[str, int]
    written: Mapping[str, str]


def read_logged_queries(settings: Settings) -> LoggedQueries:
    """All searches of the shop; one query_id counts once, further pages not at all.

    A search of a log without query ids is known by its request_id, and one without either counts for itself.

    Raises:
        DataError: nothing was imported, or nobody searched.
    """
    events = open_lake(settings.paths).read(columns=list(_SEARCH))
    events = events.filter(pc.equal(events[columns.KIND], columns.SEARCH))
    first = pc.fill_null(pc.less_equal(events[columns.PAGE], 1), True)
    events = events.filter(first)
    if not len(events):
        raise DataError("the log has no searches. Send `search` events, or pass --queries and --judgments.")
    ids = pc.coalesce(events[columns.QUERY_ID], events[columns.REQUEST_ID]).to_pylist()
    texts: dict[str, str] = {}
    counts: dict[str, int] = {}
    written: dict[str, str] = {}
    for row, (query_id, text) in enumerate(zip(ids, events[columns.QUERY].to_pylist(), strict=True)):
        name = query_id if query_id is not None else f"\x00{row}"
        key = one_query(text or "")
        if name in texts or not key:
            continue
        texts[name] = text
        counts[key] = counts.get(key, 0) + 1
        written.setdefault(key, text.strip())
    if not counts:
        raise DataError("no search of the log has a text. Send `search` events with their query.")
    return LoggedQueries(texts, counts, written)


def sample_queries(logged: LoggedQueries, size: int, seed: int) -> tuple[list[str], DemandSample]:
    """Keys of sampled queries, in the order of the sample's rows; see `sample_by_demand`."""
    keys = sorted(logged.counts)
    counts = np.array([logged.counts[key] for key in keys], np.int64)
    sample = sample_by_demand(counts, size, np.random.default_rng(seed))
    return [keys[row] for row in sample.rows.tolist()], sample


def read_click_log(settings: Settings, logged: LoggedQueries) -> ClickLog:
    """What searches showed and what of it was clicked.

    Raises:
        DataError: no impression or click has a position and names its search.
    """
    events = open_lake(settings.paths).read(columns=list(_SHOWN))
    impressions = _items(events, columns.IMPRESSION)
    clicks = _items(events, columns.CLICK)
    known = logged.texts
    # Of recommendations neither the query nor the request is a search's.
    impressions, clicks = (
        [each for each in items if each.query_id in known] for items in (impressions, clicks)
    )
    return click_log(known, impressions, clicks)


def clicked_sample(
    logged: LoggedQueries, keys: Sequence[str], sample: DemandSample, log: ClickLog, options: ReadingOptions
) -> JudgedPairs:
    """Judgments from clicks for the sampled queries, with their weights.

    The click model learns from all queries; only the sampled ones become judgments. Sampled queries without a
    pair that was shown often enough have none: the note says which share of the searches that is.

    Raises:
        DataError: no pair of a sampled query was shown often enough.
    """
    found = judgments_from_clicks(
        estimate_from_clicks(log.shown),
        log.queries,
        log.queries,
        log.items,
        options.least_shown,
        options.click_grade,
    )
    place = {key: row for row, key in enumerate(keys)}
    kept = np.array([key in place for key in found.queries], np.bool_)
    if not kept.any():
        raise DataError(
            f"none of {len(keys)} sampled queries has an item that was shown {options.least_shown} times. "
            "Sample more queries, judge them by hand (`recsys search sample`), or lower --least-shown."
        )
    rows = np.flatnonzero(kept)
    moved = np.full(len(kept), -1)
    moved[rows] = np.arange(len(rows))
    pairs = kept[found.pair_query]
    own = np.array([place[found.queries[row]] for row in rows.tolist()])
    covered = float(sample.weights[own].sum() / sample.weights.sum())
    note = (
        f"{len(rows)} of {len(keys)} sampled queries have judgments from clicks; they stand for "
        f"{covered:.1%} of {sample.searches:,} searches (head: {int(sample.head.sum())} queries, "
        f"{sample.head_share:.1%})"
    )
    return replace(
        found,
        query_ids=tuple(found.query_ids[row] for row in rows.tolist()),
        queries=tuple(logged.written[found.queries[row]] for row in rows.tolist()),
        pair_query=moved[found.pair_query[pairs]],
        pair_item=tuple(np.array(found.pair_item, object)[pairs].tolist()),
        grades=found.grades[pairs],
        weights=sample.weights[own],
        strata=sample.strata[own],
        notes=(*log.notes, *found.notes, note),
    )


def _items(events: pa.Table, kind: str) -> list[LoggedItem]:
    part = events.filter(pc.equal(events[columns.KIND], kind))
    ids = pc.coalesce(part[columns.QUERY_ID], part[columns.REQUEST_ID])
    part = part.append_column("named", ids).filter(pc.is_valid(ids))
    names, items = part["named"].to_pylist(), part[columns.ITEM_ID].to_pylist()
    return [
        LoggedItem(query_id, item, position)
        for query_id, item, position in zip(names, items, part[columns.POSITION].to_pylist(), strict=True)
    ]
