"""What the click model of a bundle says of ads in a context, by the features that are online."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys import columns
from recsys.ads.selection.prediction import AdContext
from recsys.errors import ConfigError, StoreUnavailableError
from recsys.funnel.clicks.predictor import BundlePredictor
from recsys.funnel.clicks.relevance import attraction_spread
from recsys.funnel.online_features import FeatureRows
from recsys.instants import to_micros
from recsys.models.bundle import Bundle
from recsys.models.ctr.calibration import AttractionCalibration
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.model import CtrModel
from recsys.models.ctr.shape import CtrShape
from recsys.models.ctr.shop_model import LOGARITHM, ClickCodes, ClickFacts, ShopClickModel
from tests.fake_world import ITEMS, NOW, ShopFeatures, regulars, shop_bundle
from tests.models.ctr.ctr_cases import trained_looking

CODES = ClickCodes(("ad/home", "search"), ("bakery", "dairy", "fruit"), ())
FIRST_AT = to_micros(NOW - timedelta(days=30))


class AdsFeatures:
    """The features of ads_v1 of the corner shop; `reads` are round trips."""

    def __init__(self, inner: ShopFeatures) -> None:
        self.inner, self.reads = inner, 0

    def read_items(self, item_ids: Sequence[str]) -> FeatureRows:
        self.reads += 1
        rows = self.inner.read_items(item_ids)
        first = np.full(len(item_ids), FIRST_AT, np.int64)
        views = {**rows.views, columns.FIRST_AT: columns.ITEM_CONTENT}
        return replace(rows, columns={**rows.columns, columns.FIRST_AT: first}, views=views)

    def read(self, user_id: str, item_ids: Sequence[str]) -> tuple[FeatureRows, FeatureRows]:
        rows = self.read_items(item_ids)
        return self.inner.read_user(user_id), rows


class Words:
    """Encodes a query as the vector of the item that it names; anything else says nothing."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle, self.dimensions = bundle, bundle.text_vectors.shape[1]

    def encode(self, query: str) -> np.ndarray:
        return self._bundle.text_vectors[self._bundle.items.vocabulary.index(query)]


def bundle_with_clicks(query: int = 0, conversion: bool = True) -> Bundle:
    bundle = shop_bundle()
    shape = CtrShape(
        numbers=columns.CLICK_NUMBERS,
        logarithm=LOGARITHM,
        categories=CODES.sizes,
        items=len(bundle.items) - 1,
        vector=bundle.item_vectors.shape[1],
        kinds=len(columns.KINDS) + 1,
        history=2,
        query=query,
        surfaces=3,
        slots=3,
        conversion=conversion,
    )
    model = CtrModel(
        trained_looking(shape), tuple(AttractionCalibration("platt", 1, n / 4) for n in range(3))
    )
    facts = ClickFacts(100, 10, 0, 1, 1, conversion=0.25)
    return replace(bundle, click_model=ShopClickModel(model, CODES, facts))


def context(**said: object) -> AdContext:
    return AdContext(**{"surface": "home", "unit": "u", "now": NOW} | said)  # type: ignore[arg-type]


def test_estimates_are_those_of_the_model_for_the_same_impressions():
    bundle, features = bundle_with_clicks(), AdsFeatures(regulars())
    found = BundlePredictor(bundle, features).estimate(context(user_id="ann"), ["apple", "bread", "unknown"])
    index = bundle.items.vocabulary.indexes(["apple", "bread", "unknown"])
    user = regulars().read_user("ann").matrix(columns.USER_RANKING_FEATURES)
    items = features.read_items(["apple", "bread", "unknown"])
    numbers = np.full((3, len(columns.CLICK_NUMBERS)), np.nan, np.float32)
    numbers[:, : user.shape[1]] = user
    of_items = items.matrix(columns.ITEM_RANKING_FEATURES)
    numbers[:, user.shape[1] : user.shape[1] + of_items.shape[1]] = of_items
    said = dict(zip(columns.CLICK_NUMBERS, numbers.T, strict=True))
    said[columns.TIMES_IN_HISTORY][:] = [2, 0, 0]
    said[columns.SECONDS_SINCE_ITEM][0] = 2 * 86_400
    said[columns.SECONDS_SINCE_LAST][:] = 2 * 86_400
    said[columns.ITEM_AGE][:] = 30 * 86_400
    past = bundle.items.vocabulary.indexes(["milk", "apple"])  # the latest two
    vectors = bundle.item_vectors
    # The retriever reads the whole history.
    total = vectors[bundle.items.vocabulary.indexes(["apple", "milk", "apple"])].sum(0)
    rows = Impressions(
        np.zeros(3, np.int64), index, np.ones(3, np.int64), numbers, CODES.item_codes(bundle.items)[index],
        np.zeros(3, bool), np.zeros(3, bool), np.zeros(1, np.int64), np.array([1]),
        (total / np.linalg.norm(total)).astype(np.float32)[None], vectors, np.zeros((1, 0), np.float32),
        past[None], np.full((1, 2), columns.KIND_CODES[columns.PURCHASE]),
    )  # fmt: skip
    expected = bundle.click_model.model.predict(rows)
    np.testing.assert_allclose(found.attraction, expected.attraction, atol=1e-5)
    np.testing.assert_allclose(found.p_purchase, expected.conversion, atol=1e-5)


@pytest.mark.parametrize("user", [None, "ann"])
def test_features_are_read_in_one_round_trip(user: str | None):
    features = AdsFeatures(regulars())
    BundlePredictor(bundle_with_clicks(), features).estimate(context(user_id=user), list(ITEMS))
    assert features.reads == 1


def test_nothing_is_read_for_no_items():
    features = AdsFeatures(regulars())
    assert not len(BundlePredictor(bundle_with_clicks(), features).estimate(context(user_id="ann"), []))
    assert features.reads == 0


def test_a_store_that_is_away_is_said_to_be():
    features = AdsFeatures(regulars())
    features.inner.away = True
    with pytest.raises(StoreUnavailableError):
        BundlePredictor(bundle_with_clicks(), features).estimate(context(), ["apple"])


def test_relevance_is_by_the_query_else_the_page_else_the_user():
    bundle = bundle_with_clicks()
    predictor = BundlePredictor(bundle, AdsFeatures(regulars()), Words(bundle))
    asked = ["milk", "apple", "unknown"]
    by_query = predictor.estimate(context(query="milk", item_id="apple"), asked).relevance
    by_page = predictor.estimate(context(query="nonsense", item_id="apple"), asked).relevance
    by_user = predictor.estimate(context(user_id="vic"), asked).relevance
    assert by_query == pytest.approx([1, (1 + bundle.text_vectors[4] @ bundle.text_vectors[1]) / 2, 1])
    assert by_page == pytest.approx([0.5, 1, 1])  # categories are at right angles
    assert by_user == pytest.approx([0.5, 0.5, 1])  # Vic looked at bread
    assert predictor.estimate(context(), asked).relevance.tolist() == [1, 1, 1]  # nothing is known to fit


def test_places_are_sponsored_ones_else_organic_ones_else_any():
    predictor = BundlePredictor(bundle_with_clicks(), AdsFeatures(regulars()))
    levels = [
        predictor.estimate(context(surface=surface), ["apple"]).attraction[0]
        for surface in ("home", "search", "product")
    ]
    assert len(set(levels)) == 3
    model = bundle_with_clicks().click_model
    assert predictor.examination("home", 3) == pytest.approx(tuple(model.examination("ad/home", 3)))
    assert predictor.examination("search", 3) == pytest.approx(tuple(model.examination("search", 3)))
    assert predictor.examination("product", 3)[0] == 1


def test_without_a_head_for_purchases_the_shops_rate_stands_in():
    predictor = BundlePredictor(bundle_with_clicks(conversion=False), AdsFeatures(regulars()))
    assert predictor.estimate(context(), ["apple", "milk"]).p_purchase.tolist() == [0.25, 0.25]


def test_a_model_that_reads_queries_needs_their_encoder():
    bundle = bundle_with_clicks(query=bundle_with_clicks().text_vectors.shape[1])
    with pytest.raises(ConfigError, match="reads vectors of queries"):
        BundlePredictor(bundle, AdsFeatures(regulars()))
    predictor = BundlePredictor(bundle, AdsFeatures(regulars()), Words(bundle))
    with_query = predictor.estimate(context(query="milk"), ["apple"]).attraction
    assert with_query != pytest.approx(predictor.estimate(context(), ["apple"]).attraction)


def test_a_bundle_without_a_click_model_is_refused():
    with pytest.raises(ConfigError, match="has no click model"):
        BundlePredictor(shop_bundle(), AdsFeatures(regulars()))


@given(st.floats(0, 1), st.integers(0, 10**6))
def test_what_was_shown_more_often_is_surer(p: float, shown: int):
    found = attraction_spread(np.array([p, p]), np.array([shown, shown + 1], np.float64))
    assert np.isfinite(found).all()
    assert found[0] > found[1] > 0


def test_an_item_that_is_not_known_is_as_unsure_as_the_prior():
    assert attraction_spread(np.array([0.5]), np.array([np.nan])) == attraction_spread(
        np.array([0.5]), np.array([0.0])
    )
