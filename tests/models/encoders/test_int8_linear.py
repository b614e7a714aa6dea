import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from recsys.models.encoders import int8_linear
from recsys.models.encoders.int8_linear import Int8Linear, has_linears, use_int8_linears
from tests.models.encoders.test_text_encoder import TEXTS, load, save_bert, save_gpt2


def linear_of(weight: list[list[float]], bias: list[float] | None) -> nn.Linear:
    made = nn.Linear(len(weight[0]), len(weight), bias=bias is not None)
    made.weight.data = torch.tensor(weight)
    if bias is not None:
        made.bias.data = torch.tensor(bias)
    return made


def test_whole_numbers_that_fit_are_multiplied_exactly():
    small = Int8Linear(linear_of([[127.0, 2.0], [-127.0, 5.0]], [1.0, 0.5]))
    found = small(torch.tensor([[[127.0, 3.0]], [[0.0, 127.0]]]))
    assert found.tolist() == [
        [[127 * 127 + 2 * 3 + 1, -127 * 127 + 5 * 3 + 0.5]],
        [[2 * 127 + 1, 5 * 127 + 0.5]],
    ]


def test_a_row_of_zeros_gives_the_bias():
    assert Int8Linear(linear_of([[3.0, 1.0]], [0.25]))(torch.zeros(2, 2)).tolist() == [[0.25], [0.25]]
    assert Int8Linear(linear_of([[3.0, 1.0]], None))(torch.zeros(1, 2)).tolist() == [[0.0]]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(1, 40), st.integers(1, 20), st.integers(0, 2**31))
def test_the_error_is_within_half_a_step_of_each_factor(width, outputs, rows, seed):
    torch.manual_seed(seed)
    exact, given_rows = nn.Linear(width, outputs), 10 * torch.randn(rows, width)
    row_step = given_rows.abs().amax(1, keepdim=True) / 127
    weight_step = exact.weight.abs().amax(1) / 127
    # |xw - x'w'| <= |x - x'| |w| + |x'| |w - w'|, each difference at most half a step
    bound = (
        row_step / 2 * exact.weight.abs().sum(1)
        + (given_rows.abs().sum(1, keepdim=True) + width * row_step / 2) * weight_step / 2
    )
    with torch.inference_mode():
        assert ((Int8Linear(exact)(given_rows) - exact(given_rows)).abs() <= bound * 1.001 + 1e-4).all()


def test_a_row_does_not_depend_on_its_company():
    torch.manual_seed(0)
    small, rows = Int8Linear(nn.Linear(32, 8)), torch.randn(5, 32)
    alone = torch.cat([small(row[None]) for row in rows])
    company = small(torch.cat([rows, 1000 * torch.randn(3, 32)]))[:5]
    assert torch.equal(alone, company)


def test_without_the_instruction_the_numbers_are_the_same(monkeypatch):
    torch.manual_seed(0)
    small, rows = Int8Linear(nn.Linear(64, 16)), torch.randn(7, 64)
    fast = small(rows)
    monkeypatch.setattr(int8_linear, "int8_is_fast", lambda: not torch.cpu._is_vnni_supported())
    assert torch.allclose(small(rows), fast, rtol=0, atol=1e-5)


def test_only_plain_linear_maps_are_replaced():
    attention = nn.MultiheadAttention(8, 2)  # reads the weight of its own kind of linear map
    inner = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(1, 8))  # torch is wrong for one column
    model = nn.Sequential(nn.Linear(8, 8), inner, attention)
    use_int8_linears(model)
    kinds = [type(part) for part in model.modules()]
    assert kinds.count(Int8Linear) == 2
    assert type(attention.out_proj) is not Int8Linear
    assert not has_linears(model)


@pytest.mark.parametrize("prefix", ["", "red "])
def test_an_encoder_in_int8_gives_nearly_the_vectors_of_float32_under_another_name(tmp_path, prefix):
    folder = save_bert(tmp_path / "model")
    exact, small = load(folder, prefix=prefix), load(folder, prefix=prefix, precision="int8")
    assert (small.precision, exact.precision) == ("int8", "float32")
    assert small.name != exact.name
    assert small.names == exact.names
    assert small.names[small.name] == "int8"
    assert (np.einsum("ne,ne->n", small.encode(TEXTS), exact.encode(TEXTS)) > 0.99).all()


def test_an_encoder_without_linear_maps_stays_in_float32_and_says_so(tmp_path, caplog):
    folder = save_gpt2(tmp_path / "model")  # its maps are of another class
    encoder = load(folder, precision="int8")
    assert encoder.name == load(folder).name
    assert "no matrices to make int8" in caplog.text
