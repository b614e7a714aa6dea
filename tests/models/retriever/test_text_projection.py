import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.models.retriever import text_projection
from recsys.models.retriever.text_projection import TextProjection


def test_variances_are_half_whitened():
    rng = np.random.default_rng(0)
    text = (rng.standard_normal((20_000, 3)) * [4.0, 1.0, 0.0] + [7, 7, 7]).astype(np.float32)
    projection = TextProjection.fit(text, 3)
    assert projection.directions.shape == (3, 2)  # the third direction has no variance
    projected = (torch.from_numpy(text) - projection.mean) @ projection.directions
    # A variance v becomes v * v^-1/2 = v^1/2: 16 -> 4 and 1 -> 1.
    np.testing.assert_allclose(projected.var(0).numpy(), [4, 1], rtol=0.05)


def test_a_row_without_text_stays_zero_and_others_have_unit_length():
    text = np.random.default_rng(1).standard_normal((50, 8)).astype(np.float32)
    text[[3, 9]] = 0
    rows = TextProjection.fit(text, 4)(torch.from_numpy(text)).numpy()
    assert np.flatnonzero(np.linalg.norm(rows, axis=1) < 0.5).tolist() == [3, 9]
    np.testing.assert_allclose(np.delete(np.linalg.norm(rows, axis=1), [3, 9]), 1, atol=1e-5)


def test_a_catalog_in_parts_gives_the_same_projection(monkeypatch: pytest.MonkeyPatch) -> None:
    text = np.random.default_rng(2).standard_normal((60, 8)).astype(np.float32)
    text[[0, 31]] = 0
    whole = TextProjection.fit(text, 4)
    monkeypatch.setattr(text_projection, "_ROWS_AT_ONCE", 7)
    parts = TextProjection.fit(text, 4)
    torch.testing.assert_close(parts.mean, whole.mean)
    torch.testing.assert_close(parts.directions, whole.directions)


def test_no_text_at_all_gives_zeros():
    empty = np.zeros((5, 1), np.float32)
    assert not TextProjection.fit(empty, 64)(torch.from_numpy(empty)).any()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 20), st.integers(0, 9))
def test_any_shape_of_catalog_gives_finite_rows(items, dimensions, width, seed):
    text = np.random.default_rng(seed).standard_normal((items, dimensions)).astype(np.float32)
    projected = TextProjection.fit(text, width)(torch.from_numpy(text))
    assert projected.shape[1] <= max(1, min(width, dimensions))
    assert bool(projected.isfinite().all())
