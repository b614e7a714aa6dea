"""A shop's click model: codes of names, examination of places, new items, and what is written comes back."""

from dataclasses import replace

import numpy as np
import pytest

from recsys import columns
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.errors import ArtifactMismatchError
from recsys.models.ctr.calibration import AttractionCalibration
from recsys.models.ctr.model import NEW_BELOW, CtrModel
from recsys.models.ctr.shop_model import LOGARITHM, ClickCodes, ClickFacts, ShopClickModel
from tests.models.ctr.ctr_cases import SHAPE, impressions, trained_looking

CODES = ClickCodes(("ad/home", "home"), ("tea",), ("ada", "bob"))
FACTS = ClickFacts(10, 3, 0, 9, 7)


def shop_model() -> ShopClickModel:
    shape = replace(
        SHAPE, numbers=columns.CLICK_NUMBERS, logarithm=LOGARITHM, categories=CODES.sizes, surfaces=3
    )
    raised = AttractionCalibration("platt", 1.0, 1.0)
    shown = np.array([0, NEW_BELOW, NEW_BELOW - 1, NEW_BELOW, NEW_BELOW, NEW_BELOW])
    model = CtrModel(trained_looking(shape), (AttractionCalibration(),) * 3, (raised,) * 3, shown)
    return ShopClickModel(model, CODES, FACTS)


def test_names_have_codes_from_one_and_others_are_zero():
    items = ItemTable(
        Vocabulary(("", "a", "b")), ("", "A", "B"), ("", "tea", "new"), ("", "bob", ""),
        np.zeros(3, np.int64), np.ones(3, bool), ("{}",) * 3,
    )  # fmt: skip
    assert CODES.item_codes(items).tolist() == [[0, 0], [1, 2], [0, 0]]
    assert CODES.place_codes(["home", "ad/home", "ad/search"]).tolist() == [2, 1, 0]
    assert CODES.sizes == (("category", 2), ("brand", 3))


def test_examination_begins_at_one_and_does_not_rise_and_goes_on_beyond_the_last_slot():
    found = shop_model().examination("ad/home", 6)
    assert found[0] == 1
    assert (np.diff(found) <= 0).all()
    assert found[5] == found[2]


def test_an_unknown_place_is_looked_at_as_all_places_are():
    model = shop_model()
    known = [model.model.examination(code) for code in (1, 2)]
    assert model.examination("ad/search", 3) == pytest.approx(np.minimum.accumulate(np.mean(known, axis=0)))


def test_new_items_have_a_calibration_of_their_own():
    model = shop_model().model
    found = model.attraction(1, np.array([1, 2, 0, 9]), np.zeros(4))
    assert found[0] == pytest.approx(0.5)
    assert found[1:] == pytest.approx(
        [1 / (1 + np.exp(-1))] * 3
    )  # seldom shown, unknown, later than training


def test_a_model_that_does_not_know_what_it_was_shown_has_no_new_items():
    model = CtrModel(trained_looking(), (AttractionCalibration(),) * 2)
    rows = impressions()
    assert model.predict(rows).attraction == pytest.approx(replace(model).predict(rows).attraction)


def test_what_is_described_comes_back():
    model = shop_model()
    again = ShopClickModel.rebuild(model.describe(), model.tensors())
    assert (again.codes, again.facts) == (CODES, FACTS)
    item, odds = np.array([1, 2]), np.array([0.3, 0.4])
    assert again.model.attraction(0, item, odds) == pytest.approx(model.model.attraction(0, item, odds))


def test_a_model_of_other_features_is_refused():
    model = shop_model()
    description = model.describe()
    shape = {
        **description["model"]["shape"],
        "numbers": ["other", *columns.CLICK_NUMBERS[1:]],
        "logarithm": [],
    }
    broken = {**description, "model": {**description["model"], "shape": shape}}
    with pytest.raises(ArtifactMismatchError, match="other features"):
        ShopClickModel.rebuild(broken, model.tensors())
