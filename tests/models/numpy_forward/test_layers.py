"""Each layer in numpy against torch's, and views that follow what torch learns."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import nn

from recsys.models.numpy_forward.layers import (
    Affine,
    Norm,
    ViewsOf,
    gelu,
    normalised,
    silu,
    softmax,
    weight_view,
)

values = st.floats(-200, 200, width=32)
rows = arrays.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(6)), elements=values)


@given(rows)
def test_activations_are_those_of_torch(given_rows: np.ndarray) -> None:
    tensor = torch.from_numpy(given_rows)
    np.testing.assert_allclose(silu(given_rows), nn.functional.silu(tensor), rtol=1e-6, atol=3e-5)
    np.testing.assert_array_equal(gelu(given_rows), nn.functional.gelu(tensor))
    np.testing.assert_allclose(softmax(given_rows), tensor.softmax(-1), rtol=1e-5, atol=1e-7)


@given(rows)
def test_a_row_has_length_one_and_zeros_stay(given_rows: np.ndarray) -> None:
    expected = nn.functional.normalize(torch.from_numpy(given_rows), dim=-1)
    for row, wanted in zip(given_rows, expected, strict=True):
        np.testing.assert_allclose(normalised(row), wanted, rtol=1e-5, atol=1e-6)
    assert not normalised(np.zeros(3, np.float32)).any()


@given(rows, st.integers(0, 100), st.booleans())
def test_linear_layers_and_norms_are_those_of_torch(given_rows: np.ndarray, seed: int, bias: bool) -> None:
    torch.manual_seed(seed)
    layer, norm = nn.Linear(6, 4, bias), nn.LayerNorm(6)
    norm.weight.data.normal_()
    norm.bias.data.normal_()
    whole = given_rows.round()  # a row of numbers that are nearly equal is a matter of rounding to a norm
    tensor = torch.from_numpy(whole)
    with torch.inference_mode():
        mapped, normed = layer(tensor).numpy(), norm(tensor).numpy()
    ours = Affine.of(layer)
    np.testing.assert_allclose(ours(whole), mapped, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours.of_columns(whole.T), mapped.T, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(Norm.of(norm)(whole), normed, rtol=1e-4, atol=1e-4)


def test_a_view_shows_what_is_learnt_and_takes_no_write() -> None:
    weight = nn.Parameter(torch.zeros(2))
    view = weight_view(weight)
    with torch.no_grad():
        weight.add_(1)
    assert view.tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5


def test_views_are_made_once_and_anew_for_weights_that_lie_elsewhere() -> None:
    weight, views = nn.Parameter(torch.zeros(2)), ViewsOf[np.ndarray]()
    first = views.get(weight, lambda: weight_view(weight))
    assert views.get(weight, lambda: weight_view(weight)) is first
    other, copied = copy.deepcopy(weight), copy.deepcopy(views)
    with torch.no_grad():
        other.add_(1)
    assert copied.get(other, lambda: weight_view(other)).tolist() == [1.0, 1.0]
    weight.data = torch.full((2,), 7.0)
    assert views.get(weight, lambda: weight_view(weight)).tolist() == [7.0, 7.0]
