from dataclasses import replace

import pytest

from recsys.errors import CursorExpiredError, RequestError
from recsys.filters import Filters
from recsys.search.answer import SearchAnswer
from recsys.search.requests import FacetRequest, SearchRequest
from recsys.search.searcher import Searcher
from tests.search.small_shop import NOW, FakePages, FakeVectors, Row, make_searcher, without_words

SHOP = (
    Row("red door", "doors", "oak", price_micros=30, popularity=1, vector=(1, 0, 0, 0)),
    Row("red wooden door", "doors", "elm", price_micros=20, popularity=5, vector=(1, 0.1, 0, 0)),
    Row("blue door", "doors", "oak", price_micros=10, vector=(0, 1, 0, 0)),
    Row("gate", "garden", "elm", price_micros=40, vector=(0.9, 0.2, 0, 0)),
    Row("red paint", "paint", "elm", price_micros=5, vector=(0, 0, 1, 0)),
)
NEAR_DOORS = FakeVectors({"red door": (1, 0, 0, 0), "portal": (1, 0, 0, 0)})


def ids(answer: SearchAnswer) -> list[str]:
    return [item.item_id for item in answer.items]


def search(searcher: Searcher, text: str, **changes: object) -> SearchAnswer:
    return searcher.search(replace(SearchRequest("r1", text), **changes), NOW)  # type: ignore[arg-type]


def test_both_words_or_the_meaning_match() -> None:
    answer = search(make_searcher(SHOP, vectors=NEAR_DOORS), "red door")
    # i1 and i2 have both words; i4, a gate, is near in meaning; a blue door and red paint have one word.
    assert set(ids(answer)) == {"i1", "i2", "i4"}
    assert answer.total == 3
    assert {item.item_id: item.found_by for item in answer.items} == {
        "i1": "both",
        "i2": "both",
        "i4": "meaning",
    }
    assert [item.item_id for item in answer.relaxed] == ["i3", "i5"]


def test_the_parts_of_a_score_add_up_to_it() -> None:
    for item in search(make_searcher(SHOP, vectors=NEAR_DOORS), "red door").items:
        assert sum(item.parts.values()) == pytest.approx(item.score, abs=1e-6)


def test_a_phrase_and_an_excluded_word_are_strict_for_meaning_too() -> None:
    known = {"red red door": (1.0, 0, 0, 0), "red": (1.0, 0, 0, 0)}  # excluded words mean nothing
    searcher = make_searcher(SHOP, vectors=FakeVectors(known))
    assert ids(search(searcher, 'red "red door"')) == ["i1"]
    assert set(ids(search(searcher, "red -door"))) == {"i4", "i5"}


def test_fewer_words_match_where_all_find_nothing() -> None:
    answer = search(make_searcher(SHOP), "red unicorn")
    assert (answer.words_wanted, answer.words_matched, answer.total) == (2, 1, 3)


def test_no_good_result_is_an_answer() -> None:
    answer = search(make_searcher(SHOP), "unicorn")
    assert (answer.total, answer.items, answer.words_matched) == (0, (), 0)


def test_without_words_everything_that_passes_is_found_by_popularity() -> None:
    answer = search(make_searcher(SHOP), "", filters=Filters(categories=("doors",)))
    assert ids(answer) == ["i2", "i1", "i3"]
    assert answer.words_wanted is None
    assert {item.found_by for item in answer.items} == {"filters"}


def test_a_facet_is_counted_without_the_filter_on_its_own_field() -> None:
    answer = search(
        make_searcher(SHOP),
        "red",
        filters=Filters(brands=("oak",)),
        facets=(FacetRequest("brand"), FacetRequest("category")),
    )
    brands, categories = answer.facets
    assert answer.total == 1
    assert {value.value: value.count for value in brands.values} == {"elm": 2, "oak": 1}
    assert {value.value: value.selected for value in brands.values} == {"elm": False, "oak": True}
    assert {value.value: value.count for value in categories.values} == {"doors": 1}


def test_items_are_sorted_by_price_and_those_without_one_come_last() -> None:
    searcher = make_searcher((*SHOP, Row("red thing")))
    assert ids(search(searcher, "red", sort="price")) == ["i5", "i2", "i1", "i6"]
    assert ids(search(searcher, "red", sort="-price")) == ["i1", "i2", "i5", "i6"]


VARIANTS = (
    Row("shirt red", product="p", brand="s", price_micros=10),
    Row("shirt blue", product="p", brand="m", price_micros=30),
    Row("shirt green", brand="m", price_micros=20),
)


def test_variants_are_one_product_which_passes_where_one_variant_passes_all_filters() -> None:
    searcher = make_searcher(VARIANTS)
    assert search(searcher, "shirt").total == 2
    cheap_and_medium = Filters(brands=("m",), price_max_micros=10)
    assert search(searcher, "shirt", filters=cheap_and_medium).total == 0  # no single variant is both
    answer = search(searcher, "shirt", sort="-price")
    assert [(item.item_id, item.product_id) for item in answer.items] == [("i2", "p"), ("i3", None)]


def test_pages_follow_one_another_without_gap_or_repetition() -> None:
    searcher = make_searcher([Row(f"door {n}", popularity=n) for n in range(7)], pages=FakePages())
    first = search(searcher, "door", k=3)
    second = search(searcher, "door", k=3, cursor=first.cursor, request_id="r2")
    third = search(searcher, "door", k=3, cursor=second.cursor, request_id="r3")
    assert ids(first) + ids(second) + ids(third) == ["i7", "i6", "i5", "i4", "i3", "i2", "i1"]
    assert [item.position for item in second.items] == [4, 5, 6]
    assert {second.query_id, third.query_id, first.query_id} == {"r1"}
    assert (third.cursor, third.total) == (None, 7)


def test_pages_go_on_behind_the_last_item_while_orders_are_not_kept() -> None:
    searcher = make_searcher([Row(f"door {n}", popularity=n) for n in range(7)], pages=FakePages(away=True))
    first = search(searcher, "door", k=3)
    second = search(searcher, "door", k=3, cursor=first.cursor)
    assert ids(first) + ids(second) == ["i7", "i6", "i5", "i4", "i3", "i2"]
    assert "pages_not_stored" in first.degraded


def test_an_order_that_is_no_longer_kept_has_expired() -> None:
    pages = FakePages()
    searcher = make_searcher([Row("door")] * 5, pages=pages)
    first = search(searcher, "door", k=2)
    pages.orders.clear()
    with pytest.raises(CursorExpiredError, match="first page"):
        search(searcher, "door", k=2, cursor=first.cursor)


def test_words_alone_answer_while_the_encoder_is_away() -> None:
    answer = search(make_searcher(SHOP, vectors=FakeVectors(away=True)), "red door")
    assert set(ids(answer)) == {"i1", "i2"}
    assert "meaning_unavailable" in answer.degraded


def test_meaning_alone_answers_while_the_index_of_words_is_away() -> None:
    answer = search(without_words(make_searcher(SHOP, vectors=NEAR_DOORS)), "red door")
    assert set(ids(answer)) == {"i1", "i2", "i4"}
    assert "words_unavailable" in answer.degraded
    assert "search_unavailable" not in answer.degraded


def test_what_is_popular_answers_while_both_are_away() -> None:
    searcher = without_words(make_searcher(SHOP, vectors=FakeVectors(away=True)))
    answer = search(searcher, "red door", filters=Filters(categories=("doors",)))
    assert ids(answer) == ["i2", "i1", "i3"]
    assert "search_unavailable" in answer.degraded
    assert {item.found_by for item in answer.items} == {"popularity"}


def test_an_answer_says_that_it_is_not_personal_where_features_are_away() -> None:
    answer = search(make_searcher(SHOP), "red", user_id="u")
    assert answer.degraded == ("not_personalised",)
    assert not answer.personalised


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": "x" * 1001}, "1001 characters"),
        ({"sort": "prize"}, "'prize' is not an order"),
        ({"facets": (FacetRequest("colour"),)}, "'colour' is not a facet"),
        ({"facets": (FacetRequest("attributes.colour"),)}, "no item has an attribute 'colour'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        search(make_searcher(SHOP), "red", **changes)
