import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recsys.training.schedule import build_adamw, learning_rate, set_rate


def test_the_rate_rises_in_a_line_and_falls_in_a_half_cosine():
    rates = [learning_rate(step, 1000, 2.0, 100) for step in (0, 49, 99, 100, 550, 999)]
    assert rates == pytest.approx([0.02, 1.0, 2.0, 2.0, 1.0, 0.0], abs=1e-4)


@given(st.integers(1, 5000), st.integers(0, 500), st.data())
def test_the_rate_is_never_negative_nor_above_the_peak(steps, warmup, data):
    step = data.draw(st.integers(0, steps - 1))
    assert 0 <= learning_rate(step, steps, 3.0, warmup) <= 3.0


def test_a_short_run_reaches_the_peak():
    assert max(learning_rate(step, 50, 1.0, 200) for step in range(50)) == 1.0


def test_biases_and_scalars_do_not_decay():
    model = nn.Linear(3, 2)
    optimizer = build_adamw(model, 0.1, 0.5)
    assert [(len(group["params"]), group["weight_decay"]) for group in optimizer.param_groups] == [
        (1, 0.5),
        (1, 0.0),
    ]
    set_rate(optimizer, 0.01)
    before = model.weight.detach().clone()
    (model(torch.zeros(1, 3)).sum() * 0).backward()
    optimizer.step()
    torch.testing.assert_close(model.weight.detach(), before * (1 - 0.01 * 0.5))
