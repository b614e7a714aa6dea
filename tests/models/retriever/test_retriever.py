import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st
from scipy import sparse

from recsys.config import RetrieverSettings
from recsys.dataset.interactions import Histories
from recsys.errors import ArtifactMismatchError, ConfigError
from recsys.models.retriever.build import build_retriever
from recsys.models.retriever.retriever import Retriever
from recsys.models.retriever.user_tower import Places, UserTower

NOW = 1_700_000_000


def histories(rows: list[list[tuple[int, int, int]]], length: int, now: int = NOW) -> Histories:
    """Rows of (item, kind, seconds before now), oldest first, padded on the left to `length`."""
    arrays = np.zeros((3, len(rows), length), np.int64)
    for place, row in enumerate(rows):
        for column, (item, kind, ago) in enumerate(reversed(row)):
            arrays[:, place, length - 1 - column] = item, kind, now - ago
    return Histories(*arrays, np.full(len(rows), now))


ROW = [(3, 8, 9000), (5, 3, 400), (7, 6, 30)]


def test_vectors_have_unit_length_and_padding_is_zero(retriever):
    items = retriever.item_vectors()
    users = retriever.user_vectors(histories([ROW, []], 6))
    assert items.shape == (41, 16)
    assert items.dtype == users.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(items[1:], axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(users[0]), 1, atol=1e-5)
    assert not items[0].any()
    assert not users[1].any()


@pytest.mark.parametrize("length", [3, 4, 6])
def test_padding_on_the_left_changes_nothing(retriever, length):
    narrow = retriever.user_vectors(histories([ROW], 3))
    padded = retriever.user_vectors(histories([ROW], length))
    beside_a_longer_one = retriever.user_vectors(histories([ROW, ROW + ROW], 6))[:1]
    np.testing.assert_allclose(narrow, padded, atol=1e-6)
    np.testing.assert_allclose(narrow, beside_a_longer_one, atol=1e-6)


def test_actions_before_the_models_length_are_forgotten(retriever):
    long = [(9, 8, 99_000), (8, 8, 98_000), *ROW, *ROW]
    np.testing.assert_allclose(
        retriever.user_vectors(histories([long], 8)),
        retriever.user_vectors(histories([long[2:]], 6)),
        atol=1e-6,
    )


def test_a_later_action_never_changes_an_earlier_state(retriever):
    changed = [*ROW[:2], (11, 3, 10)]
    states = []
    for row in (ROW, changed):
        h = histories([row], 3)
        items = torch.from_numpy(h.items)
        vectors = retriever.item_tower(items.reshape(-1)).view(1, 3, -1)
        states.append(retriever.states(vectors, torch.from_numpy(h.kinds), torch.from_numpy(h.at_seconds)))
    torch.testing.assert_close(states[0][:, :2], states[1][:, :2])
    assert (states[0][:, 2] - states[1][:, 2]).abs().max() > 1e-3


@settings_of(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=5),
    layers=st.integers(1, 2),
    clock=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_wanted_places_have_the_states_and_gradients_of_the_whole_pass(lengths, layers, clock, seed):
    torch.manual_seed(seed)
    tower = UserTower(width=8, layers=layers, heads=2, length=6, dropout=0.3, clock=clock).eval()
    kinds = (torch.arange(7).flip(0) < torch.tensor(lengths)[:, None]).long() * 3  # padded on the left
    at_seconds = torch.randint(0, 100_000, kinds.shape).sort(1).values
    wanted = torch.rand(kinds.shape) < 0.5
    wanted[0, -1] = True
    row, position = wanted.nonzero(as_tuple=True)
    results = []
    some = Places.of(row.numpy(), position.numpy(), len(kinds), kinds.device)
    for places in (None, some):
        tower.zero_grad()
        vectors = torch.randn(*kinds.shape, 8, generator=torch.Generator().manual_seed(seed))
        vectors.requires_grad_()
        states = tower(vectors, kinds, at_seconds, places)
        states = states[row, position] if places is None else states
        (states * torch.arange(1.0, 9.0)).cos().sum().backward()
        results.append([states, vectors.grad, *(weight.grad for weight in tower.parameters())])
    for whole, apart in zip(*results, strict=True):
        torch.testing.assert_close(whole, apart, atol=1e-5, rtol=1e-4)


def test_places_have_slots_by_history_and_are_padded_with_zeros():
    places = Places.of(np.array([0, 0, 2]), np.array([1, 4, 3]), 3, torch.device("cpu"))
    assert (places.slot.tolist(), places.slots) == ([0, 1, 0], 2)
    assert places.padded(places.position, 3).tolist() == [[1, 4], [0, 0], [3, 0]]


def test_order_kinds_gaps_and_the_hour_all_matter(retriever):
    base = retriever.user_vectors(histories([ROW], 6))
    others = {
        "order": histories([[(5, 3, 9000), (3, 8, 400), (7, 6, 30)]], 6),
        "kind": histories([[(3, 3, 9000), *ROW[1:]]], 6),
        "gap": histories([[(3, 8, 900_000), *ROW[1:]]], 6),
        "hour": histories([ROW], 6, NOW + 6 * 3600),
    }
    for name, other in others.items():
        assert np.abs(retriever.user_vectors(other) - base).max() > 1e-4, name


def test_without_a_clock_instants_mean_nothing(settings, catalog, text_vectors):
    model = build_retriever(settings, catalog, text_vectors, None, clock=False)
    early, late = histories([ROW], 6), histories([[(3, 8, 9), (5, 3, 8), (7, 6, 7)]], 6, NOW + 50_000)
    np.testing.assert_array_equal(model.user_vectors(early), model.user_vectors(late))


def test_rebuilt_from_json_and_tensors_it_answers_the_same(retriever):
    description = json.loads(json.dumps(retriever.describe()))
    tensors = {name: tensor.clone() for name, tensor in retriever.state_dict().items()}
    again = Retriever.rebuild(description, tensors)
    assert not again.training
    np.testing.assert_array_equal(again.item_vectors(), retriever.item_vectors())
    h = histories([ROW, ROW[1:]], 6)
    np.testing.assert_array_equal(again.user_vectors(h), retriever.user_vectors(h))


@pytest.mark.parametrize("harm", ["shape", "tensor", "field"])
def test_tensors_that_do_not_fit_are_refused(retriever, harm):
    description, tensors = retriever.describe(), dict(retriever.state_dict())
    if harm == "shape":
        description["shape"]["width"] = 32
    elif harm == "tensor":
        del tensors["item_tower.residual"]
    else:
        description["shape"]["wings"] = 2
    with pytest.raises(ArtifactMismatchError, match="Train the bundle again"):
        Retriever.rebuild(description, tensors)


def test_asking_a_model_in_training_uses_no_dropout_and_leaves_it_in_training(retriever):
    expected = retriever.user_vectors(histories([ROW], 6))
    retriever.train()
    np.testing.assert_array_equal(retriever.user_vectors(histories([ROW], 6)), expected)
    assert retriever.training


def test_a_new_item_with_known_content_stands_where_the_same_item_without_residual_stands(
    retriever, catalog, text_vectors
):
    from recsys.models.retriever.attributes import attribute_rows

    with torch.no_grad():
        retriever.item_tower.residual[4] = 0
    new = retriever.new_item_vectors(text_vectors[4:5], [attribute_rows(catalog)[4]])
    np.testing.assert_allclose(new, retriever.item_vectors()[4:5], atol=1e-5)


def test_items_start_where_the_graph_puts_them(settings, catalog, text_vectors):
    edges = [(a, a + 1) for a in range(1, 10)] + [(a, a + 1) for a in range(21, 30)]
    rows, columns = np.array(edges).T
    graph = sparse.csr_matrix((np.ones(len(edges), np.float32), (rows, columns)), shape=(41, 41))
    vectors = build_retriever(settings, catalog, text_vectors, graph, clock=True).item_vectors()
    # 5 and 6 are neighbours, 5 and 25 are in different components.
    assert vectors[5] @ vectors[6] > 0.5 > vectors[5] @ vectors[25]


def test_a_catalog_without_text_or_attributes_still_has_distinct_items(settings, catalog):
    from dataclasses import replace

    bare = replace(
        catalog,
        categories=("",) * 41,
        attributes=("{}",) * 41,
        price_micros=np.full(41, -1),
    )
    model = build_retriever(settings, bare, np.zeros((41, 1), np.float32), None, clock=False)
    assert model.item_vectors().shape == (41, 16)
    assert not model.item_vectors().any()  # nothing is known of them before training
    model.item_tower.residual.data.normal_()
    np.testing.assert_allclose(np.linalg.norm(model.item_vectors()[1:], axis=1), 1, atol=1e-5)


def test_a_width_that_the_heads_cannot_share_is_named(catalog, text_vectors):
    with pytest.raises(ConfigError, match="width 10 does not divide"):
        build_retriever(RetrieverSettings(width=10, heads=4), catalog, text_vectors, None, clock=True)
