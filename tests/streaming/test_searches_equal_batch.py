"""What users searched for, in any order and batches: the rows online are those of the batch table."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from recsys import columns
from recsys.features.user_searches import user_searches
from recsys.streaming.bootstrap import BOOTSTRAP_COLUMNS, bootstrap
from tests.features.reference import user_searches_as_of
from tests.features.worlds import SEARCHES, known, numbered, row_at
from tests.streaming.replayed import EVERYTHING, Replayed, canonical
from tests.streaming.test_stream_equals_batch import (
    CUTS,
    DELAYS,
    LATER,
    USERS,
    arriving,
    batches,
    latest_at,
)


@pytest.mark.parametrize("count", [2, 10])
@settings(deadline=None, max_examples=80)
@given(events=SEARCHES, delays=DELAYS, cuts=CUTS, later=LATER)
def test_searches_in_any_order_give_the_rows_of_the_batch_table(
    count: int, events: list[dict[str, Any]], delays: list[timedelta], cuts: list[bool], later: timedelta
) -> None:
    rows = arriving(events, delays)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "SEARCH_COUNT", count)
        stream = Replayed()
        for part in batches(rows, cuts):
            stream.process(part, part[-1]["arrives"])
        at = rows[-1]["arrives"] + later
        batch = user_searches(canonical(_stored(rows)), 0)
        for user in USERS:
            found, written_at = stream.features(columns.USER_SEARCHES, user)
            assert found == row_at(batch, columns.USER_ID, user, at)
            assert known(found, reference := user_searches_as_of(rows, user, at)) == reference
            assert written_at == latest_at(batch, columns.USER_ID, user, at)


@settings(deadline=None, max_examples=40)
@given(events=SEARCHES)
def test_the_lake_gives_the_queries_that_the_stream_leaves(events: list[dict[str, Any]]) -> None:
    rows = numbered(events)
    stream = Replayed()
    for row in rows:
        stream.process([row], row[columns.AT])
    found = bootstrap(canonical(rows).select(BOOTSTRAP_COLUMNS), rules=EVERYTHING)
    assert (found.searches, found.logs) == (stream.searches, stream.logs)


def _stored(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "arrives"} for row in rows]
