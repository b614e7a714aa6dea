import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.models.ctr.layers import CrossLayer, Examination, ScaledNumbers, TargetAttention


def test_a_cross_layer_is_the_papers_formula():
    torch.manual_seed(0)
    layer = CrossLayer(3, 2)
    torch.nn.init.normal_(layer.wide.weight)
    first, last = torch.randn(4, 3), torch.randn(4, 3)
    matrix = layer.wide.weight @ layer.narrow.weight  # U V, (3, 3)
    expected = first * (last @ matrix.T + layer.wide.bias) + last
    torch.testing.assert_close(layer(first, last), expected)


def test_a_new_cross_layer_changes_nothing():
    first, last = torch.randn(4, 3), torch.randn(4, 3)
    layer = CrossLayer(3, 2)
    torch.nn.init.zeros_(layer.wide.bias)
    torch.testing.assert_close(layer(first, last), last)


@settings(max_examples=20, deadline=None)
@given(padding=st.integers(0, 4), seed=st.integers(0, 100))
def test_padding_changes_nothing_of_what_a_history_says(padding, seed):
    torch.manual_seed(seed)
    attention = TargetAttention(4, 2, 8)
    torch.nn.init.normal_(attention.recency)
    target, keys, values = torch.randn(3, 4), torch.randn(3, 4, 4), torch.randn(3, 4, 4)
    real = torch.ones(3, 4, dtype=torch.bool)
    before = attention(target, keys, values, real)
    noise = torch.randn(3, padding, 4)  # what lies under padding does not matter
    padded = [torch.cat([noise, part], 1) for part in (keys, values)]
    mask = torch.cat([torch.zeros(3, padding, dtype=torch.bool), real], 1)
    torch.testing.assert_close(attention(target, *padded, mask), before)


def test_a_history_of_padding_alone_says_nothing():
    attention = TargetAttention(4, 2, 8)
    target, keys = torch.randn(3, 4), torch.randn(3, 5, 4)
    out = attention(target, keys, keys, torch.zeros(3, 5, dtype=torch.bool))
    torch.testing.assert_close(out, torch.zeros(3, 4))


def test_numbers_are_deviations_and_missing_ones_are_told():
    numbers = ScaledNumbers(("a", "b"), ())
    numbers.fit(np.array([[1, 5], [3, 5], [np.nan, 5]], np.float32))  # a: mean 2, deviation 1; b constant
    out = numbers(torch.tensor([[4.0, 9.0], [float("nan"), 5.0]]))
    torch.testing.assert_close(out, torch.tensor([[2.0, 0, 0, 0], [0, 0, 1, 0]]))


def test_an_outlier_does_not_decide_alone():
    numbers = ScaledNumbers(("a",), ("a",))
    numbers.fit(np.array([[0], [1], [2]], np.float32))
    assert numbers(torch.tensor([[1e30]]))[0, 0] == 8


def test_the_first_slot_is_always_looked_at():
    seen, unseen = Examination(2, 3)(torch.tensor([0, 1, 0]), torch.tensor([1, 1, 0]))
    assert seen.tolist() == [0, 0, 0]
    assert unseen.exp().tolist() == [0, 0, 0]


def test_seen_and_unseen_sum_to_one_and_a_slot_beyond_counts_as_the_last():
    examination = Examination(2, 3)
    torch.nn.init.normal_(examination.log_odds, std=0.1)
    surface, slot = torch.tensor([0, 1, 1]), torch.tensor([2, 3, 9])
    seen, unseen = examination(surface, slot)
    torch.testing.assert_close(seen.exp() + unseen.exp(), torch.ones(3))
    assert seen[1] == seen[2]


def test_without_slots_everything_is_looked_at():
    seen, _ = Examination(2, 0)(torch.tensor([0, 1]), torch.tensor([0, 4]))
    assert seen.tolist() == [0, 0]


def test_examination_begins_at_the_click_rates_beside_the_first_slots():
    examination = Examination(1, 2)
    slot = np.repeat([1, 2], 10_000)
    clicked = np.arange(20_000) % np.where(slot == 1, 10, 40) == 0  # .1 and .025
    examination.fit(np.zeros(20_000, np.int64), slot, clicked)
    seen, _ = examination(torch.tensor([0]), torch.tensor([2]))
    assert seen.exp().item() == pytest.approx(0.25, abs=0.005)
