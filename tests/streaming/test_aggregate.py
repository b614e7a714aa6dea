"""One step of the stream by hand: what is kept, refused, late, remembered, and when a row changes next."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns, instants
from recsys.catalog import stable_key
from recsys.errors import DataError
from recsys.ingest.cleaning.clean import clean
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.instants import to_micros
from recsys.streaming.aggregate import stamp_rows
from recsys.streaming.item_counters import decode_counters
from recsys.streaming.user_logs.log import LOG_DTYPE, decode_logs
from tests.features.worlds import START, event
from tests.streaming.replayed import EVERYTHING, Replayed, canonical

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
NOON = START + 12 * HOUR


def numbered(*rows: dict[str, Any], first: int = 0) -> list[dict[str, Any]]:
    return [{**row, columns.SEQUENCE: place} for place, row in enumerate(rows, start=first)]


def reasons(rejected: Any) -> dict[int, str]:
    return dict(zip(rejected[columns.SEQUENCE].to_pylist(), rejected["reason"].to_pylist(), strict=True))


def test_an_event_changes_the_rows_of_its_user_and_its_item() -> None:
    stream = Replayed()
    step = stream.process(numbered(event(columns.VIEW, NOON)), NOON)
    assert len(step.kept) == 1
    activity, at = stream.features(columns.USER_ACTIVITY, "u1")
    assert activity is not None
    assert (activity["view_count_1d"], at) == (1, NOON)
    item, _ = stream.features(columns.ITEM_ENGAGEMENT, "i1")
    assert item is not None
    assert item["item_view_count_1d"] == 1


def test_a_count_falls_at_each_midnight_that_a_window_ends_with() -> None:
    stream = Replayed()
    stream.process(numbered(event(columns.VIEW, NOON)), NOON)
    seen = []
    while (due := stream.user_expires["u1"]) is not None:
        assert stream.item_expires["i1"] == due
        midnight = START + timedelta(microseconds=due - to_micros(START))
        stream.tick(midnight + HOUR)
        activity, at = stream.features(columns.USER_ACTIVITY, "u1")
        assert activity is not None
        assert at == midnight
        seen.append(((midnight - START).days, [activity[f"view_count_{days}d"] for days in (1, 7, 30, 90)]))
    assert seen == [(2, [0, 1, 1, 1]), (8, [0, 0, 1, 1]), (31, [0, 0, 0, 1]), (91, [0, 0, 0, 0])]


def test_a_late_event_counts_on_its_own_day_and_the_row_keeps_its_instant() -> None:
    stream = Replayed(lateness=7 * instants.DAY)
    stream.process(numbered(event(columns.VIEW, NOON)), NOON)
    stream.process(numbered(event(columns.VIEW, NOON - 3 * DAY, item="i2"), first=1), NOON + HOUR)
    activity, at = stream.features(columns.USER_ACTIVITY, "u1")
    assert activity is not None
    assert (activity["view_count_1d"], activity["view_count_7d"], at) == (1, 2, NOON)
    history, at = stream.features(columns.USER_HISTORY, "u1")
    assert history is not None
    seconds = to_micros(NOON) // instants.SECOND
    assert (history[columns.HISTORY_AT], at) == ([seconds - 3 * 86_400, seconds], NOON)


def test_an_event_beyond_the_lateness_goes_to_the_lake_and_nowhere_else() -> None:
    stream = Replayed(lateness=7 * instants.DAY)
    step = stream.process(numbered(event(columns.VIEW, NOON - 8 * DAY), event(columns.VIEW, NOON)), NOON)
    assert step.late[columns.SEQUENCE].to_pylist() == [0]
    assert step.kept[columns.SEQUENCE].to_pylist() == [1]
    activity, _ = stream.features(columns.USER_ACTIVITY, "u1")
    item, _ = stream.features(columns.ITEM_ENGAGEMENT, "i1")
    assert activity is not None
    assert item is not None
    assert (activity["view_count_30d"], item["item_view_count_30d"]) == (1, 1)


def test_lateness_is_judged_by_when_an_event_was_accepted_and_not_by_a_worker_that_was_away() -> None:
    stream = Replayed(lateness=7 * instants.DAY)
    accepted = {**event(columns.VIEW, NOON), "arrives": NOON + HOUR}
    assert len(stream.process(numbered(accepted), NOON + 30 * DAY).late) == 0


def test_a_cancel_takes_a_purchase_back_and_stays_an_event() -> None:
    stream = Replayed()
    bought = event(columns.PURCHASE, NOON, value_micros=5_000_000)
    stream.process(numbered(bought), NOON)
    step = stream.process(numbered(event(columns.CANCEL, NOON + HOUR), first=1), NOON + HOUR)
    assert step.kept[columns.KIND].to_pylist() == [columns.CANCEL]
    activity, _ = stream.features(columns.USER_ACTIVITY, "u1")
    item, _ = stream.features(columns.ITEM_ENGAGEMENT, "i1")
    assert activity is not None
    assert item is not None
    assert (activity["purchase_count_7d"], activity["purchase_value_micros_7d"]) == (0, 0)
    assert item["item_purchase_count_7d"] == 0
    assert decode_counters(stream.counters).popularity.tolist() == [0.0]


def test_a_late_purchase_that_a_cancel_meant_gives_the_other_one_back() -> None:
    stream = Replayed()
    stream.process(numbered(event(columns.PURCHASE, NOON)), NOON)
    stream.process(numbered(event(columns.CANCEL, NOON + 3 * HOUR), first=1), NOON + 3 * HOUR)
    late = numbered(event(columns.PURCHASE, NOON + DAY - 22 * HOUR), first=2)
    step = stream.process(late, NOON + 4 * HOUR)
    assert step.deltas.counts.sum() == 1  # the first stands again, the late one is undone
    item, _ = stream.features(columns.ITEM_ENGAGEMENT, "i1")
    assert item is not None
    assert item["item_purchase_count_7d"] == 1


def test_cancels_without_a_purchase_stay_too_for_one_may_still_come() -> None:
    stream = Replayed()
    assert len(stream.process(numbered(event(columns.CANCEL, NOON)), NOON).kept) == 1
    stream.process(numbered(event(columns.PURCHASE, NOON - HOUR), first=1), NOON)
    activity, _ = stream.features(columns.USER_ACTIVITY, "u1")
    assert activity is not None
    assert activity["purchase_count_7d"] == 0


def test_the_same_id_within_a_batch_and_clocks_that_cannot_be_true_are_refused() -> None:
    stream = Replayed()
    step = stream.process(
        numbered(
            event(columns.VIEW, NOON, event_id="a"),
            event(columns.LIKE, NOON, event_id="a"),
            event(columns.VIEW, NOON + HOUR),
            event(columns.VIEW, NOON - 50 * 365 * DAY),
        ),
        NOON,
    )
    assert reasons(step.rejected) == {1: "duplicate", 2: "future_time", 3: "absurd_time"}


def test_a_double_click_is_refused_in_the_next_batch_too_and_so_is_one_that_comes_before() -> None:
    stream = Replayed(CleaningRules())
    clicks = [event(columns.CLICK, NOON + step * SECOND / 2) for step in range(4)]
    stream.process(numbered(clicks[1]), NOON + HOUR)
    step = stream.process(numbered(clicks[2], clicks[3], first=1), NOON + HOUR)
    assert set(reasons(step.rejected).values()) == {"near_duplicate"}
    step = stream.process(numbered(clicks[0], first=3), NOON + HOUR)
    assert reasons(step.rejected) == {3: "near_duplicate"}


def test_searches_are_alike_only_if_the_words_are() -> None:
    stream = Replayed(CleaningRules(near_duplicate_seconds={columns.SEARCH: 5.0}))
    searches = [event(columns.SEARCH, NOON, query=query, item_id=None) for query in ("tea", "rye", "tea")]
    stream.process(numbered(*searches[:2]), NOON)
    step = stream.process(numbered(searches[2], first=2), NOON)
    assert reasons(step.rejected) == {2: "near_duplicate"}
    assert {view for view, _ in stream.online} == {columns.USER_SEARCHES}


def test_a_machine_is_refused_from_the_event_that_betrays_it_and_for_ever() -> None:
    stream = Replayed(CleaningRules(bot_events_per_minute=3, near_duplicate_seconds={}))
    burst = [event(columns.VIEW, NOON + step * SECOND) for step in range(5)]
    stream.process(numbered(*burst[:2]), NOON + HOUR)
    step = stream.process(numbered(*burst[2:], first=2), NOON + HOUR)
    assert reasons(step.rejected) == {3: "bot", 4: "bot"}
    assert step.bots == {"u1"}
    step = stream.process(numbered(event(columns.PURCHASE, NOON + HOUR), first=5), NOON + HOUR)
    assert reasons(step.rejected) == {5: "bot"}
    assert step.bots == frozenset()
    again = [event(columns.VIEW, NOON + HOUR + step * SECOND) for step in range(5)]
    assert stream.process(numbered(*again, first=6), NOON + 2 * HOUR).bots == frozenset()
    activity, _ = stream.features(columns.USER_ACTIVITY, "u1")
    assert activity is not None
    assert activity["view_count_1d"] == 3


def found_in_batches(
    rules: CleaningRules, events: list[dict[str, Any]], size: int, lateness: int = 90 * instants.DAY
) -> dict[int, str]:
    """Reasons by sequence, when `events` come by `size`."""
    replayed = Replayed(rules, lateness)
    found: dict[int, str] = {}
    for start in range(0, len(events), size):
        found |= reasons(replayed.process(events[start : start + size], NOON + DAY).rejected)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_what_repeats_a_machine_is_a_near_duplicate_in_any_batch_as_in_an_import(size: int) -> None:
    rules = CleaningRules(bot_events_per_minute=3, near_duplicate_seconds={columns.VIEW: 5.0})
    seconds_and_items = [
        (0, "i1"),
        (1, "i2"),
        (2, "i3"),
        (3, "i4"),  # the fourth within a minute
        (4, "i4"),  # 1 s after what a machine did
        (8, "i4"),  # 4 s after that near duplicate
        (14, "i4"),  # 6 s after it
        (14, "i5"),
        (15, "i4"),
        (19, "i5"),
        (7200, "i5"),  # known from hours ago
        (7201, "i5"),
    ]
    events = numbered(
        *(event(columns.VIEW, NOON + second * SECOND, item=item) for second, item in seconds_and_items),
        event(columns.PURCHASE, NOON + 7202 * SECOND, item="i5"),
        event(columns.PURCHASE, NOON + 7202 * SECOND, item="i5"),
    )
    expected = {place: "bot" for place in (3, 6, 7, 10, 12, 13)}
    expected |= {place: "near_duplicate" for place in (4, 5, 8, 9, 11)}
    assert found_in_batches(rules, events, size) == expected
    assert reasons(clean(canonical(events), rules, to_micros(NOON + DAY)).rejected) == expected


@pytest.mark.parametrize("size", [1, 100])
def test_a_machine_that_searches_repeats_itself_only_with_the_same_words(size: int) -> None:
    rules = CleaningRules(
        bot_events_per_minute=1, near_duplicate_seconds={columns.SEARCH: 5.0}, bot_kinds=(columns.VIEW,)
    )
    events = numbered(
        event(columns.VIEW, NOON),
        event(columns.VIEW, NOON + SECOND),
        event(columns.SEARCH, NOON + 2 * SECOND, query="tea", item_id=None),
        event(columns.SEARCH, NOON + 3 * SECOND, query="rye", item_id=None),
        event(columns.SEARCH, NOON + 4 * SECOND, query="tea", item_id=None),
    )
    expected = {1: "bot", 2: "bot", 3: "bot", 4: "near_duplicate"}
    assert found_in_batches(rules, events, size) == expected
    assert reasons(clean(canonical(events), rules, to_micros(NOON + DAY)).rejected) == expected


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_near_duplicate_of_yesterday_does_not_count_today(size: int) -> None:
    rules = CleaningRules(bot_events_per_minute=2, near_duplicate_seconds={columns.VIEW: 1.0})
    midnight = START + DAY
    events = numbered(
        event(columns.VIEW, midnight - SECOND / 2),
        event(columns.VIEW, midnight),
        event(columns.VIEW, midnight + 10 * SECOND),
        event(columns.VIEW, midnight + 20 * SECOND),
        event(columns.VIEW, midnight + 30 * SECOND),
    )
    expected = {1: "near_duplicate", 4: "bot"}
    assert found_in_batches(rules, events, size) == expected
    assert reasons(clean(canonical(events), rules, to_micros(NOON + DAY)).rejected) == expected


@pytest.mark.parametrize("size", [1, 2, 100])
def test_events_beyond_the_lateness_are_cleaned_like_others(size: int) -> None:
    rules = CleaningRules(bot_events_per_minute=2, near_duplicate_seconds={columns.VIEW: 1.0})
    events = numbered(*(event(columns.VIEW, NOON + second * SECOND) for second in (0, 1, 10, 20)))
    expected = {1: "near_duplicate", 3: "bot"}
    assert found_in_batches(rules, events, size, lateness=0) == expected
    assert reasons(clean(canonical(events), rules, to_micros(NOON + DAY)).rejected) == expected


def test_of_a_machine_no_more_is_remembered_than_near_duplicates_are_known_by() -> None:
    stream = Replayed(CleaningRules(bot_events_per_minute=3, near_duplicate_seconds={columns.VIEW: 2.0}))
    for second in range(100):
        at = NOON + second * SECOND
        stream.process(numbered(event(columns.VIEW, at, item=f"i{second}"), first=2 * second), at)
        stream.process(numbered(event(columns.LIKE, at, item=f"i{second}"), first=2 * second + 1), at)
    rows = decode_logs(["u1"], stream.logs).rows
    assert rows["sequence"][rows["counted"]].tolist() == [0, 1, 2]  # kept before it was betrayed
    assert rows["sequence"][~rows["counted"]].tolist() == [194, 196, 198]  # views of the last 2 s


ROWS = st.fixed_dictionaries(
    {
        "t": st.integers(0, 200),
        columns.KIND: st.sampled_from(["view", "click", "purchase", "search", "like"]),
        columns.USER_ID: st.sampled_from(["u", "v"]),
        columns.ITEM_ID: st.sampled_from(["i", "j"]),
        columns.QUERY: st.sampled_from(["tea", "rye"]),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=40), st.integers(1, 9))
def test_a_stream_in_order_of_time_is_cleaned_like_an_import(rows: list[dict[str, Any]], size: int) -> None:
    spaced = {kind: 5.0 for kind in ("view", "click", "search")}
    rules = CleaningRules(bot_events_per_minute=4, near_duplicate_seconds=spaced)
    rows = sorted(rows, key=lambda row: int(row["t"]))
    events = numbered(
        *(
            event(row[columns.KIND], NOON + row.pop("t") * SECOND, user=row[columns.USER_ID]) | row
            for row in rows
        )
    )
    for row in events:
        if row[columns.KIND] == columns.SEARCH:
            row[columns.ITEM_ID] = None
        else:
            row[columns.QUERY] = None
    imported = clean(canonical(events), rules, to_micros(NOON + HOUR))
    stream = Replayed(rules)
    found: dict[int, str] = {}
    for start in range(0, len(events), size):
        found |= reasons(stream.process(events[start : start + size], NOON + HOUR).rejected)
    assert found == reasons(imported.rejected)


def test_a_log_forgets_what_no_window_holds_and_keeps_a_whole_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(columns, "HISTORY_LENGTH", 3)
    stream = Replayed()
    first = [event(columns.VIEW, NOON + step * HOUR, item=f"i{1 + step % 3}") for step in range(5)]
    stream.process(numbered(*first), NOON + DAY)
    assert len(decode_logs(["u1"], stream.logs)) == 5
    later = NOON + 200 * DAY
    stream.process(numbered(event(columns.VIEW, later), first=5), later)
    assert decode_logs(["u1"], stream.logs).rows["sequence"].tolist() == [3, 4, 5]


def test_what_the_longest_window_still_holds_is_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "HISTORY_LENGTH", 1)
    stream = Replayed()
    newest = NOON + 90 * DAY
    for place, at in enumerate((NOON - DAY, START, NOON, newest)):
        stream.process(numbered(event(columns.VIEW, at), first=place), at)
    activity, _ = stream.features(columns.USER_ACTIVITY, "u1")
    item, _ = stream.features(columns.ITEM_ENGAGEMENT, "i1")
    assert activity is not None
    assert item is not None
    assert (activity["view_count_90d"], item["item_view_count_90d"]) == (3, 3)  # the first is a day too old


def test_an_event_that_comes_late_between_two_at_its_instant_is_the_last_of_them() -> None:
    stream = Replayed()
    stream.process(
        numbered(event(columns.VIEW, NOON, item="i2"), event(columns.VIEW, NOON + HOUR)), NOON + HOUR
    )
    stream.process(numbered(event(columns.VIEW, NOON, item="i3"), first=2), NOON)
    history, _ = stream.features(columns.USER_HISTORY, "u1")
    assert history is not None
    assert history[columns.HISTORY_ITEMS] == [stable_key(item) for item in ("i2", "i3", "i1")]


def test_a_log_of_another_version_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="user 'u' has version"):
        decode_logs(["u"], {"u": b"\x09" + bytes(LOG_DTYPE.itemsize)})


def test_rows_can_be_stamped_when_the_commit_knows_its_instant(start: datetime) -> None:
    step = Replayed().process(numbered(event(columns.VIEW, NOON)), NOON)
    rows = stamp_rows(step.rows.activity, to_micros(start))
    assert rows[columns.CREATED_TIMESTAMP].to_pylist() == [start]
    assert rows.schema == step.rows.activity.schema


def test_an_empty_batch_changes_nothing() -> None:
    step = Replayed(EVERYTHING).process([], NOON)
    assert (len(step.kept), step.logs, len(step.deltas), len(step.rows.activity)) == (0, {}, 0, 0)
