"""Gives each purchase to one touch of an ad, or to none: the last click, else the last impression."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from recsys.ads.attribution.records import ItemGroups, Purchases, Touches
from recsys.ads.attribution.rule import LONGEST_MICROS, AttributionRule
from recsys.arrays import BoolArray, IntArray

NONE = -1


class Match(IntEnum):
    """What the bought item has to do with the advertised one; of two at one instant the first counts."""

    ITEM = 0
    BRAND = 1
    CATEGORY = 2


@dataclass(frozen=True, eq=False)
class Attribution:
    """Of each of P purchases the touch that it is attributed to.

    Attributes:
        touch: (P,) row of the touch, NONE = no ad's. match: (P,) codes of `Match`, NONE without a touch.
    """

    touch: IntArray
    match: IntArray


def attribute_purchases(
    touches: Touches, purchases: Purchases, groups: ItemGroups, rules: Sequence[AttributionRule]
) -> Attribution:
    """The last touch of the same user within its campaign's window, for each purchase.

    A click goes before any impression, as it says more; of clicks the latest counts, of impressions too, an
    instant that both share included. So a purchase is attributed once, whatever number of campaigns
    and accounts touched its user.

    Args:
        rules: of each campaign, by `touches.campaign`.
    """
    touch = np.full(len(purchases), NONE, np.int64)
    match = np.full(len(purchases), NONE, np.int64)
    if not len(touches):
        return Attribution(touch, match)
    for clicked in (True, False):
        found, by = _latest(touches, purchases, groups, rules, clicked)
        free = touch == NONE
        touch, match = np.where(free, found, touch), np.where(free, by, match)
    return Attribution(touch, match)


def _latest(
    touches: Touches,
    purchases: Purchases,
    groups: ItemGroups,
    rules: Sequence[AttributionRule],
    clicked: bool,
) -> tuple[IntArray, IntArray]:
    """(P,) the last touch of one kind over all matches, and (P,) the match."""
    window = np.array([rule.micros(clicked) for rule in rules], np.int64)[touches.campaign]
    kind = (touches.clicked == clicked) & (window > 0)
    best = np.full(len(purchases), NONE, np.int64)
    best_at = np.full(len(purchases), np.iinfo(np.int64).min)
    match = best.copy()
    for each, group in _groups(touches, purchases, groups):
        rows = np.flatnonzero(kind & _allows(each, rules)[touches.campaign] & (group[0] > 0))
        found = _last_within(touches, purchases, group, rows, window)
        at = np.where(found == NONE, best_at, touches.at[found])
        later = at > best_at
        best, best_at = np.where(later, found, best), np.where(later, at, best_at)
        match = np.where(later, int(each), match)
    return best, match


def _groups(
    touches: Touches, purchases: Purchases, groups: ItemGroups
) -> list[tuple[Match, tuple[IntArray, IntArray]]]:
    """For each match what has to be equal of touch (T,) and purchase (P,), from 1; 0 = none."""
    sides = touches.item, purchases.item
    return [
        (Match.ITEM, (sides[0] + 1, sides[1] + 1)),
        (Match.BRAND, (groups.brand[sides[0]], groups.brand[sides[1]])),
        (Match.CATEGORY, (groups.category[sides[0]], groups.category[sides[1]])),
    ]


def _allows(match: Match, rules: Sequence[AttributionRule]) -> BoolArray:
    """Of each campaign whether purchases count by `match`."""
    return np.array([match is Match.ITEM or rule.halo == match.name.lower() for rule in rules], bool)


def _last_within(
    touches: Touches,
    purchases: Purchases,
    group: tuple[IntArray, IntArray],
    rows: IntArray,
    window: IntArray,
) -> IntArray:
    """(P,) of the touches `rows` the last one of the same user and group whose window is still open."""
    users = np.concatenate([touches.user[rows], purchases.user])
    values = np.concatenate([group[0][rows], group[1]])
    key = np.unique(users * (values.max(initial=0) + 1) + values, return_inverse=True)[1]
    rank = np.unique(np.concatenate([touches.at[rows], purchases.at]), return_inverse=True)[1]
    place = key * (len(rank) + 1) + rank  # by key, then by instant
    order = np.argsort(place[: len(rows)], kind="stable")
    sorted_rows, sorted_keys, own_keys = rows[order], key[: len(rows)][order], key[len(rows) :]
    at = np.searchsorted(place[: len(rows)][order], place[len(rows) :], "right") - 1
    found = np.full(len(purchases), NONE, np.int64)
    open_ones = np.flatnonzero(at >= 0)
    while len(open_ones):  # one step back for each touch whose own window has ended
        candidate = sorted_rows[at[open_ones]]
        same = sorted_keys[at[open_ones]] == own_keys[open_ones]
        age = purchases.at[open_ones] - touches.at[candidate]
        fits = same & (age <= window[candidate])
        found[open_ones[fits]] = candidate[fits]
        at[open_ones] -= 1
        open_ones = open_ones[same & ~fits & (age <= LONGEST_MICROS) & (at[open_ones] >= 0)]
    return found
