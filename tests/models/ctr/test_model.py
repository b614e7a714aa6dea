import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from recsys.errors import ArtifactMismatchError, ConfigError, DataError
from recsys.models.ctr.calibration import AttractionCalibration
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.model import CtrModel, predict_raw
from recsys.models.ctr.network import CtrNetwork
from recsys.models.ctr.shape import CtrShape
from tests.models.ctr.ctr_cases import SHAPE, impressions, trained_looking

CALIBRATIONS = (AttractionCalibration("platt", 0.5, -1.0), AttractionCalibration())


def model() -> CtrModel:
    return CtrModel(trained_looking(), CALIBRATIONS)


def test_a_click_needs_a_look_and_a_purchase_a_click():
    found = model().predict(impressions())
    np.testing.assert_allclose(found.p_click, found.attraction * found.examination)
    np.testing.assert_allclose(found.p_purchase, found.p_click * found.conversion)
    assert ((found.p_purchase >= 0) & (found.p_purchase <= found.p_click) & (found.p_click <= 1)).all()


def test_attraction_does_not_know_the_slot_and_examination_not_the_item():
    shown = impressions()
    moved = model().predict(replace(shown, slot=np.full(len(shown), 3)))
    np.testing.assert_allclose(moved.attraction, model().predict(shown).attraction)
    same_place = replace(shown, slot=np.full(len(shown), 2), surface=np.zeros(len(shown), np.int64))
    assert len(np.unique(model().predict(same_place).examination)) == 1


def test_each_surface_has_its_own_calibration():
    shown, raw = impressions(), predict_raw(trained_looking(), impressions())
    expected = np.where(shown.surfaces == 0, 0.5 * raw.log_odds - 1.0, raw.log_odds)
    np.testing.assert_allclose(model().predict(shown).attraction, 1 / (1 + np.exp(-expected)))


def test_examination_of_a_surface_begins_at_one():
    found = model().examination(1)
    assert found[0] == 1
    assert found.shape == (3,)
    shown = replace(impressions(), slot=np.full(12, 2), surface=np.ones(12, np.int64))
    np.testing.assert_allclose(model().predict(shown).examination, found[1])


def test_padding_and_company_change_no_prediction():
    shown = impressions()
    whole = model().predict(shown).p_click
    alone = [model().predict(shown.take(np.array([row]))).p_click[0] for row in range(len(shown))]
    np.testing.assert_allclose(alone, whole, rtol=1e-4)
    other = replace(shown, history=np.where(shown.history_kinds > 0, shown.history, 5))
    np.testing.assert_allclose(model().predict(other).p_click, whole, rtol=1e-6)


@pytest.mark.parametrize("name", ["user_vectors", "numbers", "query_vectors", "history_kinds", "item"])
def test_every_input_counts(name):
    shown = impressions()
    if name == "history_kinds":
        changed = np.where(shown.history_kinds > 0, 3 - shown.history_kinds, 0)
    elif name == "item":
        changed = (shown.item + 1) % 6
    else:
        changed = getattr(shown, name) + 1
    network = trained_looking()
    before = predict_raw(network, shown).log_odds
    assert (np.abs(before - predict_raw(network, replace(shown, **{name: changed})).log_odds) > 1e-6).all()


def test_labels_change_no_prediction():
    shown = impressions()
    other = replace(shown, clicked=~shown.clicked, converted=~shown.converted)
    np.testing.assert_array_equal(model().predict(shown).p_click, model().predict(other).p_click)


def test_before_training_all_items_attract_alike():
    with torch.random.fork_rng():
        raw = predict_raw(CtrNetwork(SHAPE).eval(), impressions())
    assert (raw.log_odds == 0).all()


def test_without_a_second_head_conversions_are_unknown():
    network = trained_looking(replace(SHAPE, conversion=False))
    assert np.isnan(predict_raw(network, impressions()).conversion).all()


def test_a_model_comes_back_from_json_and_safetensors():
    first = model()
    description = json.loads(json.dumps(first.describe()))
    tensors = safetensors.torch.load(safetensors.torch.save(first.tensors()))
    second = CtrModel.rebuild(description, tensors)
    assert second.shape == first.shape
    np.testing.assert_array_equal(
        second.predict(impressions()).p_purchase, first.predict(impressions()).p_purchase
    )


def test_tensors_of_another_shape_are_refused():
    description = model().describe()
    with pytest.raises(ArtifactMismatchError, match="Train it again"):
        CtrModel.rebuild(description, CtrNetwork(replace(SHAPE, width=8)).state_dict())
    with pytest.raises(ArtifactMismatchError, match="of this version"):
        CtrModel.rebuild({**description, "shape": {"numbers": []}}, {})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"numbers": np.zeros((12, 3), np.float32)}, "numbers of the impressions have 3 columns"),
        ({"item": np.full(12, 6)}, "codes of item reach from 6 to 6"),
        ({"categories": np.full((12, 1), -1)}, "codes of brand reach from -1"),
        ({"surface": np.full(12, 2)}, "codes of surface"),
    ],
)
def test_what_the_network_does_not_read_is_refused(changed, message):
    with pytest.raises(DataError, match=message):
        model().predict(replace(impressions(), **changed))


def test_longer_histories_are_refused():
    long = np.ones((12, 5), np.int64)
    with pytest.raises(DataError, match="Keep the latest"):
        model().predict(replace(impressions(), history=long, history_kinds=long))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"item": np.zeros(3, np.int64)}, "differ in length"),
        ({"surface": np.zeros(3, np.int64)}, "differ in length"),
        ({"user_vectors": np.zeros((12, 2), np.float32)}, "one retriever"),
        ({"request": np.full(12, 12)}, "names request 12 of 12"),
    ],
)
def test_columns_that_do_not_fit_are_refused(changed, message):
    with pytest.raises(DataError, match=message):
        replace(impressions(), **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"width": 0}, "width"), ({"width": 5}, "multiple of heads"), ({"logarithm": ("x",)}, "x")],
)
def test_sizes_that_make_no_network_are_refused(changed, message):
    with pytest.raises(ConfigError, match=message):
        replace(SHAPE, **changed)


def test_a_conversion_without_a_click_counts_as_none():
    shown = replace(impressions(), converted=np.ones(12, bool))
    np.testing.assert_array_equal(shown.bought, shown.clicked)


def test_taken_rows_keep_their_requests():
    taken = impressions().take(np.array([5, 2]))
    assert isinstance(taken, Impressions)
    assert taken.users.tolist() == [2, 1]


def test_a_shape_comes_back_from_json():
    assert CtrShape.rebuild(json.loads(json.dumps(SHAPE.describe()))) == SHAPE
