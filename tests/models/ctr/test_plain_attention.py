"""The attention in few products of matrices beside its formula, action by action: equal, also in training."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from recsys.evaluation.ctr.simulated import simulate_clicks
from recsys.models.ctr.impressions import Batch, make_batch
from recsys.models.ctr.layers import TargetAttention
from recsys.models.ctr.likelihood import click_loss, log_click_probabilities
from recsys.models.ctr.network import CtrNetwork
from recsys.training.schedule import build_adamw, gradient_step


def plain_attention(
    attention: TargetAttention, target: Tensor, keys: Tensor, values: Tensor, real: Tensor
) -> Tensor:
    """An MLP of [k ; q ; q * k] for each action, a softmax with one empty place, and the mean of V v + b."""
    batch, length, width = keys.shape
    asked = attention.query(target)[:, None]
    hidden = attention.key(keys) + asked + attention.product(keys * target[:, None])
    logits = attention.weight(nn.functional.silu(hidden)) + attention.recency[:length].flip(0)
    logits = logits.masked_fill(~real[..., None], -1e4)
    nothing = logits.new_zeros(batch, 1, attention.heads)
    weights = torch.cat([logits, nothing], 1).softmax(1)[:, :length]
    parts = attention.value(values).view(batch, length, attention.heads, width // attention.heads)
    return (weights[..., None] * parts).sum(1).reshape(batch, width)


class PlainNetwork(CtrNetwork):
    """A network that reads each action of each history by itself."""

    def _attended(self, batch: Batch, target: Tensor, root: float) -> Tensor:
        vectors, items = batch.action_vectors[batch.history], batch.actions[batch.history]
        keys = self.item_in(vectors * root) + self.items(items)
        values = keys + self.kinds(batch.kinds)
        return plain_attention(self.attention, target, keys, values, batch.kinds > 0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), heads=st.sampled_from([1, 2, 4]), length=st.integers(1, 6))
def test_outputs_and_gradients_are_those_of_the_formula(seed: int, heads: int, length: int) -> None:
    torch.manual_seed(seed)
    attention = TargetAttention(8, heads, 6).double()
    torch.nn.init.normal_(attention.recency)
    target, keys, values = (
        torch.randn(size, dtype=torch.double, requires_grad=True)
        for size in ((3, 8), (3, length, 8), (3, length, 8))
    )
    real = torch.rand(3, length) < 0.7
    inputs = [target, keys, values, *attention.parameters()]
    found = attention(target, keys, values, real)
    expected = plain_attention(attention, target, keys, values, real)
    torch.testing.assert_close(found, expected)
    by = torch.randn(3, 8, dtype=torch.double)
    for own, other in zip(
        torch.autograd.grad(found, inputs, by), torch.autograd.grad(expected, inputs, by), strict=True
    ):
        torch.testing.assert_close(own, other)


def losses_of(kind: type[CtrNetwork], steps: int = 40) -> list[float]:
    """The loss of each step of AdamW, the same batches for every kind of network."""
    world = simulate_clicks(requests=600, users=40, items=30)
    torch.manual_seed(0)
    network = kind(world.shape).train()
    optimizer = build_adamw(network, 2e-3, 0.01)
    rng, found = np.random.default_rng(0), []
    for _ in range(steps):
        rows = rng.integers(0, len(world.impressions), 64)
        logits = network(make_batch(world.impressions, rows))
        log_p, log_none = log_click_probabilities(logits.attraction, logits.seen, logits.unseen)
        loss = click_loss(log_p, log_none, torch.from_numpy(world.impressions.clicked[rows]))
        gradient_step(optimizer, loss, network.parameters(), 1.0)
        found.append(float(loss.detach()))
    return found


def test_a_training_has_the_same_losses_to_a_millionth() -> None:
    found, expected = losses_of(CtrNetwork), losses_of(PlainNetwork)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.mean(found[-5:]) < np.mean(found[:5])


def test_each_item_of_the_histories_is_read_once() -> None:
    impressions = simulate_clicks(requests=50, users=10, items=30).impressions
    rows = np.arange(60)
    batch = make_batch(impressions, rows)
    history = impressions.history[impressions.request[rows]]
    kept = history[:, history.shape[1] - batch.kinds.shape[1] :]
    assert batch.actions[batch.history].tolist() == kept.tolist()
    assert len(set(batch.actions.tolist())) == len(batch.actions)
    np.testing.assert_array_equal(batch.action_vectors, impressions.item_vectors[batch.actions])
