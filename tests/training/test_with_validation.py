"""The evaluated bundle trained again, with the validation events in its training data."""

from dataclasses import replace

import numpy as np
import pytest
from recsys.training.with_validation import train_with_validation, training_and_validation

from recsys.dataset.split import TEST, leave_one_out_parts
from recsys.errors import DataError
from recsys.models.bundle import Bundle
from recsys.training.curves import CURVES_FILE
from recsys.training.job import TrainingJob
from recsys.training.pipeline import train_bundle
from recsys.training.scorers import bundle_scorers
from tests.training.test_pipeline import NOW, SETTINGS, job, two_tastes


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingJob, Bundle, Bundle]:
    """A bundle of the time split, and the same retrained for two epochs."""
    folder = tmp_path_factory.mktemp("runs")
    work, _ = job(two_tastes(), "time-split", folder / "first")
    bundle = train_bundle(work, "b1", NOW)
    return work, bundle, train_with_validation(replace(work, run_dir=folder / "again"), bundle, 2)


@pytest.mark.parametrize("protocol", ["time-split", "leave-one-out"])
def test_all_that_came_before_the_test_is_learned_from_and_nothing_of_it(protocol: str) -> None:
    shop = two_tastes()
    split = shop.split(protocol, SETTINGS.evaluation)
    known = training_and_validation(shop.interactions, split)
    tested = (
        shop.interactions.at >= split.test_start
        if split.test_start is not None
        else leave_one_out_parts(shop.interactions) == TEST
    )
    assert len(split.train) < len(known) == (~tested).sum()


def test_neighbours_and_counts_know_the_validation_events(
    trained: tuple[TrainingJob, Bundle, Bundle],
) -> None:
    work, bundle, again = trained
    known = training_and_validation(work.shop.interactions, work.split)
    assert bundle.signal_tables.item_events.sum() == len(work.split.train)
    assert again.signal_tables.item_events.sum() == len(known)
    assert again.arrays()["neighbour_scores"].sum() != bundle.arrays()["neighbour_scores"].sum()
    assert np.array_equal(again.popularity, bundle.popularity)  # it always was that of the test's day


def test_the_network_is_another_and_has_all_the_epochs_asked_for(
    trained: tuple[TrainingJob, Bundle, Bundle],
) -> None:
    work, bundle, again = trained
    assert not np.allclose(again.item_vectors, bundle.item_vectors)
    curves = (work.run_dir.parent / "again" / "retriever" / CURVES_FILE).read_text()
    assert '"best_epoch": 2' in curves


def test_fusion_and_ranker_are_those_of_the_evaluated_bundle(
    trained: tuple[TrainingJob, Bundle, Bundle],
) -> None:
    _, bundle, again = trained
    assert again.fusion is bundle.fusion
    assert again.ranker is bundle.ranker


def test_it_recommends_through_the_same_funnel(trained: tuple[TrainingJob, Bundle, Bundle]) -> None:
    work, _, again = trained
    cases = work.split.test
    served = bundle_scorers(again, work.shop.interactions, cases, work.features, 15, True)[-1]
    scores = served.score(cases)
    scores[:, 0] = -np.inf
    best_five = np.argsort(-scores, axis=1)[:, :5]
    own_half = (best_five > 10) == (cases.user_index % 2 == 0)[:, None]
    assert own_half.mean() > 0.95


def test_a_bundle_that_goes_on_from_another_is_rejected(trained: tuple[TrainingJob, Bundle, Bundle]) -> None:
    work, bundle, _ = trained
    child = replace(bundle, manifest=bundle.manifest.model_copy(update={"parent": "b0"}))
    with pytest.raises(DataError, match="'b1' goes on from 'b0'"):
        train_with_validation(work, child, 2)
