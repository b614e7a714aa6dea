"""The training in which validation events only choose, as published models are trained."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.dataset.split import known_before_test
from recsys.errors import DataError
from recsys.models.bundle import Bundle
from recsys.models.fusion import initial_fusion
from recsys.training.curves import CURVES_FILE
from recsys.training.job import TrainingJob
from recsys.training.pipeline import EARLY, train_bundle
from recsys.training.retriever.checkpoint import STATE_FILE
from recsys.training.scorers import bundle_scorers
from recsys.training.validation_chooses import train_validation_chooses
from tests.training.test_pipeline import NOW, job, own_half, two_tastes

Trained = tuple[TrainingJob, Bundle, Bundle]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A bundle of the time split, and the same where validation only chooses."""
    work, _ = job(two_tastes(), "time-split", tmp_path_factory.mktemp("runs"))
    bundle = train_bundle(work, "b1", NOW)
    return work, bundle, train_validation_chooses(work, bundle, work.run_dir / EARLY)


def test_neighbours_and_counts_know_nothing_of_the_validation_events(trained: Trained) -> None:
    work, bundle, chosen = trained
    train, known = work.split.train, known_before_test(work.shop.interactions, work.split)
    assert chosen.signal_tables.item_events.tolist() == np.bincount(train.item_index, minlength=21).tolist()
    assert bundle.signal_tables.item_events.tolist() == np.bincount(known.item_index, minlength=21).tolist()
    assert chosen.popularity.tolist() == bundle.popularity.tolist(), "what is popular is no parameter"


def test_the_network_is_the_one_that_fusion_was_learned_over_and_not_the_served_one(trained: Trained) -> None:
    work, bundle, chosen = trained
    state = (work.run_dir / EARLY / STATE_FILE).stat().st_mtime_ns
    again = train_validation_chooses(work, bundle, work.run_dir / EARLY)
    assert (work.run_dir / EARLY / STATE_FILE).stat().st_mtime_ns == state, "nothing was trained"
    assert np.array_equal(again.item_vectors, chosen.item_vectors)
    assert not np.allclose(chosen.item_vectors, bundle.item_vectors)
    assert (work.run_dir / EARLY / CURVES_FILE).exists()


def test_nothing_is_fitted_to_validation_by_gradient(trained: Trained) -> None:
    """The network over the signals adds nothing; the prior's eight weights are chosen, as is the epoch."""
    _, bundle, chosen = trained
    untouched = initial_fusion(bundle.fusion.shape.hidden)
    for name, tensor in chosen.fusion.state_dict().items():
        assert np.array_equal(tensor.numpy(), untouched.state_dict()[name].numpy()), name
    assert chosen.ranker is None
    assert not chosen.manifest.orders


def test_the_evaluated_bundle_stays_as_it_is(trained: Trained) -> None:
    work, bundle, chosen = trained
    assert bundle.ranker is not None
    assert bundle.manifest.orders
    assert chosen.manifest.bundle_id == "b1-chosen"
    assert chosen.fusion is not bundle.fusion
    assert list(work.run_dir.glob("*chosen*")) == []


def test_it_recommends_through_the_same_funnel(trained: Trained) -> None:
    work, _, chosen = trained
    cases = work.split.test
    served = bundle_scorers(chosen, work.shop.interactions, cases, work.features, 15, True)[-1]
    assert own_half(served, cases) > 0.95


def test_a_bundle_that_goes_on_from_another_is_rejected(trained: Trained) -> None:
    work, bundle, _ = trained
    child = replace(bundle, manifest=bundle.manifest.model_copy(update={"parent": "b0"}))
    with pytest.raises(DataError, match="'b1' goes on from 'b0'"):
        train_validation_chooses(work, child, work.run_dir / EARLY)
