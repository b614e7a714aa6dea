"""One user's vector in numpy against the torch path, for networks and histories of many shapes."""

from functools import cache

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.dataset.interactions import Histories
from recsys.models.retriever.attributes import AttributeVocabulary
from recsys.models.retriever.retriever import Retriever
from recsys.models.retriever.shape import RetrieverShape

ITEMS = 30
NOW = 1_770_000_000


@cache
def retriever_of(layers: int, heads: int, clock: bool, season: bool, seed: int = 0) -> Retriever:
    """One whose every weight has been moved from where it began."""
    shape = RetrieverShape(
        items=ITEMS,
        text_dimensions=4,
        text=4,
        tokens=2,
        width=8 * heads,
        layers=layers,
        heads=heads,
        history_length=12,
        dropout=0.1,
        clock=clock,
        season=season and clock,
    )
    torch.manual_seed(seed)
    retriever = Retriever(shape, AttributeVocabulary.fit([]))
    with torch.no_grad():
        for weight in retriever.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return retriever.eval()


@st.composite
def histories(draw: st.DrawFn) -> Histories:
    """One history in a padded row, its actions at the end, oldest first."""
    length = draw(st.integers(1, 20))
    known = draw(st.integers(0, length))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    real = np.arange(length) >= length - known
    gaps = rng.choice([0, 1, 60, 86_400, 40_000_000], length)
    return Histories(
        items=np.where(real, rng.integers(1, ITEMS + 1, length), 0)[None],
        kinds=np.where(real, rng.integers(1, 4, length), 0)[None],
        at_seconds=np.where(real, NOW - np.cumsum(gaps[::-1])[::-1], 0)[None],
        request_at_seconds=np.array([NOW + draw(st.integers(0, 10_000_000))]),
    )


@settings(deadline=None, max_examples=60)
@given(
    histories(),
    st.integers(1, 3),
    st.integers(1, 2),
    st.booleans(),
    st.booleans(),
)
def test_a_single_user_gets_the_vector_that_torch_gives(
    history: Histories, layers: int, heads: int, clock: bool, season: bool
) -> None:
    retriever = retriever_of(layers, heads, clock, season)
    vectors = retriever.item_vectors()
    by_torch = retriever.user_vectors(history)  # without the vectors at hand the tower is torch's
    alone = retriever.user_vectors(history, vectors)
    np.testing.assert_allclose(alone, by_torch, rtol=1e-5, atol=1e-6)
    assert alone.shape == (1, 8 * heads)
    assert alone.dtype == np.float32
    both = history.take(np.zeros(2, np.int64))
    np.testing.assert_allclose(alone[[0, 0]], retriever.user_vectors(both, vectors), rtol=1e-5, atol=1e-6)


def test_what_torch_learns_is_in_the_next_answer() -> None:
    retriever = retriever_of(1, 2, clock=True, season=False, seed=1)
    vectors = retriever.item_vectors()
    history = Histories(np.array([[3]]), np.array([[1]]), np.array([[NOW]]), np.array([NOW + 5]))
    before = retriever.user_vectors(history, vectors)
    with torch.no_grad():
        retriever.behaviour_out.weight += torch.randn_like(retriever.behaviour_out.weight)
    after = retriever.user_vectors(history, vectors)
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, retriever.user_vectors(history), rtol=1e-5, atol=1e-6)
