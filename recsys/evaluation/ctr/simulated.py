"""Impressions whose true probabilities of a click and a purchase are known."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from recsys.arrays import DoubleArray, IntArray
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.shape import CtrShape

DIMENSIONS, HISTORY, CATEGORIES = 16, 10, 12
EXAMINATION = np.array([[1.0, 0.7, 0.5, 0.35], [1.0, 0.45, 0.25, 0.15]])  # (surface, slot)
_LIKED, _OTHER = 1, 2  # kinds of action


@dataclass(frozen=True)
class SimulatedClicks:
    """Impressions day by day, with their truth.

    Attributes:
        day: (I,) from 0. attraction, conversion: (I,) true probabilities. p_click: (I,) that of the click.
    """

    impressions: Impressions
    shape: CtrShape
    day: IntArray
    attraction: DoubleArray
    conversion: DoubleArray
    p_click: DoubleArray


def simulate_clicks(
    requests: int, users: int = 400, items: int = 200, days: int = 8, rate: float = -1.5, seed: int = 0
) -> SimulatedClicks:
    """Four slots for each request on one of two surfaces; better items are more often in better slots.

    Log-odds of attraction are rate + 2 cosine + an effect of the item + 1.2 where the history likes the
    item's category - .8 where it has it otherwise + a cross of two features + a step of the price; the
    examination is EXAMINATION. The vectors that are handed out are the true ones, of users with noise.

    Args:
        rate: log-odds of the attraction where nothing speaks for or against it.
    """
    rng = np.random.default_rng(seed)
    category = np.concatenate([[0], rng.integers(1, CATEGORIES + 1, items)])
    taste, vectors = _unit(rng.standard_normal((users, DIMENSIONS))), _item_vectors(rng, category)
    quality = np.concatenate([[0.0], 0.6 * rng.standard_normal(items)])
    user, surface = rng.integers(0, users, requests), rng.integers(0, 2, requests)
    history = rng.integers(1, items + 1, (requests, HISTORY))
    kinds = np.where(rng.random((requests, HISTORY)) < 0.5, _LIKED, _OTHER)
    kinds[np.arange(HISTORY) < rng.integers(0, HISTORY, requests)[:, None]] = 0  # the latest are at the end
    slots = EXAMINATION.shape[1]
    item = np.argsort(rng.random((requests, items)), axis=1)[:, :slots] + 1
    lean = (taste[user][:, None] * vectors[item]).sum(2) + quality[item] + rng.normal(0, 1, item.shape)
    item = np.take_along_axis(item, np.argsort(-lean, axis=1), axis=1).ravel()
    request = np.repeat(np.arange(requests), slots)
    slot = np.tile(np.arange(1, slots + 1), requests)
    price, age = rng.lognormal(3, 1, len(item)), rng.uniform(0, 1, len(item))
    seen = (category[history[request]] == category[item][:, None]) & (kinds[request] > 0)
    log_odds = (
        rate
        + 2.0 * (taste[user[request]] * vectors[item]).sum(1)
        + quality[item]
        + 1.2 * (seen & (kinds[request] == _LIKED)).any(1)
        - 0.8 * (seen & (kinds[request] == _OTHER)).any(1)
        + 1.0 * (age > 0.5) * (surface[request] == 1)
        - 0.5 * (price > 30)
    )
    attraction, conversion = expit(log_odds), expit(-1.0 + 1.5 * quality[item])
    p_click = attraction * EXAMINATION[surface[request], slot - 1]
    clicked = rng.random(len(item)) < p_click
    noisy = _unit(taste + 0.1 * rng.standard_normal(taste.shape)).astype(np.float32)
    impressions = Impressions(
        request=request,
        item=item,
        slot=slot,
        numbers=np.stack([price, age], 1).astype(np.float32),
        categories=category[item][:, None],
        clicked=clicked,
        converted=clicked & (rng.random(len(item)) < conversion),
        user=user,
        surface=surface,
        user_vectors=noisy[user],
        item_vectors=vectors.astype(np.float32),
        query_vectors=np.zeros((requests, 0), np.float32),
        history=np.where(kinds > 0, history, 0),
        history_kinds=kinds,
    )
    day = (np.arange(requests) * days // requests)[request]
    return SimulatedClicks(impressions, _shape(items), day, attraction, conversion, p_click)


def _shape(items: int) -> CtrShape:
    return CtrShape(
        numbers=("price", "age"),
        logarithm=("price",),
        categories=(("category", CATEGORIES + 1),),
        items=items,
        vector=DIMENSIONS,
        kinds=3,
        history=HISTORY,
        surfaces=EXAMINATION.shape[0],
        slots=EXAMINATION.shape[1],
        conversion=True,
    )


def _item_vectors(rng: np.random.Generator, category: IntArray) -> DoubleArray:
    """(N + 1, D) unit rows, those of one category near each other, as attributes make them; row 0 zeros."""
    centres = rng.standard_normal((CATEGORIES + 1, DIMENSIONS))
    vectors = _unit(centres[category] + 0.7 * rng.standard_normal((len(category), DIMENSIONS)))
    vectors[0] = 0.0
    return vectors


def _unit(rows: DoubleArray) -> DoubleArray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float64)
