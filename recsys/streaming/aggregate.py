"""One step of the stream: a batch of events and what is known of its users -> what is to be written.

Pure: the caller reads the logs, commits the result and writes the rows online.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.features.event_log import IMPRESSION_CODE, EventLog
from recsys.features.user_activity import NO_DAYS_BESIDE, LatestActivity, latest_user_activity
from recsys.features.user_days import UserDays
from recsys.features.user_history import latest_user_history
from recsys.features.user_searches import latest_user_searches
from recsys.features.view_schemas import VIEW_SCHEMAS, instant_column
from recsys.ingest.cleaning.filters import REASONS, CodeArray
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.ingest.tables.live_rejects import LiveRejects
from recsys.streaming.batch import event_keys, read_batch
from recsys.streaming.cleaning import NO_REJECTS, clean_batch
from recsys.streaming.item_counter_deltas import item_deltas
from recsys.streaming.item_counters import ItemCounters, or_none
from recsys.streaming.user_logs.log import UserLogs, decode_logs, encode_logs, log_rows, merge_logs, trim_logs
from recsys.streaming.user_logs.searches import Searches, add_searches, decode_searches, encode_searches

Categories = Callable[[IntArray], IntArray]
"""Item keys (see `recsys.catalog.stable_key`) -> stable keys of their categories, 0 = none or unknown."""
NO_SEARCHES: Mapping[str, bytes] = {}


@dataclass(frozen=True)
class UserRows:
    """Feature rows of users, one a user and view, and the midnights at which they change next.

    Attributes:
        activity: rows of VIEW_SCHEMAS[user_activity].
        history, searches: rows of VIEW_SCHEMAS[user_history] and of VIEW_SCHEMAS[user_searches]; empty after
            `expire`: midnights do not change them.
        expires: user id -> microseconds of the next midnight at which the activity row changes;
            None = it does not change until a new event comes.
    """

    activity: pa.Table
    history: pa.Table
    searches: pa.Table
    expires: dict[str, int | None]


@dataclass(frozen=True)
class Aggregated:
    """What one batch comes to. Every row of the batch is in one of `kept`, `late` and `rejected`.

    Attributes:
        kept: clean events in the order of arrival, for the lake; cancellations are events like others.
        late: clean events that came later than the lateness allows: for the lake, and counted; features
            never see them, only cleaning looks back on them.
        rejected: the others, with a column `reason`: one of `recsys.ingest.cleaning.filters.REASONS`, or the
            mapping's own.
        logs: user id -> new log of each user whose log changed; of those in `beside` a part, as was given.
        added: user id -> what came to the log of each user in `beside` whose log changed.
        searches: user id -> new queries of each user who searched; each of them has a log as well.
        rows: of the users for whom something that features count was kept.
        deltas: what the batch adds to the counters of items.
        bots: users that this batch revealed as bots (new ones only).
    """

    kept: pa.Table
    late: pa.Table
    rejected: pa.Table
    logs: dict[str, bytes]
    added: dict[str, bytes]
    searches: dict[str, bytes]
    rows: UserRows
    deltas: ItemCounters
    bots: frozenset[str]


def aggregate(
    events: pa.Table,
    logs: Mapping[str, bytes],
    *,
    searches: Mapping[str, bytes] = NO_SEARCHES,
    categories: Categories,
    rules: CleaningRules,
    now: int,
    created: int,
    bots: frozenset[str],
    lateness: int,
    accepted_at: IntArray | None = None,
    label_kinds: Collection[str] = columns.ACTION_KINDS,
    rejects: LiveRejects = NO_REJECTS,
    beside: Mapping[str, UserDays] = NO_DAYS_BESIDE,
) -> Aggregated:
    """Cleans `events` and brings the logs, the users' rows and the counters of items up to date.

    Args:
        events: columns of EVENT_SCHEMA in the order of arrival, weight and sequence filled in; an event id
            that an earlier batch had must not come again (within the batch it is a duplicate).
        logs: user id -> log as the last commit left it; users without one may be absent.
        searches: the same of their queries, see `decode_searches` of `recsys.streaming.user_logs.searches`.
        now: microseconds of the clock.
        created: microseconds, the rows' created timestamp; `stamp_rows` changes it afterwards.
        bots: users known to be machines.
        lateness: microseconds that an event may come after it happened.
        accepted_at: (N,) microseconds at which each event was accepted; by default all at `now`. Clocks and
            lateness are judged by it, so that a batch that is done again has the same results.
        label_kinds: the actions that make an item popular.
        rejects: the mapping's own rules.
        beside: user id -> the days of events that the user's log does not hold, see `LongLog.excerpt` of
            `recsys.streaming.user_logs.long_log`.
    """
    batch = read_batch(events)
    accepted = np.full(len(batch), now) if accepted_at is None else accepted_at
    before = decode_logs(batch.users, logs)
    keys = event_keys(events, batch)
    cleaning = clean_batch(events, batch, keys, before, rules, accepted, bots, rejects)
    kept = cleaning.codes == 0
    late = kept & (batch.at < accepted - lateness)
    kept &= ~late
    counted = kept & batch.counted
    for_users = counted & (batch.kind != IMPRESSION_CODE)
    written = np.flatnonzero(for_users | cleaning.remembered)
    after = merge_logs(before, batch.user[written], log_rows(batch, keys, written, for_users[written]))
    for_features = after.counted()
    searched = add_searches(decode_searches(searches), events.filter(pa.array(kept & batch.is_search)))
    touched = np.concatenate([batch.user[written], batch.users_at(searched)])
    acted = for_features.of_users(batch.user[for_users])
    return Aggregated(
        kept=_chosen(events, kept),
        late=_chosen(events, late),
        rejected=_with_reasons(events, cleaning.codes, rejects),
        logs=encode_logs(trim_logs(after.of_users(touched), rules, bots | cleaning.bots)),
        added=_added(after, touched, beside),
        searches=encode_searches(searched),
        rows=_user_rows(acted, searched, categories, now, created, beside),
        deltas=item_deltas(batch, np.flatnonzero(counted), for_features, label_kinds),
        bots=cleaning.bots,
    )


def expire(
    logs: Mapping[str, bytes],
    *,
    categories: Categories,
    now: int,
    created: int,
    beside: Mapping[str, UserDays] = NO_DAYS_BESIDE,
) -> UserRows:
    """The activity rows of these users valid at `now`, though nothing new came from them.

    The event timestamp is the latest midnight up to `now` at which a window lost something, or the user's
    newest event if that is later: as the batch table has it.
    """
    log = decode_logs(sorted(logs), logs).event_log()
    latest = latest_user_activity(log, categories(log.item_keys), now, created, beside)
    history, searches = (
        VIEW_SCHEMAS[view].empty_table() for view in (columns.USER_HISTORY, columns.USER_SEARCHES)
    )
    return UserRows(latest.rows, history, searches, _expires(log, latest))


def user_rows(
    logs: Mapping[str, bytes],
    searches: Mapping[str, bytes],
    *,
    categories: Categories,
    now: int,
    created: int,
    beside: Mapping[str, UserDays] = NO_DAYS_BESIDE,
) -> UserRows:
    """All rows of these users valid at `now`, changed by midnights or not, as `aggregate` gave them last."""
    known = decode_logs(sorted(logs), logs)
    return _user_rows(known, decode_searches(searches), categories, now, created, beside)


def stamp_rows(rows: pa.Table, created: int) -> pa.Table:
    """Feature `rows` with another created timestamp, microseconds."""
    place = rows.column_names.index(columns.CREATED_TIMESTAMP)
    return rows.set_column(place, columns.CREATED_TIMESTAMP, instant_column(np.full(len(rows), created)))


def _user_rows(
    logs: UserLogs,
    searches: Searches,
    categories: Categories,
    now: int,
    created: int,
    beside: Mapping[str, UserDays],
) -> UserRows:
    log = logs.event_log()
    latest = latest_user_activity(log, categories(log.item_keys), now, created, beside)
    return UserRows(
        activity=latest.rows,
        history=latest_user_history(log, created),
        searches=latest_user_searches(searches, created),
        expires=_expires(log, latest),
    )


def _added(after: UserLogs, touched: IntArray, beside: Mapping[str, UserDays]) -> dict[str, bytes]:
    if not beside:
        return {}
    place = {user: at for at, user in enumerate(after.users)}
    long = np.array([place[user] for user in beside], np.int64)
    of_long = after.of_users(np.intersect1d(touched, long))
    return encode_logs(of_long.chosen(of_long.new))


def _expires(log: EventLog, latest: LatestActivity) -> dict[str, int | None]:
    until = dict(zip(log.users, or_none(latest.until), strict=True))
    return {user: until[user] for user in latest.rows[columns.USER_ID].to_pylist()}


def _chosen(events: pa.Table, rows: BoolArray) -> pa.Table:
    return events if rows.all() else events.filter(pa.array(rows))


def _with_reasons(events: pa.Table, codes: CodeArray, rejects: LiveRejects) -> pa.Table:
    rejected = np.flatnonzero(codes)
    reasons = pa.array((*REASONS, *rejects.reasons), pa.string()).take(
        pa.array(codes[rejected].astype(np.int64))
    )
    return events.take(pa.array(rejected)).append_column("reason", reasons)
