"""Tastes, the space of items and the rhythm: what the truth is made of."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import DataError
from recsys.instants import DAY
from recsys.simulation.habits import Habits
from recsys.simulation.rhythm import HOUR, HOUR_SHAPE, WEEK_SHAPE, draw_arrivals, rate_at
from recsys.simulation.shop_front import WHOLE_SHOP, ShopFront
from recsys.simulation.world import open_world
from tests.simulation.catalogs import CATEGORIES, START, small_catalog


def test_items_of_a_category_are_nearer_to_each_other_than_to_others() -> None:
    space = open_world(Habits(), small_catalog()).space
    near = space.vectors[1:] @ space.vectors[1:].T
    same = space.category_of[1:, None] == space.category_of[None, 1:]
    assert near[same].mean() > near[~same].mean() + 0.5


def test_an_equal_seed_gives_an_equal_world_and_another_seed_another() -> None:
    one, again, other = (open_world(Habits(seed=seed), small_catalog()) for seed in (1, 1, 2))
    one.tastes.next_day()
    again.tastes.next_day()
    assert np.array_equal(one.tastes.vectors, again.tastes.vectors)
    assert np.array_equal(one.space.vectors, again.space.vectors)
    assert not np.array_equal(one.tastes.vectors, other.tastes.vectors)


def test_tastes_drift_and_stand_still_without_drift() -> None:
    def likeness(drift: float, days: int) -> float:
        tastes = open_world(Habits(drift=drift), small_catalog()).tastes
        before = tastes.vectors
        for _ in range(days):
            tastes.next_day()
        return float((before * tastes.vectors).sum(1).mean())

    assert likeness(0.0, 10) == pytest.approx(1.0)
    assert 1 > likeness(0.1, 1) > likeness(0.1, 10)


def test_tastes_are_the_same_whatever_happens_in_the_shop() -> None:
    quiet, busy = (open_world(Habits(), small_catalog()) for _ in range(2))
    busy.rng.random(1000)
    quiet.tastes.next_day()
    busy.tastes.next_day()
    assert np.array_equal(quiet.tastes.vectors, busy.tastes.vectors)


def test_nobody_likes_anything_more_than_certainly_and_no_item_is_liked_by_nobody() -> None:
    world = open_world(Habits(), small_catalog())
    everything = np.tile(np.arange(len(world.space)), (world.habits.shoppers, 1))
    chances = world.attraction(np.arange(world.habits.shoppers), everything)
    assert chances[:, 0].max() == 0  # no item, no click
    assert 0 < chances[:, 1:].min() < 0.02
    assert 0.5 < chances[:, 1:].max() < 1


def test_a_shop_with_nothing_to_sell_is_refused() -> None:
    items = small_catalog()
    column = items.column_names.index("available")
    sold_out = items.set_column(column, items.schema.field(column), pa.array([False] * len(items)))
    with pytest.raises(DataError, match="available"):
        open_world(Habits(), sold_out)


def test_shops_without_categories_brands_prices_or_texts_have_tastes_too() -> None:
    items = small_catalog()
    for name in ("category", "brand", "price_micros", "text"):
        column = items.column_names.index(name)
        items = items.set_column(column, items.schema.field(column), pa.nulls(len(items), items[name].type))
    world = open_world(Habits(), items)
    front = ShopFront(world.space)
    wanted = front.wanted(world.tastes.vectors[:20], world.rng)
    assert all(query.strip() for query in front.searches(wanted, world.rng))
    assert front.slates(wanted, 10, world.rng).all()


def test_shapes_have_mean_one() -> None:
    assert HOUR_SHAPE.mean() == pytest.approx(1)
    assert WEEK_SHAPE.mean() == pytest.approx(1)
    rates = [rate_at(START + hour * HOUR) for hour in range(7 * 24)]
    assert np.mean(rates) == pytest.approx(1)


def test_night_is_quieter_than_evening_and_monday_than_saturday() -> None:
    assert rate_at(START + 3 * HOUR) < 0.2 * rate_at(START + 19 * HOUR)
    assert rate_at(START + 12 * HOUR) < rate_at(START + 5 * DAY + 12 * HOUR)
    rng = np.random.default_rng(0)
    visits = [len(draw_arrivals(np.full(2000, 5.0, np.float32), START + h * HOUR, rng)[0]) for h in range(24)]
    assert visits[3] < 0.2 * visits[19]
    assert abs(sum(visits) - 10_000 * WEEK_SHAPE[0]) < 5 * np.sqrt(10_000)  # Poisson, five sigma


@given(st.integers(1, 60), st.integers(0, 1000))
def test_a_slate_shows_available_items_of_its_category_and_none_twice(size: int, seed: int) -> None:
    space = open_world(Habits(), small_catalog()).space
    wanted = np.array([WHOLE_SHOP, *range(1, len(space.categories))])
    slates = ShopFront(space).slates(wanted, size, np.random.default_rng(seed))
    for row, category in zip(slates.tolist(), wanted.tolist(), strict=True):
        shown = [item for item in row if item]
        assert len(set(shown)) == len(shown) > 0
        assert row[len(shown) :] == [0] * (size - len(shown))  # empty places are the last
        assert (space.exposure[shown] > 0).all()
        assert category == WHOLE_SHOP or set(space.category_of[shown].tolist()) == {category}


def test_people_search_for_what_they_like() -> None:
    world = open_world(Habits(shoppers=500), small_catalog())
    wanted = ShopFront(world.space).wanted(world.tastes.vectors, world.rng)
    favourite = world.tastes.top_categories(1)[:, 0]
    assert (wanted == favourite).mean() > 0.5 > 2 / len(CATEGORIES)
