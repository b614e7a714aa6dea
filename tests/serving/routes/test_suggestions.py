"""GET /v1/suggest: the user's own queries come first, and it goes on without them."""

from serving.schemas.answers import SuggestionsAnswer
from tests.fake_world import NOW, days_ago


def test_suggestions_begin_with_the_users_own_queries_and_go_on_where_these_cannot_be_read(shop) -> None:
    shop.features.searches = {"ann": [("milk", NOW), ("mint for moons", NOW), ("toast", days_ago(1))]}

    def asked(**fields: str) -> SuggestionsAnswer:
        response = shop.client.get("/v1/suggest", params={"q": "mi", **fields})
        assert response.status_code == 200
        return SuggestionsAnswer.model_validate(response.json())

    own = asked(user_id="ann")  # no item is for moons, and toast begins otherwise
    assert [(each.query, each.origin) for each in own.queries] == [("milk", "yours")]
    assert own.degraded == []
    assert asked(user_id="bob").queries == asked().queries == []
    shop.features.away = True
    away = asked(user_id="ann")
    assert (away.queries, away.degraded) == ([], ["not_personalised"])
    assert asked().degraded == []
