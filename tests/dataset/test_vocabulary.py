"""A vocabulary that grew id by id, against one that is made of all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import stable_key
from recsys.dataset import interactions
from recsys.dataset.interactions import Vocabulary

IDS = [f"i{number}" for number in range(30)]


@pytest.fixture(params=[2, 1000], ids=["late keys join the others", "late keys stay apart"])
def most_recent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interactions, "MOST_RECENT", request.param)


@pytest.mark.usefixtures("most_recent")
def test_ids_that_come_one_by_one_are_found_as_those_that_were_there() -> None:
    @given(st.permutations(IDS), st.lists(st.integers(1, 5), max_size=6))
    def check(ids: list[str], parts: list[int]) -> None:
        vocabulary, start = Vocabulary(("", *ids[:5])), 5
        versions = [vocabulary]
        for size in parts:
            vocabulary = vocabulary.extended(ids[start : start + size])
            start = min(start + size, len(ids))
            versions.append(vocabulary)
        for version in versions:
            anew = Vocabulary(("", *version.ids[1:]))
            assert version.ids == anew.ids
            np.testing.assert_array_equal(version.indexes([*IDS, "none"]), anew.indexes([*IDS, "none"]))
            assert [version.index(name) for name in IDS] == [anew.index(name) for name in IDS]
            keys = np.array([[stable_key(name) for name in IDS], [0] * len(IDS)])
            np.testing.assert_array_equal(version.indexes_of_keys(keys), anew.indexes_of_keys(keys))

    check()
