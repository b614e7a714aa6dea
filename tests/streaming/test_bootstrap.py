"""A state out of the lake is the state that the same events leave when they come by the stream."""

from typing import Any

import numpy as np
from hypothesis import given, settings

from recsys import columns
from recsys.streaming.bootstrap import BOOTSTRAP_COLUMNS, bootstrap
from recsys.streaming.item_counters import add_counters, decode_counters, encode_counters
from tests.features.worlds import EVENTS, numbered
from tests.streaming.replayed import EVERYTHING, Replayed, canonical


@settings(deadline=None, max_examples=60)
@given(events=EVENTS)
def test_the_lake_gives_the_state_that_the_stream_leaves(events: list[dict[str, Any]]) -> None:
    rows = numbered(events)
    stream = Replayed()
    for row in rows:
        stream.process([row], row[columns.AT])
    found = bootstrap(canonical(rows).select(BOOTSTRAP_COLUMNS), rules=EVERYTHING)
    assert found.logs == stream.logs
    ours, theirs = found.counters, decode_counters(stream.counters)
    assert ours.items == theirs.items
    np.testing.assert_allclose(ours.popularity, theirs.popularity, atol=1e-9)
    # The stream forgets tiles of items as it goes; adding nothing forgets what no window can hold.
    nothing = decode_counters({})
    ours = add_counters(ours, nothing)
    for name in ("item", "day", "counts", "newest_at", "last_at"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), name)


@settings(deadline=None, max_examples=30)
@given(events=EVENTS)
def test_tiles_keep_their_values_as_bytes_and_parts_of_a_lake_add_up(events: list[dict[str, Any]]) -> None:
    rows = numbered(events)
    whole = add_counters(bootstrap(canonical(rows), rules=EVERYTHING).counters, decode_counters({}))
    parts = [
        bootstrap(canonical([row for row in rows if row[columns.USER_ID] == user]), rules=EVERYTHING).counters
        for user in ("u1", "u2")
    ]
    together = decode_counters(encode_counters(add_counters(parts[0], parts[1])))
    for name in ("item", "day", "counts", "newest_at", "last_at"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(together, name), name)
    np.testing.assert_allclose(whole.popularity, together.popularity, atol=1e-9)


def test_an_empty_lake_gives_an_empty_state() -> None:
    found = bootstrap(canonical([]), rules=EVERYTHING)
    assert (found.logs, len(found.counters)) == ({}, 0)
