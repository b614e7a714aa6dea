"""The scan of rows as 8-bit integers, against products of what they were made of."""

import numpy as np
import pytest

from recsys.retrieval.coded_rows import RowScan
from recsys.retrieval.near_items import NearItems


@pytest.mark.parametrize("width", [3, 64])
def test_the_nearest_are_found_but_for_rounding_and_padding_never_is(width: int) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2001, width)).astype(np.float32)
    rows[0] = 9
    queries = rng.normal(size=(5, width)).astype(np.float32)
    found = RowScan(rows).nearest(queries, 40)
    assert found.shape == (5, 40)
    assert found.min() > 0
    for query, names in zip(queries, found, strict=True):
        best = np.argsort(-(rows[1:] @ query))[:20] + 1
        assert np.isin(best, names).mean() >= 0.95


def test_more_than_there_are_gives_all_of_them() -> None:
    rows = np.eye(4, dtype=np.float32)
    near = NearItems(lambda: (rows, rows))
    assert sorted(near.by_text(rows[1:2])[0].tolist()) == [1, 2, 3]
    assert sorted(near.by_content(rows[2:3])[0].tolist()) == [1, 2, 3]
