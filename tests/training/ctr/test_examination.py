"""Slots are looked at as often as clicks say, given what attracts."""

import numpy as np
import pytest
import torch

from recsys.models.ctr.layers import Examination
from recsys.training.ctr.examination import fit_examination


def shares(examination: Examination, surface: int) -> list[float]:
    slots = torch.arange(1, 4)
    return examination(torch.full((3,), surface), slots)[0].exp().tolist()


def test_expected_clicks_are_those_that_came():
    examination = Examination(2, 3)
    surface, slot = np.zeros(3000, np.int64), np.repeat([1, 2, 3], 1000)
    attraction = np.repeat([0.5, 0.5, 0.25], 1000)
    clicked = np.arange(3000) % 1000 < np.repeat([400, 200, 150], 1000)
    fit_examination(examination, surface, slot, attraction, clicked)
    # 400 / 500 at the first; 200 / 500 / .8 = .5 and 150 / 250 / .8 = .75
    assert shares(examination, 0) == pytest.approx([1, 0.5, 0.75], abs=1e-6)
    assert shares(examination, 1) == pytest.approx([1, 0.5, 0.5])  # as it began


def test_few_clicks_say_nothing():
    examination = Examination(1, 3)
    slot = np.repeat([1, 2, 3], 1000)
    clicked = np.arange(3000) % 1000 < np.repeat([400, 99, 100], 1000)
    fit_examination(examination, np.zeros(3000, np.int64), slot, np.full(3000, 0.4), clicked)
    assert shares(examination, 0) == pytest.approx([1, 0.5, 0.25], abs=1e-6)


def test_a_slot_that_is_clicked_more_than_the_first_is_as_good_as_always_looked_at():
    examination = Examination(1, 2)
    slot = np.repeat([1, 2], 1000)
    clicked = np.arange(2000) % 1000 < np.repeat([200, 400], 1000)
    fit_examination(examination, np.zeros(2000, np.int64), slot, np.full(2000, 0.4), clicked)
    found = examination(torch.zeros(1, dtype=torch.int64), torch.tensor([2]))[0].exp()
    assert found.item() == pytest.approx(0.999)
