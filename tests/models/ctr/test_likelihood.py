import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys.models.ctr.likelihood import (
    click_loss,
    conversion_loss,
    log_click_probabilities,
    undo_down_sampling,
)


def logs(attraction: float, examination: float) -> tuple[torch.Tensor, torch.Tensor]:
    logit = torch.tensor([math.log(attraction / (1 - attraction))], dtype=torch.float64)
    seen = torch.tensor([math.log(examination)], dtype=torch.float64)
    return log_click_probabilities(logit, seen, torch.log1p(-seen.exp()))


def test_a_click_is_an_item_that_is_looked_at_and_attracts():
    click, none = logs(0.5, 0.4)
    assert click.exp().item() == pytest.approx(0.2)  # .5 x .4
    assert none.exp().item() == pytest.approx(0.8)


@given(st.floats(-60, 60), st.floats(1e-4, 0.999))
def test_both_probabilities_sum_to_one_and_stay_finite(logit, examination):
    seen = torch.tensor([math.log(examination)], dtype=torch.float64)
    unseen = torch.tensor([math.log1p(-examination)], dtype=torch.float64)
    click, none = log_click_probabilities(torch.tensor([logit], dtype=torch.float64), seen, unseen)
    assert torch.isfinite(click).all()
    assert torch.isfinite(none).all()
    assert (click.exp() + none.exp()).item() == pytest.approx(1)


def test_without_down_sampling_the_loss_is_the_log_loss():
    click, none = logs(0.5, 0.4)
    assert click_loss(click, none, torch.tensor([True])).item() == pytest.approx(-math.log(0.2))
    assert click_loss(click, none, torch.tensor([False])).item() == pytest.approx(-math.log(0.8))


def test_a_kept_impression_was_clicked_with_more_than_p():
    click, none = logs(0.5, 0.4)  # p = .2; of ten, 2 clicks and .5 x 8 others are left
    loss = click_loss(click, none, torch.tensor([True]), kept=0.5)
    assert loss.item() == pytest.approx(-math.log(2 / 6))


def test_a_conversion_counts_over_all_impressions():
    click, none = logs(0.5, 0.4)
    conversion = torch.zeros(1, dtype=torch.float64)  # one in two clicks
    both = conversion_loss(click, none, conversion, torch.tensor([True]))
    assert both.item() == pytest.approx(-math.log(0.1))  # .5 x .4 x .5
    neither = conversion_loss(click, none, conversion, torch.tensor([False]), kept=0.5)
    assert neither.item() == pytest.approx(
        -math.log(5 / 6)
    )  # of ten, 1 converts, 1 clicks, 4 others are left


@given(st.floats(0.001, 0.999), st.floats(0.01, 1))
def test_undoing_down_sampling_inverts_it(p, kept):
    sampled = p / (p + kept * (1 - p))
    assert undo_down_sampling(np.array([sampled]), kept)[0] == pytest.approx(p)


def test_the_least_loss_on_kept_impressions_is_at_the_rate_of_all():
    clicked = torch.zeros(10_000, dtype=torch.bool)
    clicked[:400] = True  # 4%, of the rest one in four is kept
    rows = torch.cat([torch.arange(400), torch.arange(400, 10_000, 4)])
    logit = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logit], max_iter=100, line_search_fn="strong_wolfe")
    seen = torch.zeros(len(rows), dtype=torch.float64)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        click, none = log_click_probabilities(logit.expand(len(rows)), seen, seen - 1e4)
        value = click_loss(click, none, clicked[rows], kept=0.25)
        value.backward()
        return value

    optimizer.step(loss)
    assert logit.sigmoid().item() == pytest.approx(0.04, rel=1e-3)
