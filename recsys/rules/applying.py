"""Effects on arrays of items, the same for search and recommendation.

A boost multiplies the reciprocal of an item's place: with factor 2 the item at place 10 stands where one at
place 5 would, with .5 it stands where one at place 20 would. Places are the one thing that all scores have,
whether they are probabilities, logits, cosines or sums: to multiply a score of unknown sign and origin means
nothing. Factors of several rules on one item are multiplied, within 1/100 and 100.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.errors import RequestError
from recsys.filters import Filters
from recsys.rules.effects import Effects, FiredRule, Hide, Weight
from recsys.rules.rule_documents import LARGEST_FACTOR


@dataclass(frozen=True)
class ItemLookup:
    """How a caller finds items.

    Attributes:
        size: N + 1. indexes: item ids -> (K,) indexes, 0 = unknown.
        passing: filters -> (N + 1,) bool, availability left aside; raises RequestError for an attribute that
            no item has.
    """

    size: int
    indexes: Callable[[Sequence[str]], IntArray]
    passing: Callable[[Filters], BoolArray]


@dataclass(frozen=True)
class WantedPin:
    """An item by its index, 0 = not in the catalog, that a rule wants at a position."""

    index: int
    position: int
    fired: int


@dataclass(frozen=True)
class ItemEffects:
    """Effects by item index.

    Attributes:
        hidden: (N + 1,) what is hidden. required: (N + 1,) what passes all filters of rules.
        factors: (N + 1,) what an item's reciprocal place is multiplied by. None where no rule asks for it.
        pins: the strongest first.
        fired: as `Effects.fired`, with what failed.
    """

    hidden: BoolArray | None = None
    required: BoolArray | None = None
    factors: DoubleArray | None = None
    pins: tuple[WantedPin, ...] = ()
    fired: tuple[FiredRule, ...] = ()

    @classmethod
    def of(cls, effects: Effects, lookup: ItemLookup) -> "ItemEffects":
        """The effects on the items of `lookup`; an action that the catalog cannot follow has failed."""
        if not effects.fired:
            return cls()
        fired = list(effects.fired)
        hidden: BoolArray | None = None
        for hide in effects.hides:
            mask = _mask(hide, lookup, fired)
            hidden = mask if hidden is None else hidden | mask
        required: BoolArray | None = None
        for each in effects.filters:
            passing = _passing(each.filters, lookup, fired, each.fired)
            if passing is not None:
                required = passing if required is None else required & passing
        factors: DoubleArray | None = None
        for weight in effects.boosts:
            factors = np.ones(lookup.size) if factors is None else factors
            factors[_mask(weight, lookup, fired)] *= weight.factor
        if factors is not None:
            np.clip(factors, 1 / LARGEST_FACTOR, LARGEST_FACTOR, out=factors)
        index = lookup.indexes([pin.item_id for pin in effects.pins]) if effects.pins else ()
        pins = tuple(
            WantedPin(int(place), pin.position, pin.fired)
            for place, pin in zip(index, effects.pins, strict=True)
        )
        return cls(hidden, required, factors, pins, tuple(fired))

    def without_removed(self, allowed: BoolArray) -> BoolArray:
        """`allowed` (N + 1,) without what is hidden or does not pass."""
        if self.required is not None:
            allowed = allowed & self.required
        return allowed if self.hidden is None else allowed & ~self.hidden

    def order(self, index: IntArray) -> IntArray:
        """Places of items `index` (K,), best first so far, in the order that boosts and buries give."""
        return np.arange(len(index)) if self.factors is None else weighted_order(self.factors[index])


def weighted_order(factors: DoubleArray) -> IntArray:
    """(K,) places in the new order of K items that are in order, by reciprocal place times factor.

    Equal ones keep their order.

    >>> weighted_order(np.array([1, 1, 1, 2.5])).tolist()
    [0, 3, 1, 2]
    """
    order: IntArray = np.argsort(np.arange(1, len(factors) + 1) / factors, kind="stable")
    return order


def place_pins(chosen: IntArray, pins: Sequence[WantedPin], count: int) -> tuple[IntArray, dict[int, int]]:
    """Up to `count` item indexes with the pinned ones in their places, and `fired` -> position of each pin.

    A pin whose place is taken moves to the next free one; one beyond the end of what there is to show comes
    last. Pins beyond `count` are not shown.

    Args:
        chosen: item indexes, best first; pinned ones among them leave their places.
        pins: that may be shown, the strongest first.

    >>> pins = [WantedPin(9, 1, 0), WantedPin(8, 1, 1)]
    >>> index, positions = place_pins(np.array([5, 8, 6, 7]), pins, 4)
    >>> index.tolist(), positions
    ([9, 8, 5, 6], {0: 1, 1: 2})
    """
    slots: dict[int, WantedPin] = {}
    for pin in pins:
        position = pin.position
        while position in slots:
            position += 1
        if position <= count:
            slots[position] = pin
    pinned = {pin.index for pin in slots.values()}
    rest = [index for index in chosen.tolist() if index not in pinned][: count - len(slots)]
    placed: list[int] = []
    positions: dict[int, int] = {}
    waiting = iter(rest)
    left = len(rest)
    for position in range(1, count + 1):
        here = slots.get(position)
        if here is not None:
            placed.append(here.index)
            positions[here.fired] = len(placed)
        elif left:
            placed.append(next(waiting))
            left -= 1
    return np.array(placed, np.int64), positions


def hidden_by(effects: Effects, lookup: ItemLookup, index: int) -> tuple[FiredRule, ...]:
    """The rules that hide item `index`, or whose filters it does not pass: for an explanation."""
    fired = list(effects.fired)
    found = [hide.fired for hide in effects.hides if _mask(hide, lookup, fired)[index]]
    for each in effects.filters:
        mask = _passing(each.filters, lookup, fired, each.fired)
        if mask is not None and not mask[index]:
            found.append(each.fired)
    return tuple(effects.fired[place] for place in found)


def weighed_by(effects: Effects, lookup: ItemLookup, index: int) -> tuple[FiredRule, ...]:
    """The rules that boost or bury item `index`: for an explanation."""
    fired = list(effects.fired)
    return tuple(effects.fired[each.fired] for each in effects.boosts if _mask(each, lookup, fired)[index])


def _mask(chosen: Hide | Weight, lookup: ItemLookup, fired: list[FiredRule]) -> BoolArray:
    """(N + 1,) the items that an action is about."""
    mask = np.zeros(lookup.size, bool)
    if chosen.filters is not None:
        passing = _passing(chosen.filters, lookup, fired, chosen.fired)
        mask = mask if passing is None else passing.copy()
    if chosen.item_ids:
        mask[lookup.indexes(chosen.item_ids)] = True
    mask[0] = False
    return mask


def _passing(filters: Filters, lookup: ItemLookup, fired: list[FiredRule], place: int) -> BoolArray | None:
    try:
        return lookup.passing(filters)
    except RequestError as error:
        # The rule is of an older catalog, or wrong; the shopper's request is neither.
        fired[place] = fired[place].ended("failed", str(error))
        return None
