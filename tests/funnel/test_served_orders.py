"""A request is answered in the order that the manifest has for its kind, in service and evaluation alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys import columns
from recsys.dataset.interactions import EvalCases, Interactions, Vocabulary
from recsys.dataset.split import histories_before
from recsys.funnel.offline import candidate_lists
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest, SimilarRequest
from recsys.instants import to_micros
from recsys.models.bundle import Bundle
from recsys.models.orders import (
    COSINES,
    COUNT_AND_RECENCY,
    FUSION,
    NEIGHBOURS_AND_TEXT,
    NO_HISTORY,
    OWN_ACTIONS,
    PERSONAL_FREQUENCY,
    POPULARITY_OF_ALL_TIME,
    PRIOR,
    RANKER,
    RECENT_POPULARITY,
    REPEATS_KEPT,
    REPEATS_REMOVED,
    REQUEST_KINDS,
    SIMILAR,
    kind_of,
)
from recsys.service_settings import ServingSettings
from recsys.training.scorers import bundle_scorers, seen_lists
from tests.fake_features import FakeTrainingFeatures
from tests.fake_world import CATEGORIES, ITEMS, NOW, FeatureRanker, ShopFeatures, days_ago, shop_bundle
from tests.funnel.test_live_changes import pear
from tests.funnel.test_served_scores import histories
from tests.models.test_orders import choice

# Bread three times long ago, milk once in between, banana twice lately.
PAST = [
    *[("bread", columns.PURCHASE, days_ago(days)) for days in (200, 199, 198)],
    ("milk", columns.PURCHASE, days_ago(90)),
    ("banana", columns.PURCHASE, days_ago(2)),
    ("banana", columns.PURCHASE, days_ago(1)),
]
ORDERS = (
    RANKER,
    FUSION,
    PRIOR,
    OWN_ACTIONS,
    PERSONAL_FREQUENCY,
    COUNT_AND_RECENCY,
    NEIGHBOURS_AND_TEXT,
    RECENT_POPULARITY,
)


class AgainstFusion(FeatureRanker):
    """Its order is the reverse of fusion's."""

    def score(self, features: np.ndarray) -> np.ndarray:
        return -super().score(features)


def bundle_with(orders: dict[str, str]) -> Bundle:
    """The corner shop, whose popularity lately is not that of all time and whose fusion has learned."""
    bundle = shop_bundle(ranker=AgainstFusion())
    lately = np.array([0, 5, 9, 2, 3, 8, 4, 1, 7, 6], np.float32)  # of ITEMS
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        bundle.fusion.layers[-1].weight.normal_()  # type: ignore[operator]
    found = {kind: choice(order) for kind, order in orders.items()}
    manifest = bundle.manifest.model_copy(update={"orders": found})
    return replace(bundle, manifest=manifest).with_arrays(popularity=lately)


def served(bundle: Bundle, user_id: str | None, repeats: bool) -> list[str]:
    features = ShopFeatures({"ann": PAST})
    shop = Recommender(bundle, features, ServingSettings(diversity=0.0))
    slate = shop.recommend(RecommendRequest("r", user_id, k=9, allow_repeats=repeats), NOW)
    return [item.item_id for item in slate.items]


def evaluated(bundle: Bundle, user_id: str, repeats: bool) -> list[str]:
    """The last scorer's list for ann, or for eve, of whom nothing is known."""
    rows = len(PAST)
    log = Interactions(
        users=Vocabulary(("", "ann", "eve")),
        items=bundle.items.vocabulary,
        user_index=np.ones(rows, np.int64),
        item_index=bundle.items.vocabulary.indexes([item for item, _, _ in PAST]),
        kind=np.full(rows, columns.KIND_CODES[columns.PURCHASE]),
        weight=np.ones(rows, np.float32),
        at=np.array([to_micros(at) for _, _, at in PAST]),
    )
    user = log.users.index(user_id)
    cases = EvalCases(np.array([user]), np.array([to_micros(NOW)]), np.array([0, 0]), np.zeros(0, np.int64))
    features = FakeTrainingFeatures(
        log,
        dict(zip(ITEMS, CATEGORIES, strict=True)),
        {item: np.zeros(12, np.float32) for item in ITEMS},
    )
    scorer = bundle_scorers(bundle, log, cases, features, candidates=9, seen=repeats)[-1]
    scores = scorer.score(cases)[0]
    scores[0] = -np.inf
    gone = set() if repeats else set(log.item_index[histories_before(log, cases)[1]].tolist())
    assert repeats or gone == set(np.unique(seen_lists(log, cases)[0]).tolist())
    best = [place for place in np.argsort(-scores, kind="stable").tolist() if place and place not in gone]
    return [bundle.items.vocabulary.ids[place] for place in best]


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("order", ORDERS)
def test_a_request_of_a_kind_is_answered_in_the_order_of_the_manifest(order: str, repeats: bool) -> None:
    bundle = bundle_with({kind_of(repeats): order, kind_of(not repeats): FUSION})
    found = served(bundle, "ann", repeats)
    assert len(found) == (9 if repeats else 6)
    assert found == evaluated(bundle, "ann", repeats)
    expected = {
        OWN_ACTIONS: ["bread", "banana", "milk", "cheese"],  # 3, 2, 1, and what is popular lately
        # (2 + 1) 9^.25 = 5.2, (3 + 1/4) 1^.25 = 3.25, (1 + 1/3) 3^.25 = 1.8
        COUNT_AND_RECENCY: ["banana", "bread", "milk", "cheese"],
        RECENT_POPULARITY: ["banana", "cheese", "bagel"],  # 9, 8, 7
        # Bread, 3 to 5 moments back, leads to milk: .8^3 + .8^4 + .8^5 = 1.25, half as much to cheese;
        # milk, 2 back, to bread: .8^2 = .64. Then what is popular lately.
        NEIGHBOURS_AND_TEXT: ["milk", "bread", "cheese", "banana"],
    }
    if repeats and order in expected:
        assert found[: len(expected[order])] == expected[order]


def test_the_orders_are_not_all_the_same() -> None:
    lists = {order: served(bundle_with({REPEATS_KEPT: order}), "ann", True) for order in ORDERS}
    assert len({tuple(found) for found in lists.values()}) >= 6
    assert lists[RANKER] == lists[FUSION][::-1]


def test_where_features_cannot_be_read_the_rankers_order_is_fusions() -> None:
    class Flaky(ShopFeatures):
        def read_items(self, item_ids):  # type: ignore[no-untyped-def]
            self.away = True
            return super().read_items(item_ids)

    bundle = bundle_with({REPEATS_KEPT: RANKER})
    shop = Recommender(bundle, Flaky({"ann": PAST}), ServingSettings(diversity=0.0))
    slate = shop.recommend(RecommendRequest("r", "ann", k=9), NOW)
    fused = served(bundle_with({REPEATS_KEPT: FUSION}), "ann", True)
    assert [item.item_id for item in slate.items] == fused
    assert {item.p_click for item in slate.items} == {None}


def test_p_click_is_that_of_the_kind_whatever_the_order() -> None:
    class ByKind(AgainstFusion):
        def calibrated(self, scores: np.ndarray, kind: int = 0) -> np.ndarray:
            return np.full_like(scores, 0.1 + 0.1 * kind)

    bundle = replace(bundle_with({REPEATS_KEPT: OWN_ACTIONS, REPEATS_REMOVED: PRIOR}), ranker=ByKind())
    shop = Recommender(bundle, ShopFeatures({"ann": PAST}), ServingSettings(diversity=0.0))
    for repeats in (True, False):
        slate = shop.recommend(RecommendRequest("r", "ann", k=9, allow_repeats=repeats), NOW)
        place = REQUEST_KINDS.index(kind_of(repeats))
        chances = [item.p_click for item in slate.items]
        assert chances == pytest.approx([0.1 + 0.1 * place] * len(chances))


@pytest.mark.parametrize(
    ("order", "first", "scores"),
    [
        (RECENT_POPULARITY, ["banana", "cheese", "bagel"], [9, 8, 7]),
        (POPULARITY_OF_ALL_TIME, ["apple", "banana", "cherry"], [9, 8, 7]),
    ],
)
def test_visitors_get_what_is_popular_lately_or_of_all_time(
    order: str, first: list[str], scores: list[float]
) -> None:
    bundle = bundle_with({NO_HISTORY: order})
    found = served(bundle, None, True)
    assert found[:3] == first
    assert found == served(bundle, "eve", False) == evaluated(bundle, "eve", False)
    shop = Recommender(bundle, ShopFeatures(), ServingSettings(diversity=0.0))
    slate = shop.recommend(RecommendRequest("r", None, k=3), NOW)
    assert [item.score for item in slate.items] == scores
    category = shop.recommend(RecommendRequest("r", None, k=1, context_category="bakery"), NOW)
    assert category.items[0].item_id == ("bagel" if order == RECENT_POPULARITY else "bread")


@pytest.mark.parametrize(
    ("order", "first"), [(COSINES, {"bagel", "toast"}), (NEIGHBOURS_AND_TEXT, {"milk", "cheese"})]
)
def test_similar_items_are_those_of_the_order_of_the_manifest(order: str, first: set[str]) -> None:
    shop = Recommender(bundle_with({SIMILAR: order}), ShopFeatures(), ServingSettings())
    slate = shop.similar(SimilarRequest("r1", "bread", k=4), NOW)
    assert {item.item_id for item in slate.items[:2]} == first
    assert [item.score for item in slate.items] == sorted((i.score for i in slate.items), reverse=True)


def test_similar_by_popularity_is_what_is_popular_but_the_item() -> None:
    shop = Recommender(bundle_with({SIMILAR: RECENT_POPULARITY}), ShopFeatures(), ServingSettings())
    popular = shop.recommend(RecommendRequest("r", None, k=4, exclude=("banana",), diversity=0.0), NOW)
    slate = shop.similar(SimilarRequest("r1", "banana", k=4), NOW)
    assert [i.item_id for i in slate.items] == [i.item_id for i in popular.items]


@pytest.mark.parametrize("visitors", [RECENT_POPULARITY, POPULARITY_OF_ALL_TIME])
@pytest.mark.parametrize(
    ("order", "found"),
    [(RECENT_POPULARITY, ["cheese", "bagel"]), (POPULARITY_OF_ALL_TIME, ["apple", "cherry"])],
)
def test_similar_by_a_popularity_finds_it_whatever_visitors_see(
    order: str, found: list[str], visitors: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsys.funnel.similar.SIMILAR_POOL", 2)  # of nine items: the pool decides
    bundle = bundle_with({SIMILAR: order, NO_HISTORY: visitors})
    shop = Recommender(bundle, ShopFeatures(), ServingSettings())
    slate = shop.similar(SimilarRequest("r1", "banana", k=2), NOW)
    assert [item.item_id for item in slate.items] == found


def test_similar_by_fusion_is_what_a_user_gets_who_only_looked_at_the_item() -> None:
    bundle = bundle_with({SIMILAR: FUSION})
    shop = Recommender(bundle, ShopFeatures(), ServingSettings())
    slate = shop.similar(SimilarRequest("r1", "bread", k=4), NOW)
    item = bundle.items.vocabulary.index("bread")
    looked = histories(bundle, [("bread", columns.VIEW, NOW)])
    found, scores = candidate_lists(bundle, looked, [np.array([item])], 9)
    best = np.argsort(-scores[0][found[0] > 0], kind="stable")[:4]
    assert [i.item_id for i in slate.items] == [bundle.items.vocabulary.ids[i] for i in found[0][best]]
    assert [i.score for i in slate.items] == pytest.approx(scores[0][best].tolist(), rel=1e-5)


def test_live_popularity_changes_what_a_known_user_gets_as_a_bundle_with_it_would() -> None:
    """Fusion hears of it as a signal, and the hundred most popular items are candidates."""
    bundle = bundle_with({REPEATS_KEPT: FUSION})
    live = np.array([0, 50, 40, 0, 30, 0, 20, 0, 0, 10], np.float64)
    features = ShopFeatures({"ann": PAST})
    shop = Recommender(bundle, features, ServingSettings(diversity=0.0))
    request = RecommendRequest("r", "ann", k=9)
    before = shop.recommend(request, NOW)
    now_popular = shop.with_popularity(live)
    after = now_popular.recommend(request, NOW)
    scores = {item.item_id: item.score for item in after.items}
    assert scores != {item.item_id: item.score for item in before.items}

    trained_so = bundle.with_arrays(popularity=live.astype(np.float32))
    again = Recommender(trained_so, features, ServingSettings(diversity=0.0)).recommend(request, NOW)
    assert [item.item_id for item in again.items] == [item.item_id for item in after.items]
    assert served(trained_so, "ann", True) == evaluated(trained_so, "ann", True)
    for item in again.items:
        assert scores[item.item_id] == pytest.approx(item.score, abs=1e-6)
    assert now_popular.bundle.popularity.tolist() == bundle.popularity.tolist(), "that of training's end"


def test_live_popularity_stays_a_signal_when_the_catalog_changes() -> None:
    bundle = bundle_with({REPEATS_KEPT: RECENT_POPULARITY})
    live = np.array([0, 50, 40, 0, 30, 0, 20, 0, 0, 10], np.float64)
    shop = Recommender(bundle, ShopFeatures({"ann": PAST}), ServingSettings(diversity=0.0))
    for changed in (
        shop.with_popularity(live).with_changes([pear()], 1),
        shop.with_changes([pear()], 1).with_popularity(np.append(live, 0)),
    ):
        slate = changed.recommend(RecommendRequest("r", "ann", k=3), NOW)
        assert [item.item_id for item in slate.items] == ["apple", "banana", "milk"]  # 50, 40, 30
        assert [item.score for item in slate.items] == [50, 40, 30]


def test_an_order_by_name_gives_the_same_candidates() -> None:
    """Candidates are chosen by fusion's prior whatever they are then ordered by."""
    bundle = bundle_with({})
    asked = histories(bundle, PAST)
    found = {tuple(candidate_lists(bundle, asked, None, 5, order=order)[0][0]) for order in ORDERS[1:]}
    assert len(found) == 1
