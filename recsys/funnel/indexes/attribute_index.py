"""Which items have which attribute: by value, and by number for ranges."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.errors import RequestError, did_you_mean
from recsys.filters import AttributeCondition, NoneOf, NumberRange, Value

Places = npt.NDArray[np.int32]
_SOME = 10  # names that a message lists


class AttributeIndex:
    """The attributes of a catalog's items by name, value and item index. Immutable."""

    def __init__(self, places: Mapping[str, Mapping[Value, Places]]) -> None:
        """Args:
        places: name -> value -> indexes of the items that have it, at least one, ascending.
        """
        self._places = places
        self._numbers: dict[str, tuple[DoubleArray, IntArray, Places]] = {}  # filled when first asked

    @classmethod
    def of(cls, attributes: Sequence[str]) -> "AttributeIndex":
        """The index of `attributes`, the JSON object of each item."""
        lists: dict[str, dict[Value, list[int]]] = {}
        read: dict[str, list[tuple[str, Value]]] = {}  # many items have the same
        for index, document in enumerate(attributes):
            if len(document) > 2:  # not {}
                values = read.get(document)
                if values is None:
                    values = read[document] = list(dict.fromkeys(attribute_values(document)))
                for name, value in values:
                    lists.setdefault(name, {}).setdefault(value, []).append(index)
        return cls(
            {
                name: {value: np.array(places, np.int32) for value, places in values.items()}
                for name, values in lists.items()
            }
        )

    def with_items(self, before: Sequence[str], after: Sequence[str], index: IntArray) -> "AttributeIndex":
        """The index of `after`, which differs from `before` in the items at `index` only."""
        gone: dict[str, dict[Value, list[int]]] = {}
        come: dict[str, dict[Value, list[int]]] = {}
        for place in index.tolist():
            old = set(attribute_values(before[place])) if place < len(before) else set()
            new = set(attribute_values(after[place]))
            for name, value in old - new:
                gone.setdefault(name, {}).setdefault(value, []).append(place)
            for name, value in new - old:
                come.setdefault(name, {}).setdefault(value, []).append(place)
        places = dict(self._places)
        for name in {*gone, *come}:
            revised = dict(places.get(name, {}))
            for value, lost in gone.get(name, {}).items():
                rest = np.delete(revised[value], np.searchsorted(revised[value], lost))
                revised[value] = rest
                if not len(rest) and value not in come.get(name, {}):
                    del revised[value]
            for value, won in come.get(name, {}).items():
                known = revised.get(value, np.zeros(0, np.int32))
                revised[value] = np.insert(known, np.searchsorted(known, sorted(won)), sorted(won))
            places[name] = revised
        other = AttributeIndex({name: values for name, values in places.items() if values})
        other._numbers = {
            name: found for name, found in self._numbers.items() if name not in gone and name not in come
        }
        return other

    @property
    def names(self) -> frozenset[str]:
        """The attributes that some item has."""
        return frozenset(self._places)

    def values(self, name: str) -> Mapping[Value, Places]:
        """Each value that items have under `name`, with the indexes of those items; none if none has it."""
        return self._places.get(name, {})

    def mask(self, name: str, condition: AttributeCondition, size: int) -> BoolArray:
        """(size,) true where the item meets `condition` on attribute `name`.

        Raises:
            RequestError: no item has an attribute of that name.
        """
        if name not in self._places:
            near = did_you_mean(name, self._places)
            some = ", ".join(sorted(self._places)[:_SOME]) or "none"
            raise RequestError(
                f"filters.attributes: no item has an attribute {name!r}.{near} Attributes are: {some}."
            )
        mask = np.zeros(size, bool)
        if isinstance(condition, NumberRange):
            mask[self._within(name, condition)] = True
            return mask
        values = condition.values if isinstance(condition, NoneOf) else condition
        for value in values if isinstance(values, tuple) else (values,):
            mask[self._places[name].get(value, [])] = True
        return ~mask if isinstance(condition, NoneOf) else mask

    def _within(self, name: str, wanted: NumberRange) -> Places:
        """Indexes of the items that have a number within `wanted`; one with several may come twice."""
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = _sorted_numbers(self._places[name])
        numbers, ends, places = found
        low = 0 if wanted.least is None else int(np.searchsorted(numbers, wanted.least, "left"))
        high = len(numbers) if wanted.most is None else int(np.searchsorted(numbers, wanted.most, "right"))
        return places[ends[low] : ends[max(low, high)]]


def _sorted_numbers(values: Mapping[Value, Places]) -> tuple[DoubleArray, IntArray, Places]:
    """The numbers among `values` ascending, and the items of number n: `places[ends[n]:ends[n + 1]]`."""
    numbers = sorted(value for value in values if not isinstance(value, str | bool))
    parts = [values[number] for number in numbers]
    ends = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    places = np.concatenate(parts) if parts else np.zeros(0, np.int32)
    return np.array(numbers, np.float64), ends, places


def attribute_values(document: str) -> Iterator[tuple[str, Value]]:
    """The (name, value) pairs of an item's attributes, a JSON object; one of a list may come twice."""
    found: Mapping[str, Any] = json.loads(document or "{}")
    for name, value in found.items():
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, str | float | int):
                yield name, one
