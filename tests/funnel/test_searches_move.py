"""The corner shop: what a user searched for moves the next recommendation, and only what it should."""

from collections.abc import Callable
from datetime import datetime
from math import sqrt
from typing import Any

import numpy as np
import pytest

from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest
from recsys.funnel.slate import Slate
from recsys.retrieval.recent_searches import QueryMeanings
from recsys.retrieval.text_index import TextIndex
from recsys.service_settings import ServingSettings
from tests.fake_world import ITEMS, NOW, ShopFeatures, days_ago, regulars, shop_bundle
from tests.search.small_shop import FakeVectors

OWN_AXIS = {
    item: tuple(float(place == 3 + number) for place in range(12)) for number, item in enumerate(ITEMS)
}
DEVIATIONS = sqrt(8)  # of the one item of nine that is near
SPREAD = sqrt(60 / 9)  # standard deviation of 1 to 9, the popularity of the nine
Make = Callable[..., Recommender]


def features(*searches: tuple[str, datetime], user_id: str = "new") -> ShopFeatures:
    found = regulars()
    found.searches = {user_id: searches}
    return found


@pytest.fixture
def make() -> Make:
    """A recommender of the corner shop to whose encoder only the items' own names mean anything."""

    def recommender(source: ShopFeatures, weight: float = 1.0, **changes: Any) -> Recommender:
        settings = ServingSettings(diversity=0.0, searched_weight=weight, **changes.pop("settings", {}))
        bundle = shop_bundle(**changes)
        vectors = FakeVectors(OWN_AXIS, width=12)
        return Recommender(
            bundle, source, settings, meanings=QueryMeanings(vectors, TextIndex(bundle.text_vectors))
        )

    return recommender


def ask(recommender: Recommender, user_id: str | None = "new", **fields: Any) -> Slate:
    return recommender.recommend(RecommendRequest("r1", user_id, **fields), NOW)


def ids(slate: Slate) -> list[str]:
    return [item.item_id for item in slate.items]


def test_a_new_user_who_searched_gets_what_is_popular_with_what_is_near_the_search_raised(make: Make) -> None:
    slate = ask(make(features(("toast", NOW))), k=9)
    # Popularity 1 of 1 to 9, and 1 x 2.58 x 2.83: 8.3, between banana (8) and apple (9).
    assert ids(slate)[:4] == ["apple", "toast", "banana", "cherry"]
    toast = slate.items[1]
    assert toast.score == pytest.approx(1 + SPREAD * DEVIATIONS, rel=0.01)
    assert toast.source == "searched"
    assert (toast.reason.code, toast.reason.text) == ("searched", "you searched for toast")
    assert dict(toast.reason.parameters) == {"query": "toast"}


def test_a_search_of_six_hours_ago_moves_half_as_far_and_one_of_a_day_ago_not_at_all(make: Make) -> None:
    plain = ask(make(features()), k=9)
    toast = {item.item_id: item.score for item in ask(make(features(("toast", days_ago(0.25)))), k=9).items}[
        "toast"
    ]
    assert toast == pytest.approx(1 + SPREAD * DEVIATIONS / 2, rel=0.01)
    assert ask(make(features(("toast", days_ago(1)))), k=9).items == plain.items


def test_an_item_that_others_did_not_find_comes_in_by_the_search(make: Make) -> None:
    few = {"settings": {"candidates": 4}}
    assert "toast" not in ids(ask(make(features(), **few), k=4))
    assert "toast" in ids(ask(make(features(("toast", NOW)), **few), k=4))


@pytest.mark.parametrize("user_id", ["ann", "vic"])
def test_a_regular_gets_the_same_scores_but_for_what_is_near_the_search(make: Make, user_id: str) -> None:
    before = {item.item_id: item for item in ask(make(features(user_id="other")), user_id, k=9).items}
    after = {
        item.item_id: item
        for item in ask(make(features(("toast", NOW), user_id=user_id)), user_id, k=9).items
    }
    spread = float(np.std([item.score for item in before.values()]))
    for item_id, item in after.items():
        added = spread * DEVIATIONS if item_id == "toast" else 0.0
        assert item.score == pytest.approx(before[item_id].score + added, rel=0.01, abs=0.01)
        assert item.p_click == before[item_id].p_click
    assert after["toast"].position < before["toast"].position


def test_parts_of_a_score_with_a_search_add_up_to_it(make: Make) -> None:
    shop = make(features(("toast", NOW), user_id="vic"))
    slate = ask(shop, "vic", k=9)
    for item in slate.items:
        found = shop.explain(RecommendRequest("r1", "vic", k=9), item.item_id, NOW)
        last = found.stages[-1]
        total = last.average_score + sum(part.contribution for part in last.parts)
        assert total == pytest.approx(last.score, abs=1e-4)
        assert last.score == pytest.approx(item.score, abs=1e-4)
        part = next(part for part in last.parts if part.name == "searched")
        assert (part.value or 0) > 0 if item.item_id == "toast" else part.value == pytest.approx(0, abs=0.02)
        assert (found.position, found.source) == (item.position, item.source)
    assert "searched" in (shop.explain(RecommendRequest("r1", "vic"), "toast", NOW).sources or slate).found_by


def test_an_item_that_is_no_candidate_is_explained_with_the_part_that_it_would_have(make: Make) -> None:
    shop = make(features(("toast", NOW), user_id="vic"))
    request = RecommendRequest("r1", "vic", k=3, exclude=("toast",))
    found = shop.explain(request, "toast", NOW)
    assert found.rank is None
    plain = make(features(user_id="other")).explain(request, "toast", NOW)
    assert found.score > plain.score


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_weight_zero_or_nothing_searched_is_as_if_there_were_no_searches(make: Make, weight: float) -> None:
    searched = features(("toast", NOW), user_id="ann") if not weight else features(user_id="ann")
    plain = Recommender(shop_bundle(), regulars(), ServingSettings(diversity=0.0))
    for user_id in ("ann", "vic", None, "new"):
        assert ask(make(searched, weight), user_id, k=9).items == ask(plain, user_id, k=9).items


def test_without_an_encoder_or_its_meaning_nothing_moves_and_nothing_fails(make: Make) -> None:
    searched, plain = features(("toast", NOW)), ask(make(features()), k=9).items
    bundle, settings = shop_bundle(), ServingSettings(diversity=0.0, searched_weight=1.0)
    away = QueryMeanings(FakeVectors(away=True), TextIndex(bundle.text_vectors))
    for meanings in (None, away):
        shop = Recommender(bundle, searched, settings, meanings=meanings)
        assert ask(shop, k=9).items == plain
        assert ask(shop, k=9).degraded == ()
    assert ask(make(features(("what is that", NOW))), k=9).items == plain


def test_what_must_not_be_shown_is_not_shown_because_it_was_searched_for(make: Make) -> None:
    source = features(("toast", NOW))
    assert "toast" not in ids(ask(make(source), k=9, exclude=("toast",)))
    source.sold_out = {"toast"}
    assert "toast" not in ids(ask(make(source), k=9))


def test_what_the_page_is_about_stays_before_what_was_searched_for(make: Make) -> None:
    slate = ask(make(features(("toast", NOW))), k=9, context_item_id="bread")
    first = [item.source for item in slate.items]
    assert first == sorted(first, key=lambda source: source != "context")
    plain = ask(make(features()), k=9, context_item_id="bread")
    context = [item.item_id for item in plain.items if item.source == "context"]
    assert ids(slate)[: len(context)] == context


def test_a_catalog_that_changed_moves_nothing_until_its_texts_are_known(make: Make) -> None:
    shop = make(features(("toast", NOW)))
    other = shop.with_popularity(shop.catalog.popularity)
    assert ask(other, k=9).items == ask(shop, k=9).items
    assert ask(other.with_meanings(None), k=9).items == ask(make(features()), k=9).items
