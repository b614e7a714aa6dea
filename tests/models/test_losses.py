import math

import pytest
import torch

import recsys.models.losses as losses
from recsys.models.losses import inclusion_log_probability, listwise, pointwise, sampled_softmax


def world(seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    users = torch.randn(7, 5, generator=generator, requires_grad=True)
    vectors = torch.randn(11, 5, generator=generator, requires_grad=True)
    log_q = -torch.rand(11, generator=generator)
    state = torch.tensor([0, 0, 1, 3, 3, 3, 6])
    column = torch.tensor([2, 4, 0, 10, 1, 2, 5])
    weight = torch.tensor([1.0, 2.0, 0.5, 1.0, 1.0, 3.0, 1.0])
    return users, vectors, log_q, state, column, weight


@pytest.mark.parametrize("cells", [1, 25, 1 << 18])
def test_value_and_gradient_equal_the_softmax_written_out(monkeypatch, cells):
    monkeypatch.setattr(losses, "_CPU_CELLS", cells)
    users, vectors, log_q, state, column, weight = world()
    loss = sampled_softmax(users, vectors, log_q, state, column, weight)
    got = torch.autograd.grad(2 * loss, (users, vectors))

    log_share = (users @ vectors.T - log_q).log_softmax(-1)[state, column]
    plain = -(log_share * weight).sum() / weight.sum()
    expected = torch.autograd.grad(2 * plain, (users, vectors))
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(got, expected)


def test_equal_scores_cost_the_logarithm_of_the_number_of_columns():
    zeros = torch.zeros(1, 2), torch.zeros(8, 2)
    pair = torch.tensor([0]), torch.tensor([3]), torch.ones(1)
    assert float(sampled_softmax(*zeros, torch.zeros(8), *pair)) == pytest.approx(math.log(8))


def test_huge_scores_do_not_overflow():
    users, vectors = torch.tensor([[1e4]]), torch.tensor([[1.0], [-1.0]])
    pair = torch.tensor([0]), torch.tensor([0]), torch.ones(1)
    assert float(sampled_softmax(users, vectors, torch.zeros(2), *pair)) == pytest.approx(0)


def test_the_correction_makes_a_sample_estimate_the_sum_over_all_items():
    generator = torch.Generator().manual_seed(0)
    scores, items, drawn, uniform = torch.randn(50, generator=generator), 50, 6, 10
    frequency = torch.distributions.Dirichlet(torch.ones(items)).sample()
    totals = []
    for _ in range(4000):
        columns = torch.cat(
            [
                torch.multinomial(frequency, drawn, True, generator=generator),
                torch.randint(items, (uniform,), generator=generator),
            ]
        ).unique()
        log_q = inclusion_log_probability(frequency[columns], drawn, uniform, items)
        totals.append(float((scores[columns] - log_q).exp().sum()))
    assert sum(totals) / len(totals) == pytest.approx(float(scores.exp().sum()), rel=0.03)


def test_listwise_shares_a_request_among_its_positives_and_ignores_padding_and_empty_requests():
    logits = torch.tensor([[0.0, 0.0, 99.0], [0.0, math.log(3.0), 0.0], [5.0, 1.0, 2.0]])
    labels = torch.tensor([[True, False, False], [True, True, False], [False, False, False]])
    mask = torch.tensor([[True, True, False], [True, True, True], [True, True, True]])
    first = -math.log(1 / 2)
    second = -(math.log(1 / 5) + math.log(3 / 5)) / 2
    assert float(listwise(logits, labels, mask)) == pytest.approx((first + second) / 2)


def test_pointwise_counts_only_real_candidates():
    logits, labels = torch.tensor([[0.0, 50.0]]), torch.tensor([[True, False]])
    assert float(pointwise(logits, labels, torch.tensor([[True, False]]))) == pytest.approx(math.log(2))
