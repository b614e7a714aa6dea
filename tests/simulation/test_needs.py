"""Needs, what is typed of them and what is relevant to them."""

from collections import Counter
from math import log

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import DataError
from recsys.simulation.habits import Habits
from recsys.simulation.item_space import item_space
from recsys.simulation.needs import open_needs, title_words
from recsys.simulation.typed_queries import misspell, type_query
from tests.simulation.search_world import search_catalog, search_world

EXACT = Habits(dropped_share=0, synonym_share=0, unit_share=0, typo_share=0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_relevance_is_three_tenths_of_the_category_and_seven_of_the_words() -> None:
    world, needs = search_world()
    place = next(n for n, words in enumerate(needs.words) if len(words) == 2)
    words, relevance = needs.words[place], needs.relevance(place)
    for index, title in enumerate(world.space.titles[1:], start=1):
        has = [word in title.lower() for word in words]
        counts = [sum(word in other.lower() for other in world.space.titles) for word in words]
        weights = [log(1 + len(world.space) / count) for count in counts]
        matched = sum(weight for weight, yes in zip(weights, has, strict=True) if yes) / sum(weights)
        same = world.space.categories[world.space.category_of[index]] == needs.category(place)
        assert relevance[index] == pytest.approx(0.3 * same + 0.7 * matched)
    assert relevance[0] == 0
    assert relevance.max() == pytest.approx(1)


def test_frequent_needs_follow_zipf_where_taste_has_no_say() -> None:
    world, needs = search_world(need_focus=0.0, needs=4)
    drawn = Counter(needs.draw(np.repeat(world.tastes.vectors, 100, axis=0), rng()).tolist())
    total = 1 + 1 / 2 + 1 / 3 + 1 / 4
    for place in range(4):
        share = 1 / (place + 1) / total
        assert abs(drawn[place] / 20_000 - share) < 4 * (share / 20_000) ** 0.5


def test_people_search_for_what_is_near_their_taste() -> None:
    world, needs = search_world(need_focus=20.0)
    near = world.tastes.vectors @ needs.directions.T
    drawn = needs.draw(world.tastes.vectors, rng())
    assert near[np.arange(len(drawn)), drawn].mean() > near.mean() + 0.3


def test_equal_seeds_have_equal_needs_and_needs_do_not_disturb_a_world() -> None:
    first, second = search_world(seed=3), search_world(seed=3)
    assert first[1].words == second[1].words != search_world(seed=4)[1].words
    assert first[0].rng.random() == second[0].rng.random()


def test_a_catalog_without_shared_words_has_nothing_to_search_for() -> None:
    items = search_catalog()
    column = items.schema.get_field_index("title")
    items = items.set_column(column, items.schema.field(column), pa.array(["7"] * len(items)))
    with pytest.raises(DataError, match="titles"):
        open_needs(Habits(), item_space(items, rng()), items)


def test_words_are_singular_and_quantities_are_words() -> None:
    assert title_words("Hoses, 2m; 12 OZ glass") == ["hose", "2 m", "12 oz", "glass"]
    assert title_words("红色水壶 500ml") == ["红色", "水壶", "500 ml"]


def test_a_need_is_typed_as_it_is_without_noise() -> None:
    assert type_query(("red", "hose", "2 m"), EXACT, rng()) == "red hose 2 m"


def test_quantities_are_written_another_way_and_words_have_synonyms() -> None:
    habits = EXACT.model_copy(update={"unit_share": 1.0, "synonym_share": 1.0})
    typed = Counter(type_query(("rug", "2 m"), habits, rng(seed)) for seed in range(300))
    assert set(typed) == {"carpet 2m", "carpet 2 meters", "carpet 2 metre"}
    assert min(typed.values()) > 60


def test_errors_words_left_out_and_units_come_at_their_rates() -> None:
    habits, chance = Habits(typo_share=0.2, dropped_share=0.25), rng()
    typed = [type_query(("towel", "kettle"), habits, chance).split() for _ in range(4000)]
    words = [word for query in typed for word in query]
    wrong = sum(word not in ("towel", "kettle") for word in words) / len(words)
    assert abs(wrong - 0.2) < 4 * (0.2 * 0.8 / len(words)) ** 0.5
    # One word stays where both would go: 2 x .75 + .25^2 are typed.
    assert abs(len(words) / 4000 - (2 * 0.75 + 0.25**2)) < 0.05


@given(st.text("abcdefghijklmnopqrstuvwxyzäß", min_size=4, max_size=12), st.integers(0, 10_000))
def test_an_error_changes_a_word_by_one_letter_behind_the_first(word: str, seed: int) -> None:
    wrong = misspell(word, rng(seed))
    assert wrong != word
    assert wrong[0] == word[0]
    assert abs(len(wrong) - len(word)) <= 1
