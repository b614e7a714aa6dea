import math

import pytest
import torch

import recsys.models.losses as losses
from recsys.models.losses import (
    binary_cross_entropy,
    even_log_odds,
    inclusion_log_probability,
    listwise_loss,
    pointwise_loss,
    positive_exponent,
    sampled_softmax,
)


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


LOG_3 = math.log(3)  # the logit of 3/4; -LOG_3 is that of 1/4, 0 that of 1/2
LOGITS = torch.tensor([[LOG_3, -LOG_3, 0.0], [LOG_3, 0.0, -LOG_3]])


def bce(
    drawn: list[bool], state: list[int], column: list[int], weight: list[float], beta: float = 1
) -> float:
    """Of two states whose logits over three columns are LOGITS."""
    pairs = torch.tensor(state), torch.tensor(column), torch.tensor(weight)
    return float(binary_cross_entropy(torch.eye(2), LOGITS.T, torch.tensor(drawn), *pairs, beta))


def test_bce_of_two_states_and_three_columns():
    # State 0 took column 0 (3/4), not 1 (1/4) and 2 (1/2); state 1 took 2 (1/4), not 0 (3/4) and 1 (1/2).
    first = -(math.log(3 / 4) + math.log(1 - 1 / 4) + math.log(1 - 1 / 2))
    second = -(math.log(1 / 4) + math.log(1 - 3 / 4) + math.log(1 - 1 / 2))
    assert bce([True] * 3, [0, 1], [0, 2], [1, 1]) == pytest.approx((first + second) / 2)
    assert bce([True] * 3, [0, 1], [0, 2], [1, 3]) == pytest.approx((first + 3 * second) / 4)


def test_what_was_not_drawn_and_what_a_state_took_besides_are_no_negatives():
    undrawn = -(math.log(3 / 4) + math.log(1 - 1 / 2))  # column 1 is there for another state alone
    assert bce([True, False, True], [0], [0], [1]) == pytest.approx(undrawn)
    both = -(math.log(3 / 4) + math.log(1 - 1 / 2)), -(math.log(1 / 4) + math.log(1 - 1 / 2))
    assert bce([True] * 3, [0, 0], [0, 1], [1, 1]) == pytest.approx(sum(both) / 2)


def test_gbce_raises_the_probability_of_the_target_to_the_power_of_beta():
    expected = -(0.4 * math.log(3 / 4) + math.log(1 - 1 / 4) + math.log(1 - 1 / 2))
    assert bce([True] * 3, [0], [0], [1], beta=0.4) == pytest.approx(expected)


@pytest.mark.parametrize("t", [0.0, 0.25, 0.75, 1.0])
@pytest.mark.parametrize("rate", [0.01, 0.5, 1.0])
def test_beta_is_that_of_the_paper_and_one_for_plain_bce_and_for_all_items(t, rate):
    beta = positive_exponent(t, rate)
    assert beta == pytest.approx(rate * (t * (1 - 1 / rate) + 1 / rate))
    if t == 0 or rate == 1:
        assert beta == 1
    if t == 1:
        assert beta == pytest.approx(rate)


@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_where_all_items_look_alike_no_offset_is_better_than_the_even_log_odds(beta):
    users, vectors, drawn = torch.zeros(1, 2), torch.zeros(21, 2), torch.ones(21, dtype=torch.bool)
    pair = torch.tensor([0]), torch.tensor([3]), torch.ones(1)
    best = even_log_odds(20, beta)
    around = [
        float(binary_cross_entropy(users, vectors, drawn, *pair, beta, best + by)) for by in (-0.2, 0, 0.2)
    ]
    assert around[1] < min(around[0], around[2])


@pytest.mark.parametrize("cells", [1, 25, 1 << 18])
def test_bce_and_its_gradient_do_not_depend_on_the_rows_held_at_once(monkeypatch, cells):
    monkeypatch.setattr(losses, "_CPU_CELLS", cells)
    users, vectors, _, state, column, weight = world()
    drawn = torch.arange(11) % 4 != 1
    loss = binary_cross_entropy(users, vectors, drawn, state, column, weight, 0.3, -1.0)
    got = torch.autograd.grad(loss, (users, vectors))

    negative = drawn.repeat(7, 1)
    negative[state, column] = False
    logits = users @ vectors.T - 1.0
    pushed = torch.where(negative, -(-logits).sigmoid().log(), 0.0).sum(-1)[state]
    each = pushed - 0.3 * logits[state, column].sigmoid().log()
    plain = (each * weight).sum() / weight.sum()
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(got, torch.autograd.grad(plain, (users, vectors)))


def test_listwise_shares_a_request_among_its_positives_and_ignores_padding_and_empty_requests():
    logits = torch.tensor([[0.0, 0.0, 99.0], [0.0, math.log(3.0), 0.0], [5.0, 1.0, 2.0]])
    labels = torch.tensor([[True, False, False], [True, True, False], [False, False, False]])
    mask = torch.tensor([[True, True, False], [True, True, True], [True, True, True]])
    first = -math.log(1 / 2)
    second = -(math.log(1 / 5) + math.log(3 / 5)) / 2
    assert float(listwise_loss(logits, labels, mask)) == pytest.approx((first + second) / 2)


def test_pointwise_counts_only_real_candidates():
    logits, labels = torch.tensor([[0.0, 50.0]]), torch.tensor([[True, False]])
    assert float(pointwise_loss(logits, labels, torch.tensor([[True, False]]))) == pytest.approx(math.log(2))
