from dataclasses import replace

import numpy as np
import pytest

from recsys import metrics
from recsys.errors import ConfigError, DataError
from recsys.evaluation.ctr.simulated import EXAMINATION, SimulatedClicks, simulate_clicks
from recsys.models.ctr.calibration import AttractionCalibration
from recsys.models.ctr.impressions import Impressions
from recsys.training.ctr.baselines import ItemRate
from recsys.training.ctr.loop import MONITOR, TrainedCtr, kept_rows, train_ctr
from recsys.training.ctr.settings import CtrSettings

SETTINGS = CtrSettings(epochs=3, learning_rate=4e-3)


@pytest.fixture(scope="module")
def world() -> SimulatedClicks:
    return simulate_clicks(requests=4000, users=60, items=30)


def part(world: SimulatedClicks, rows: np.ndarray) -> Impressions:
    return world.impressions.take(np.flatnonzero(rows))


@pytest.fixture(scope="module")
def trained(world) -> TrainedCtr:
    return train_ctr(part(world, world.day < 6), part(world, world.day == 6), world.shape, SETTINGS)


def test_the_order_is_nearly_that_of_the_true_probabilities(world, trained):
    last = world.day == 7
    test, truth = part(world, last), world.p_click[last]
    auc = metrics.auc(test.clicked, trained.model.predict(test).p_click)
    assert auc > 0.9 * metrics.auc(test.clicked, truth)
    rates = ItemRate(part(world, world.day < 6)).predict(test)
    assert auc > metrics.auc(test.clicked, rates) + 0.03


def test_probabilities_are_near_the_truth_at_each_slot(world, trained):
    last = world.day == 7
    test, truth = part(world, last), world.p_click[last]
    p = trained.model.predict(test).p_click
    assert p.sum() / truth.sum() == pytest.approx(1, abs=0.15)
    for slot in range(1, 5):
        rows = test.slot == slot
        assert p[rows].sum() / truth[rows].sum() == pytest.approx(1, abs=0.25)


def test_later_slots_are_looked_at_less_and_those_of_the_second_surface_least(trained):
    first, second = (trained.model.examination(surface) for surface in range(len(EXAMINATION)))
    assert (np.diff(first) < 0).all()
    assert (np.diff(second) < 0).all()
    assert (second[1:] < first[1:]).all()


def test_conversions_are_those_of_all_impressions(world, trained):
    last = world.day == 7
    truth = (world.p_click * world.conversion)[last]
    p = trained.model.predict(part(world, last)).p_purchase
    assert p.sum() / truth.sum() == pytest.approx(1, abs=0.25)
    assert np.corrcoef(p, truth)[0, 1] > 0.6


def test_down_sampling_leaves_the_probabilities_where_they_were(world):
    settings = replace(SETTINGS, kept=0.3)
    model = train_ctr(part(world, world.day < 6), part(world, world.day == 6), world.shape, settings).model
    uncalibrated = replace(model, calibrations=(AttractionCalibration(),) * 2)
    last = world.day == 7
    p = uncalibrated.predict(part(world, last)).p_click
    assert p.sum() / world.p_click[last].sum() == pytest.approx(1, abs=0.2)  # without correction about 2


def test_the_same_seed_gives_the_same_model(world):
    few, held = part(world, world.day == 0), part(world, world.day == 6)
    settings = CtrSettings(epochs=1)
    first, second = (
        train_ctr(few, held, world.shape, settings).model.predict(held).p_click for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_one_batch_can_be_learned_by_heart(world):
    few = world.impressions.take(np.arange(64))
    settings = CtrSettings(epochs=80, patience=80, learning_rate=1e-2, weight_decay=0.0, unknown=0.0)
    shape = replace(world.shape, dropout=0.0, slots=0)
    model = train_ctr(few, few, shape, settings).model
    assert metrics.auc(few.clicked, model.predict(few).p_click) > 0.99


def test_the_best_epoch_is_kept_and_training_ends_when_nothing_improves(world):
    few, held = part(world, world.day == 0), part(world, world.day == 6)
    settings = CtrSettings(epochs=30, patience=2, learning_rate=2e-2, weight_decay=0.0)
    found = train_ctr(few, held, world.shape, settings)
    assert len(found.curves.epochs) == found.curves.best_epoch + 2 < 30
    p = found.model.predict(held).p_click
    assert metrics.log_loss(held.clicked, p) == pytest.approx(-found.curves.best, abs=0.02)
    assert found.curves.monitor == MONITOR


def test_every_click_and_a_share_of_the_others_are_kept(world):
    train = world.impressions
    rows = kept_rows(train, 0.25, np.random.default_rng(0))
    assert train.clicked[rows].sum() == train.clicked.sum()
    assert (~train.clicked[rows]).sum() / (~train.clicked).sum() == pytest.approx(0.25, abs=0.02)
    assert len(np.unique(rows)) == len(rows)


def test_impressions_without_any_click_are_refused(world):
    train = part(world, world.day == 0)
    none = replace(train, clicked=np.zeros(len(train), bool))
    with pytest.raises(DataError, match="0 of the 2000 training impressions"):
        train_ctr(none, train, world.shape)
    with pytest.raises(DataError, match="held-out"):
        train_ctr(train, none, world.shape)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"kept": 0.0}, {"unknown": 1.0}])
def test_settings_that_make_no_training_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        CtrSettings(**wrong)
