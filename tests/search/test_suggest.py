"""Suggestions while typing: queries that find something, categories, items."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import ArtifactMismatchError, RequestError
from recsys.search.suggestions.build import suggest_arrays, suggest_index, suggest_index_from_arrays
from recsys.search.suggestions.completions import completions_of
from recsys.search.suggestions.hidden import hidden_words
from recsys.search.suggestions.index import POPULAR, YOURS, SuggestIndex, Suggestions

TITLES = ("", "Frozen chicken dinner", "Frozen pizza", "Chicken soup", "红色连衣裙", "Gun cleaning kit", "")
CATEGORIES = ("", "Frozen Meals", "Frozen Meals", "Soup", "连衣裙", "Hunting", "Soup")
QUERIES = [
    ("frozen pizza", 50),
    ("Frozen Pizza ", 10),
    ("frozen pizzas", 40),
    ("frozen dinner", 30),
    ("fresh fish", 20),
    ("nothing here", 90),
    ("连衣裙 红色", 5),
    ("guns", 70),
]


def index() -> SuggestIndex:
    return suggest_index(
        QUERIES, CATEGORIES, TITLES, [0, 5, 9, 7, 3, 1, 0], lambda query: query != "nothing here"
    )


INDEX = index()


def queries(found: Suggestions) -> list[str]:
    return [each.text for each in found.queries]


def items(found: Suggestions) -> list[int]:
    return [each.item_index for each in found.items]


def test_a_prefix_finds_popular_queries_categories_and_items() -> None:
    found = INDEX.suggest("fro")
    assert queries(found) == ["frozen pizza", "frozen dinner"]  # `frozen pizzas` says the same
    assert [(each.category, each.items) for each in found.categories] == [("Frozen Meals", 2)]
    assert [(each.item_index, each.title) for each in found.items] == [
        (2, "Frozen pizza"),
        (1, "Frozen chicken dinner"),
    ]


def test_all_words_but_the_last_are_whole_and_in_any_order() -> None:
    assert items(INDEX.suggest("chicken fro")) == [1]
    assert items(INDEX.suggest("fro chicken")) == []


@pytest.mark.parametrize("typed", ["frozn", "forzen", "frozeen", "frizen p", "frozen puzz"])
def test_one_typing_error_is_allowed_in_the_last_word(typed: str) -> None:
    expected = [] if typed == "frizen p" else [2]  # there the error is not in the last word
    assert items(INDEX.suggest(typed))[:1] == expected


@pytest.mark.parametrize("typed", ["frx", "frxzxn"])
def test_short_words_and_two_errors_find_nothing(typed: str) -> None:
    assert items(INDEX.suggest(typed)) == []


def test_chinese_is_found_by_characters_from_any_place() -> None:
    assert (
        items(INDEX.suggest("连衣")) == items(INDEX.suggest("红色连")) == items(INDEX.suggest("紅色")) == [4]
    )
    assert queries(INDEX.suggest("连")) == ["连衣裙 红色"]


def test_queries_without_results_are_left_out_when_built_and_when_given() -> None:
    assert queries(INDEX.suggest("nothing")) == []
    assert queries(INDEX.suggest("fro", has_results=lambda query: query != "frozen pizza")) == [
        "frozen pizzas",
        "frozen dinner",
    ]
    assert queries(INDEX.suggest("nothing", ["nothing here"], has_results=lambda _: False)) == []


def test_hidden_words_are_in_no_suggestion() -> None:
    hidden = hidden_words(["gun", "frozen pizza", "裙"])
    assert queries(INDEX.suggest("gun", ["gun rack"], hidden=hidden)) == []
    assert items(INDEX.suggest("gun", hidden=hidden)) == items(INDEX.suggest("红", hidden=hidden)) == []
    assert queries(INDEX.suggest("fro", hidden=hidden)) == ["frozen dinner"]
    assert [each.category for each in INDEX.suggest("连", hidden=hidden).categories] == []


def test_what_the_user_asked_for_comes_first_and_fills_at_most_half() -> None:
    found = INDEX.suggest("fr", ["frozen peas", "fresh fish", "french fries"], 4)
    assert [(each.text, each.origin) for each in found.queries] == [
        ("frozen peas", YOURS),
        ("fresh fish", YOURS),
        ("frozen pizza", POPULAR),
        ("frozen dinner", POPULAR),
    ]


def test_nothing_typed_gives_the_most_popular_without_items() -> None:
    found = INDEX.suggest("", ["my query"], 2)
    assert queries(found) == ["my query", "guns"]
    assert found.items == ()


def test_words_that_repeat_lose_half_their_weight_to_others() -> None:
    found = suggest_index([("red sofa", 10), ("red sofa bed", 9), ("rug", 7)], [""], [""], [0.0]).suggest(
        "r", (), 3
    )
    # `red sofa bed` has 2 of 3 words of the first: 9 x (1 - .5 x 2 / 3) = 6 < 7
    assert queries(found) == ["red sofa", "rug", "red sofa bed"]


def test_new_and_changed_items_are_found_at_once_and_removed_ones_no_longer() -> None:
    grown = INDEX.with_items({7: ("Frozen peas", 20.0), 2: ("Fresh pizza", 1.0)})
    assert items(grown.suggest("fro")) == [7, 1]
    assert items(grown.suggest("fresh pi")) == [2]
    assert items(grown.with_items({7: ("", 0.0)}).suggest("fro")) == [1]
    shown = np.ones(8, bool)
    shown[7] = False
    assert items(grown.suggest("fro", shown_items=shown)) == [1]
    assert items(grown.suggest("fro", shown_items=shown[:6])) == [1]  # made before item 7 was there


def test_arrays_bring_the_index_back() -> None:
    again = suggest_index_from_arrays(suggest_arrays(INDEX))
    assert all(
        again.suggest(typed) == INDEX.suggest(typed) for typed in ("fro", "frozn", "连", "", "chicken s")
    )
    arrays = dict(suggest_arrays(INDEX))
    del arrays["items.postings"]
    with pytest.raises(ArtifactMismatchError, match="no postings; train the bundle again"):
        suggest_index_from_arrays(arrays)


@pytest.mark.parametrize("count", [0, 51])
def test_a_count_out_of_bounds_is_refused(count: int) -> None:
    with pytest.raises(RequestError, match=f"count is {count}; ask for 1 to 50"):
        INDEX.suggest("fro", (), count)


@given(st.text(max_size=60), st.integers(1, 5))
def test_no_text_is_too_strange_and_no_list_too_long(typed: str, count: int) -> None:
    found = INDEX.suggest(typed, [typed], count)
    assert max(len(found.queries), len(found.categories), len(found.items)) <= count
    assert len(set(queries(found))) == len(found.queries)


words = st.text("abc", min_size=1, max_size=3)


@given(st.lists(st.lists(words, min_size=1, max_size=3), max_size=8), st.lists(words, min_size=1, max_size=3))
def test_completions_are_those_that_a_search_through_all_finds(
    texts: list[list[str]], typed: list[str]
) -> None:
    completions = completions_of([" ".join(text) for text in texts], [1.0] * len(texts))
    expected = [
        at
        for at, text in enumerate(texts)
        if set(typed[:-1]) <= set(text) and any(word.startswith(typed[-1]) for word in text)
    ]
    assert np.flatnonzero(completions.found(typed)).tolist() == expected
