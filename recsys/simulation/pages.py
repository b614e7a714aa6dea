"""What shoppers do with the slates that they are shown: many pages at once, as arrays."""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.instants import SECOND
from recsys.simulation.tastes import examination
from recsys.simulation.world import World


@dataclass(frozen=True)
class Pages:
    """B pages of K places, and what happened on them. Instants are microseconds.

    Attributes:
        shoppers: (B,), at: (B,) when the slate was shown, ends: (B,) when its shopper was done with it.
        items: (B, K), 0 = an empty place.
        p_click: (B, K) the true chance of a click at this place, examined or not.
        attraction: (B, K) the same, given that the place is examined.
        examined, clicked, carted, purchased, cancelled: (B, K) bool, each a part of the one before.
        click_at, cart_at, purchase_at, cancel_at: (B, K), of use where it happened.
        quantity: (B, K) of what was bought.
        relevance: (B, K) of the items to what was searched for; None where nobody searched.
        above: places of earlier pages, so that the first place here is position `above` + 1.
    """

    shoppers: IntArray
    at: IntArray
    ends: IntArray
    items: IntArray
    p_click: DoubleArray
    attraction: DoubleArray
    examined: BoolArray
    clicked: BoolArray
    carted: BoolArray
    purchased: BoolArray
    cancelled: BoolArray
    click_at: IntArray
    cart_at: IntArray
    purchase_at: IntArray
    cancel_at: IntArray
    quantity: IntArray
    relevance: DoubleArray | None = None
    above: int = 0


def browse_pages(
    world: World,
    shoppers: IntArray,
    items: IntArray,
    at: IntArray,
    relevance: DoubleArray | None = None,
    above: int = 0,
) -> Pages:
    """Lets `shoppers` (B,) see `items` (B, K) from `at` (B,) on; `relevance` and `above` as `Pages` has them.

    Each place is examined, or not, independently of the others: a click says nothing about the places
    behind it. That makes the chance of a click exactly examination times attraction.
    """
    habits, rng = world.habits, world.rng
    attraction = world.attraction(shoppers, items, relevance)
    examine = examination(habits, above + items.shape[1])[above:] * (items > 0)
    examined = rng.random(items.shape) < examine
    clicked = examined & (rng.random(items.shape) < attraction)
    carted = clicked & (rng.random(items.shape) < habits.cart_share * np.sqrt(attraction))
    purchased = carted & (rng.random(items.shape) < habits.purchase_share)
    cancelled = purchased & (rng.random(items.shape) < habits.cancel_share)
    reading = _seconds(rng.uniform(0.5, 2.0, items.shape)) * examined
    looking = _seconds(rng.lognormal(3.0, 0.7, items.shape)) * clicked  # about 20 s on an item's page
    spent = np.cumsum(reading + looking, axis=1)
    left_item = at[:, None] + spent
    click_at = left_item - looking
    ends = at + spent[:, -1] + _seconds(rng.uniform(2, 10, len(at)))
    basket = np.cumsum(purchased, axis=1)  # a basket is paid for line by line when the page is done
    purchase_at = (ends[:, None] + basket * SECOND // 10).astype(np.int64)
    return Pages(
        shoppers=shoppers,
        at=at,
        ends=np.maximum(ends, purchase_at[:, -1]) + SECOND,
        items=items,
        p_click=examine * attraction,
        attraction=attraction,
        examined=examined,
        clicked=clicked,
        carted=carted,
        purchased=purchased,
        cancelled=cancelled,
        click_at=click_at,
        cart_at=left_item,
        purchase_at=purchase_at,
        cancel_at=purchase_at + _seconds(np.exp(rng.uniform(np.log(60), np.log(2 * 86_400), items.shape))),
        quantity=1 + rng.binomial(2, 0.1, items.shape),
        relevance=relevance,
        above=above,
    )


def _seconds(seconds: DoubleArray) -> IntArray:
    return np.asarray(seconds * SECOND, np.int64)
