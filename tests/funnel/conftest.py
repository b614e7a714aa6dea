"""The corner shop's recommender, and a short way to ask it."""

from collections.abc import Callable
from typing import Any

import pytest

from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest
from recsys.funnel.slate import Slate
from recsys.service_settings import ServingSettings
from tests.fake_world import NOW, regulars, shop_bundle

Ask = Callable[..., Slate]


@pytest.fixture
def ask() -> Ask:
    """Asks for a slate: fields of the request, and `features`, `bundle`, `settings` of one's own."""

    def recommend(user_id: str | None = None, **fields: Any) -> Slate:
        features = fields.pop("features", None) or regulars()
        bundle = fields.pop("bundle", None) or shop_bundle()
        settings = fields.pop("settings", None) or ServingSettings(diversity=0.0)
        request = RecommendRequest(request_id="r1", user_id=user_id, **fields)
        return Recommender(bundle, features, settings).recommend(request, NOW)

    return recommend
