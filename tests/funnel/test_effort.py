"""What an answer leaves out with each rung of effort."""

from dataclasses import replace

import pytest

from recsys import columns
from recsys.errors import StoreUnavailableError
from recsys.funnel.online_features import bounded_source
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import EFFORT_DEGRADATIONS, Effort, RecommendRequest, SimilarRequest
from recsys.funnel.slate import ONLINE_FEATURES_UNAVAILABLE, Slate
from recsys.models.bundle import Bundle
from recsys.service_settings import ServingSettings
from tests.fake_world import NOW, FeatureRanker, ShopFeatures, regulars, shop_bundle

SETTINGS = ServingSettings(diversity=0.0, candidates=15)
ASKED = RecommendRequest("r1", user_id="ann", k=3)


@pytest.fixture
def bundle() -> Bundle:
    return replace(shop_bundle(), ranker=FeatureRanker())


def slate_of(bundle: Bundle, effort: Effort, features: ShopFeatures | None = None) -> Slate:
    recommender = Recommender(bundle, features or regulars(), SETTINGS)
    return recommender.with_effort(effort).recommend(ASKED, NOW)


def test_every_rung_but_the_first_has_a_code() -> None:
    assert Effort.FULL.codes == ()
    assert [code for effort in Effort for code in effort.codes] == list(EFFORT_DEGRADATIONS)


def test_with_fewer_candidates_a_fifth_is_ranked(bundle: Bundle) -> None:
    slate = slate_of(bundle, Effort.FEWER_CANDIDATES)
    assert slate.candidates == 15 // 5
    assert slate.degraded == ("fewer_candidates",)
    assert len(slate.items) == 3
    assert all(item.p_click is not None for item in slate.items)


def test_a_slate_is_full_though_it_is_longer_than_the_fewer_candidates(bundle: Bundle) -> None:
    recommender = Recommender(bundle, regulars(), SETTINGS).with_effort(Effort.FEWER_CANDIDATES)
    assert len(recommender.recommend(replace(ASKED, k=6), NOW).items) == 6


def test_without_the_second_stage_the_first_ones_order_stands_and_no_item_is_read(bundle: Bundle) -> None:
    features = regulars()
    slate = slate_of(bundle, Effort.NO_SECOND_STAGE, features)
    first_stage = Recommender(replace(bundle, ranker=None), regulars(), SETTINGS).recommend(ASKED, NOW)
    assert [item.item_id for item in slate.items] == [item.item_id for item in first_stage.items]
    assert {item.p_click for item in slate.items} == {None}
    assert features.reads == 1, "the user"
    assert slate.degraded == ("no_second_stage",)
    assert columns.ITEM_CONTENT not in slate.features.views


def test_popularity_reads_nothing_and_is_no_cold_start(bundle: Bundle) -> None:
    features = regulars()
    slate = slate_of(bundle, Effort.POPULARITY, features)
    visitor = Recommender(bundle, regulars(), SETTINGS).recommend(replace(ASKED, user_id=None), NOW)
    assert [item.item_id for item in slate.items] == [item.item_id for item in visitor.items]
    assert features.reads == 0
    assert not slate.cold_start
    assert slate.degraded == ("popularity_only",)


def test_a_store_that_is_away_is_told_only_where_it_was_asked(bundle: Bundle) -> None:
    features = regulars()
    features.away = True
    asked = slate_of(bundle, Effort.FEWER_CANDIDATES, features)
    assert asked.degraded == (ONLINE_FEATURES_UNAVAILABLE, "fewer_candidates")
    assert slate_of(bundle, Effort.POPULARITY, features).degraded == ("popularity_only",)


def test_similar_items_read_no_item_from_the_second_rung_on(bundle: Bundle) -> None:
    features = regulars()
    recommender = Recommender(bundle, features, SETTINGS)
    for effort, reads in ((Effort.FEWER_CANDIDATES, 1), (Effort.NO_SECOND_STAGE, 0)):
        features.reads = 0
        slate = recommender.with_effort(effort).similar(SimilarRequest("r1", "bread", k=3), NOW)
        assert (features.reads, slate.degraded) == (reads, effort.codes)
        assert len(slate.items) == 3


def test_the_recommender_itself_stays_as_it_is(bundle: Bundle) -> None:
    recommender = Recommender(bundle, regulars(), SETTINGS)
    before = recommender.recommend(ASKED, NOW)
    recommender.with_effort(Effort.POPULARITY)
    assert recommender.recommend(ASKED, NOW) == before
    assert recommender.effort is Effort.FULL


def test_nothing_is_read_together_either() -> None:
    source = bounded_source(regulars(), Effort.NO_SECOND_STAGE)
    with pytest.raises(StoreUnavailableError, match="no_second_stage"):
        source.read("ann", ["apple"])
