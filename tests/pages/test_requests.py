"""What a place of the shop is, by what is given."""

from datetime import UTC, datetime

import pytest

from recsys.errors import RequestError
from recsys.pages.requests import Place

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "surface"),
    [({}, "home"), ({"query": ""}, "search"), ({"category": "x"}, "category"), ({"item_id": "x"}, "product")],
)
def test_the_surface_follows_from_what_is_given(given: dict[str, str], surface: str) -> None:
    assert Place(**given).place == surface
    assert Place(surface=surface, **given).place == surface  # type: ignore[arg-type]


def test_the_unit_is_the_user_else_the_session_else_the_request() -> None:
    assert Place(user_id="u", session_id="s").context("r", NOW).unit == "user:u"
    assert Place(session_id="s").context("r", NOW).unit == "session:s"
    assert Place().context("r", NOW).unit == "request:r"


def test_what_contradicts_is_refused() -> None:
    for wrong in (
        {"query": "x", "item_id": "y"},
        {"surface": "search"},
        {"surface": "home", "category": "x"},
    ):
        with pytest.raises(RequestError):
            Place(**wrong)  # type: ignore[arg-type]
