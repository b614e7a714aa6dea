"""A user's days beside a part of the log give the row of the whole log."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.features.event_log import EventLog, find_taken_back, read_log
from recsys.features.user_activity import latest_user_activity, user_days
from recsys.features.user_days import NO_DAYS
from recsys.instants import to_micros
from tests.features.worlds import EVENTS, category_keys, table

LATER = st.sampled_from([timedelta(0), timedelta(days=1), timedelta(days=8), timedelta(days=91)])


def part(log: EventLog, which: np.ndarray, user: int | None = None) -> EventLog:
    names = log.users if user is None else (log.users[user],)
    chosen = {name: getattr(log, name)[which] for name in ("item", "kind", "at", "quantity", "value")}
    of = log.user[which] if user is None else np.zeros(int(which.sum()), np.int64)
    fields = ("item", "kind", "at", "quantity", "value")
    taken = (
        find_taken_back(of, *(chosen[name] for name in fields))
        if len(of)
        else log.taken_back.__class__(*[np.zeros(0, np.int64)] * 6)
    )
    return replace(log, users=names, user=of, taken_back=taken, **chosen)


@settings(deadline=None, max_examples=80)
@given(events=EVENTS, cut=st.integers(0, 20), later=LATER)
def test_days_and_the_last_events_of_a_log_are_the_whole_of_it(
    events: list[dict[str, Any]], cut: int, later: timedelta
) -> None:
    log = read_log(table(events))
    category = category_keys(log.item_keys)
    now = to_micros(max(row[columns.AT] for row in events) + later)
    whole = latest_user_activity(log, category, now, 0)
    # Items of which something was cancelled stay together.
    cancelled = np.isin(log.item, log.item[log.kind == columns.KIND_CODES[columns.CANCEL]])
    newest = np.array([log.user[place] not in log.user[place + 1 :] for place in range(len(log))], bool)
    kept = cancelled | newest | (np.arange(len(log)) >= len(log) - cut)
    beside = {}
    for user, name in enumerate(log.users):
        all_days, days = (
            user_days(part(log, which & (log.user == user), user), category)
            for which in (np.ones(len(log), bool), kept)
        )
        beside[name] = all_days.plus(days, -1)
        assert beside[name].plus(days).kinds.sums.tolist() == all_days.kinds.sums.tolist()
    found = latest_user_activity(part(log, kept), category, now, 0, beside)
    assert found.rows.equals(whole.rows)
    np.testing.assert_array_equal(found.until, whole.until)


def test_days_of_which_nothing_is_left_go() -> None:
    log = read_log(table([]))
    assert user_days(replace(log, users=("u",)), log.item_keys).kinds.keys.shape == (0, 2)
    assert NO_DAYS.plus(NO_DAYS).since(3).fits
