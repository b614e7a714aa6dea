"""LazyAdamW beside torch's dense AdamW, which visits every row at every step."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from recsys.training.retriever.lazy_adamw import LazyAdamW
from recsys.training.retriever.steps import Position, TrainingState, train_epoch
from recsys.training.schedule import build_adamw, set_rate
from tests.training.retriever.circle import cycle, data_of, model_of
from tests.training.retriever.circle import settings as section

ROWS, WIDTH = 7, 3
Steps = list[tuple[float, np.ndarray, Tensor]]  # rate, rows, gradient


def table(seed: int = 0) -> nn.Parameter:
    return nn.Parameter(torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(seed)))


def steps_of(count: int, seed: int, touched: int = 2) -> Steps:
    rng = np.random.default_rng(seed)
    return [
        (
            float(rng.uniform(1e-4, 1e-2)),
            np.sort(rng.choice(ROWS, touched, replace=False)),
            torch.from_numpy(rng.normal(0, 10.0 ** rng.integers(-4, 2), (touched, WIDTH)).astype(np.float32)),
        )
        for _ in range(count)
    ]


def dense(steps: Steps, decay: float) -> Tensor:
    weight = table()
    optimizer = build_adamw([weight], 0.0, decay)
    for rate, rows, gradient in steps:
        weight.grad = torch.zeros(ROWS, WIDTH).index_copy(0, torch.from_numpy(rows), gradient)
        set_rate(optimizer, rate)
        optimizer.step()
    return weight.detach()


def run(optimizer: LazyAdamW, steps: Steps) -> None:
    for rate, rows, gradient in steps:
        optimizer.take(rows).grad = gradient.clone()
        optimizer.step(rate)


@given(st.integers(1, 400), st.integers(0, 10_000), st.sampled_from([0.0, 0.1, 0.9]), st.integers(1, ROWS))
@settings(max_examples=15, deadline=None)
def test_it_ends_where_dense_adamw_ends(count: int, seed: int, decay: float, touched: int) -> None:
    steps = steps_of(count, seed, touched)
    optimizer = LazyAdamW(table(), count, decay)
    run(optimizer, steps)
    optimizer.settle()
    torch.testing.assert_close(optimizer.table.detach(), dense(steps, decay), rtol=1e-5, atol=1e-5)


def test_a_row_is_read_as_dense_adamw_would_have_it_however_long_ago_it_was_touched() -> None:
    """Row 0 is touched by the first step alone; by the 600th its momentum has long faded."""
    first = (0.01, np.array([0]), torch.ones(1, WIDTH))
    others = [(rate, rows % (ROWS - 1) + 1, gradient) for rate, rows, gradient in steps_of(599, 1, touched=1)]
    optimizer = LazyAdamW(table(), 600, 0.1)
    run(optimizer, [first, *others])
    expected = dense([first, *others], 0.1)
    assert not torch.equal(optimizer.table[0], expected[0]), "it lags behind until it is read"
    torch.testing.assert_close(optimizer.take(np.array([0])).detach(), expected[:1], rtol=1e-5, atol=1e-6)


def test_the_first_step_without_a_gradient_changes_nothing() -> None:
    optimizer = LazyAdamW(table(), 5, 0.5)
    optimizer.take(np.arange(ROWS))
    optimizer.step(0.1)
    optimizer.settle()
    torch.testing.assert_close(optimizer.table, table(), rtol=0, atol=0)


def test_a_restored_optimizer_goes_on_to_the_same_bits() -> None:
    steps = steps_of(40, seed=3)
    whole, cut = LazyAdamW(table(), 40, 0.1), LazyAdamW(table(), 40, 0.1)
    run(whole, steps)
    run(cut, steps[:17])
    again = LazyAdamW(nn.Parameter(cut.table.detach().clone()), 40, 0.1)
    again.restore({name: value.clone() for name, value in cut.tensors().items()})
    run(again, steps[17:])
    for optimizer in (whole, again):
        optimizer.settle()
    assert torch.equal(whole.table, again.table)


def test_a_frozen_table_stays_as_it_is() -> None:
    log, settings_ = cycle(), section(without=("id",))
    model = model_of(log, settings_)
    state = TrainingState.of(model, data_of(log), settings_)
    train_epoch(state, Position(), lambda step, total: None)
    assert not model.item_tower.residual.any()


class Dense(LazyAdamW):
    """Takes the whole table at each step, so that torch's own AdamW moves all rows."""

    def take(self, index: np.ndarray) -> nn.Parameter:
        self.index = torch.from_numpy(index)
        self.read = nn.Parameter(super().take(np.arange(len(self.table))).detach()[self.index])
        return self.read

    def step(self, rate: float) -> None:
        self._rows.grad = torch.zeros_like(self._rows).index_copy(0, self.index, self.read.grad)
        super().step(rate)


@pytest.mark.parametrize("loss", ["sampled-softmax", "gbce"])
def test_epochs_of_the_retriever_cost_what_they_cost_with_dense_adamw(loss: str) -> None:
    log, settings_ = cycle(), section(negatives=2, batch_size=2, loss=loss)
    costs, vectors = [], []
    for optimizer in (LazyAdamW, Dense):
        model = model_of(log, settings_)
        state = TrainingState.of(model, data_of(log), settings_)
        steps = settings_.epochs * state.steps_an_epoch
        residuals = optimizer(model.item_tower.residual, steps, settings_.weight_decay)
        state = replace(state, residuals=residuals)
        costs.append([train_epoch(state, Position(epoch), lambda step, total: None) for epoch in (1, 2)])
        vectors.append(model.item_vectors())
    assert costs[0] == pytest.approx(costs[1], rel=1e-3)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-3)
