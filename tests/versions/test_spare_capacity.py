"""Versions of an array: each has its rows, none is ever written to, and large ones share what is equal."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.versions.spare_capacity import MOST_CHANGED, SpareCapacity

WIDTH = 3
steps = st.lists(
    st.tuples(st.integers(0, 3), st.sets(st.integers(0, 30)), st.booleans()), min_size=1, max_size=8
)


def next_rows(array: np.ndarray, size: int, index: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """What a version should be: a copy with the rows."""
    wanted = np.zeros((size, *array.shape[1:]), array.dtype)
    wanted[: len(array)] = array
    wanted[index] = rows
    return wanted


@pytest.mark.parametrize("paged_from", [0, 1 << 40])
@settings(deadline=None)
@given(steps=steps, flat=st.booleans())
def test_every_version_has_its_rows_and_stays_as_it_was(
    paged_from: int, steps: list[tuple[int, set[int], bool]], flat: bool
) -> None:
    spare, rng = SpareCapacity(paged_from), np.random.default_rng(0)
    array = rng.random(20 if flat else (20, WIDTH)).astype(np.float32)
    versions = [(array, array.copy())]
    for more, places, fork in steps:
        before, known = versions[0 if fork else -1]  # a fork starts from what is no longer the newest
        size = len(before) + more
        index = np.array(sorted(place for place in places if place < size), np.int64)
        rows = rng.random((len(index), *array.shape[1:])).astype(np.float32)
        after = spare.with_rows("rows", before, size, index, rows)
        versions.append((after, next_rows(known, size, index, rows)))
    for version, wanted in versions:
        np.testing.assert_array_equal(version, wanted)


def test_more_changes_than_a_version_carries_begin_a_new_copy() -> None:
    spare = SpareCapacity(paged_from=0)
    array = np.zeros(MOST_CHANGED + 10, np.int64)
    for place in range(len(array)):
        array = spare.with_rows("rows", array, len(array), np.array([place]), np.array([place + 1]))
    assert array.tolist() == list(range(1, MOST_CHANGED + 11))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2), st.booleans()), max_size=30))
def test_what_versions_nobody_uses_had_is_in_those_that_follow(
    changes: list[tuple[int, int, bool]],
) -> None:
    """With few rows a page: rows of 1 kB."""
    spare, array = SpareCapacity(paged_from=0), np.zeros((20, 128))
    wanted, kept = array.copy(), [(array, array.copy())]
    for number, (place, more, keep) in enumerate(changes, start=1):
        size = len(array) + more
        index = np.array([place] if place < size else [], np.int64)
        wanted = next_rows(wanted, size, index, np.full((len(index), 128), float(number)))
        array = spare.with_rows("rows", array, size, index, wanted[index])
        if keep:
            kept.append((array, wanted.copy()))
    for version, values in [*kept, (array, wanted)]:
        np.testing.assert_array_equal(version, values)


def test_objects_and_systems_without_shared_memory_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = np.array(["a", "b"], object)
    assert SpareCapacity(0).with_rows("texts", texts, 3, np.array([2]), np.array(["c"], object))[2] == "c"
    monkeypatch.delattr(os, "memfd_create")
    numbers = np.arange(3)
    longer = SpareCapacity(0).with_rows("numbers", numbers, 4, np.array([1]), np.array([9]))
    assert (longer.tolist(), numbers.tolist()) == ([0, 9, 2, 0], [0, 1, 2])


def test_what_is_derived_of_an_array_is_kept_for_that_array_alone() -> None:
    spare, array = SpareCapacity(), np.arange(3)
    assert spare.derived("sum", array, lambda rows: rows.sum()) == 3
    spare.keep_derived("sum", array, np.array(7))
    assert spare.derived("sum", array, lambda rows: rows.sum()) == 7
    assert spare.derived("sum", array.copy(), lambda rows: rows.sum()) == 3
