"""Mappings that grow: each version has its keys in order, whether they settled or not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.versions.grown_mapping import MOST_RECENT, GrownMapping


@given(st.lists(st.integers(1, MOST_RECENT // 2), max_size=5), st.booleans())
def test_every_version_has_its_keys_in_their_order(sizes: list[int], fork: bool) -> None:
    versions = [(GrownMapping.of({"first": 0}), {"first": 0})]
    for number, size in enumerate(sizes):
        before, known = versions[0 if fork else -1]
        more = {f"{number}-{place}": place for place in range(size)}
        versions.append((before.with_items(more), known | more))
    for version, wanted in versions:
        assert (list(version.items()), len(version)) == (list(wanted.items()), len(wanted))
        keys = [*wanted, "unknown"]
        assert version.values_of(keys, -1) == [wanted.get(key, -1) for key in keys]
        assert [version.get(key) for key in keys] == [wanted.get(key) for key in keys]
        assert "first" in version
        assert "unknown" not in version
        with pytest.raises(KeyError):
            version["unknown"]
