"""Whatever comes in any order and batches: the rows online are those of the batch tables."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.features.event_log import read_log
from recsys.features.item_engagement import item_engagement
from recsys.features.user_activity import user_activity
from recsys.features.user_history import user_history
from recsys.streaming.item_counters import decay_popularity, decode_counters
from tests.features.reference import item_engagement_as_of, user_activity_as_of, user_history_as_of
from tests.features.worlds import CATEGORIES, EVENTS, category_keys, known, row_at, table
from tests.streaming.replayed import Replayed, canonical, micros

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
USERS = ("u1", "u2")
DELAYS = st.lists(
    st.sampled_from([0 * DAY, 0 * DAY, HOUR, 2 * DAY, 89 * DAY]), min_size=len(USERS) * 20, max_size=40
)
CUTS = st.lists(st.booleans(), min_size=40, max_size=40)
LATER = st.sampled_from([0 * DAY, HOUR, DAY, 8 * DAY, 91 * DAY, 92 * DAY])


def arriving(rows: Sequence[dict[str, Any]], delays: Sequence[timedelta]) -> list[dict[str, Any]]:
    """`rows` in the order in which they arrive, each with its `arrives`, numbered in that order."""
    late = [{**row, "arrives": row[columns.AT] + delay} for row, delay in zip(rows, delays, strict=False)]
    late.sort(key=lambda row: row["arrives"])
    return [{**row, columns.SEQUENCE: place} for place, row in enumerate(late)]


def batches(rows: Sequence[dict[str, Any]], cuts: Sequence[bool]) -> list[list[dict[str, Any]]]:
    """`rows` cut before each place that `cuts` marks."""
    parts: list[list[dict[str, Any]]] = []
    for row, cut in zip(rows, cuts, strict=False):
        if cut or not parts:
            parts.append([])
        parts[-1].append(row)
    return parts


def latest_at(view: pa.Table, join_key: str, entity: str, at: datetime) -> datetime | None:
    instants = [
        row[columns.EVENT_TIMESTAMP]
        for row in view.to_pylist()
        if row[join_key] == entity and row[columns.EVENT_TIMESTAMP] <= at
    ]
    return max(instants, default=None)


def assert_equal(stream: Replayed, rows: Sequence[dict[str, Any]], at: datetime) -> None:
    """Every row online against the reference and the batch tables of all events, at the instant `at`."""
    log = read_log(table([{name: row[name] for name in table([]).column_names} for row in rows]))
    batch: Mapping[str, pa.Table] = {
        columns.USER_ACTIVITY: user_activity(log, category_keys(log.item_keys), 0),
        columns.USER_HISTORY: user_history(log, 0),
        columns.ITEM_ENGAGEMENT: item_engagement(log, 0),
    }
    expected = {
        (columns.USER_ACTIVITY, user): user_activity_as_of(rows, CATEGORIES, user, at) for user in USERS
    }
    expected |= {(columns.USER_HISTORY, user): user_history_as_of(rows, user, at) for user in USERS}
    expected |= {
        (columns.ITEM_ENGAGEMENT, item): item_engagement_as_of(rows, item, at) for item in sorted(CATEGORIES)
    }
    for (view, entity), reference in expected.items():
        join_key = columns.ITEM_ID if view == columns.ITEM_ENGAGEMENT else columns.USER_ID
        found, written_at = stream.features(view, entity)
        assert found == row_at(batch[view], join_key, entity, at)
        assert known(found, reference) == reference
        assert written_at == latest_at(batch[view], join_key, entity, at)


@pytest.mark.parametrize("length", [2, 200])
@settings(deadline=None, max_examples=80)
@given(events=EVENTS, delays=DELAYS, cuts=CUTS, ticks=CUTS, later=LATER)
def test_any_batches_in_any_order_give_the_rows_of_the_batch_tables(
    length: int,
    events: list[dict[str, Any]],
    delays: list[timedelta],
    cuts: list[bool],
    ticks: list[bool],
    later: timedelta,
) -> None:
    rows = arriving(events, delays)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "HISTORY_LENGTH", length)
        stream = Replayed()
        for part, tick in zip(batches(rows, cuts), ticks, strict=False):
            now = part[-1]["arrives"]
            if tick:
                stream.tick(now)
            step = stream.process(part, now)
            assert len(step.kept) == len(part)
        at = rows[-1]["arrives"] + later
        stream.tick(at)
        assert_equal(stream, rows, at)


@settings(deadline=None, max_examples=50)
@given(events=EVENTS, delays=DELAYS, cuts=CUTS, later=LATER, seed=st.integers(0, 1000))
def test_items_add_up_from_partitions_in_any_interleaving(
    events: list[dict[str, Any]], delays: list[timedelta], cuts: list[bool], later: timedelta, seed: int
) -> None:
    rows = arriving(events, delays)
    stream = Replayed()
    deltas = []
    for user in USERS:
        own = [row for row in rows if row[columns.USER_ID] == user]
        for part in batches(own, cuts):
            deltas.append(stream.users(part, part[-1]["arrives"]).deltas)
    at = rows[-1]["arrives"] + later
    for place in np.random.default_rng(seed).permutation(len(deltas)):
        stream.items(deltas[place], at)
    stream.tick(at)
    assert_equal(stream, rows, at)


@settings(deadline=None, max_examples=50)
@given(events=EVENTS, delays=DELAYS, cuts=CUTS)
def test_popularity_is_the_decayed_weight_of_the_actions_that_stand(
    events: list[dict[str, Any]], delays: list[timedelta], cuts: list[bool]
) -> None:
    rows = arriving(events, delays)
    stream = Replayed()
    for part in batches(rows, cuts):
        stream.process(part, part[-1]["arrives"])
    now = micros(rows[-1]["arrives"])
    log = read_log(table([{name: row[name] for name in table([]).column_names} for row in rows]))
    stands = log.is_action & (log.undone_at > now)
    expected = {
        item: sum(
            2.0 ** -((now - log.at[place]) / (14 * 86_400_000_000)) for place in np.flatnonzero(of_item)
        )
        for item, of_item in ((item, stands & (log.item == rank)) for rank, item in enumerate(log.items))
    }
    counters = decode_counters(stream.counters)
    found = dict(zip(counters.items, decay_popularity(counters.popularity, now).tolist(), strict=True))
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_canonical_rows_have_every_column() -> None:
    assert tuple(canonical([]).column_names) == columns.EVENT_COLUMNS
