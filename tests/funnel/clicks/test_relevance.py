"""How well ads fit what a place is about, where no click model says more: by the bundle's vectors."""

import numpy as np

from recsys.ads.selection.prediction import AdContext, SmoothedRates
from recsys.funnel.clicks.relevance import ContextRelevance, RelevantRates
from tests.fake_world import NOW, shop_bundle

BUNDLE = shop_bundle()
ASKED = ["apple", "milk", "nobody"]


def context(category: str | None = None, item_id: str | None = None) -> AdContext:
    return AdContext("category", "session:s", NOW, category=category, item_id=item_id)


def test_items_of_the_category_that_is_shown_fit_best() -> None:
    items = BUNDLE.items.vocabulary.indexes(ASKED)
    of_fruit = ContextRelevance(BUNDLE).of(context("fruit"), items)
    assert of_fruit[0] > of_fruit[1]
    assert of_fruit[2] == 1  # not known to the bundle: nothing speaks against it
    fruit = BUNDLE.text_vectors[
        [BUNDLE.items.vocabulary.index(name) for name in ("apple", "banana", "cherry")]
    ]
    mean = fruit.sum(0) / np.linalg.norm(fruit.sum(0))
    assert np.isclose(of_fruit[0], (mean @ fruit[0] + 1) / 2)


def test_a_category_that_nobody_knows_and_no_place_at_all_say_nothing() -> None:
    items = BUNDLE.items.vocabulary.indexes(ASKED)
    for unknown in (context("wine"), context()):
        assert ContextRelevance(BUNDLE).of(unknown, items).tolist() == [1, 1, 1]


def test_rates_without_a_click_model_keep_their_attraction_and_get_the_relevance() -> None:
    rates = SmoothedRates(rate=0.03, version="rates")
    predictor = RelevantRates(rates, ContextRelevance(BUNDLE), BUNDLE)
    found = predictor.estimate(context(item_id="banana"), ASKED)
    assert found.attraction.tolist() == [0.03] * 3
    assert found.relevance[0] > found.relevance[1]
    assert (predictor.version, predictor.examination("home", 2)) == ("rates", rates.examination("home", 2))
