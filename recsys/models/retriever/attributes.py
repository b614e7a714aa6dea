"""An item's attributes as numbers: a vocabulary of `field=value` tokens and standardised numeric fields."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys.arrays import FloatArray, IntArray
from recsys.columns import BRAND, CATEGORY, PRICE_MICROS
from recsys.documents import JsonObject

if TYPE_CHECKING:
    from recsys.dataset.item_table import ItemTable

MAX_TOKENS = 24  # of one item; more are cut off, rare ones first
MIN_NUMERIC_SHARE = 0.01  # of the items that must have a number for it to become a field

Attributes = Mapping[str, Any]


@dataclass(frozen=True)
class NumberField:
    """A numeric attribute: value -> (signed log1p(value) - mean) / deviation."""

    name: str
    mean: float
    deviation: float

    def standardise(self, value: float) -> float:
        """The standardised value."""
        return (_log(value) - self.mean) / self.deviation


@dataclass(frozen=True)
class AttributeVocabulary:
    """What training knew of the catalog's attributes; a value that it did not know says nothing.

    Attributes:
        tokens: `field=value`, the most frequent first; a token's code is its place from 1 (0 = padding).
        numbers: the numeric fields, by name.
    """

    tokens: tuple[str, ...]
    numbers: tuple[NumberField, ...]

    @classmethod
    def fit(cls, rows: Iterable[Attributes], min_count: int = 5) -> "AttributeVocabulary":
        """The vocabulary of a catalog: tokens of at least `min_count` items, numbers that vary."""
        counts: Counter[str] = Counter()
        values: dict[str, list[float]] = {}
        total = 0
        for row in rows:
            total += 1
            counts.update(set(_tokens(row)))
            for name, number in _numbers(row):
                values.setdefault(name, []).append(_log(number))
        tokens = [token for token, count in counts.items() if min_count <= count < total]
        fields = []
        for name, column in sorted(values.items()):
            deviation = float(np.std(column))
            if len(column) >= max(2, MIN_NUMERIC_SHARE * total) and deviation > 0:
                fields.append(NumberField(name, float(np.mean(column)), deviation))
        return cls(tuple(sorted(tokens, key=lambda token: (-counts[token], token))), tuple(fields))

    def encode(self, rows: Sequence[Attributes]) -> tuple[IntArray, FloatArray]:
        """Token codes (n, A), 0 = padding, and numbers (n, 2 F): F standardised values, F missing flags."""
        codes = [
            sorted({self._codes[token] for token in _tokens(row) if token in self._codes})[:MAX_TOKENS]
            for row in rows
        ]
        width = max((len(row) for row in codes), default=0) or 1
        bags = np.zeros((len(rows), width), np.int64)  # (n, A)
        for place, bag in enumerate(codes):
            bags[place, : len(bag)] = bag
        numbers = np.zeros((len(rows), 2 * len(self.numbers)), np.float32)  # (n, 2 F)
        for place, row in enumerate(rows):
            known = dict(_numbers(row))
            for column, field in enumerate(self.numbers):
                if field.name in known:
                    # Clipped: a typing error in a price must not outweigh everything else.
                    numbers[place, column] = np.clip(field.standardise(known[field.name]), -4, 4)
                else:
                    numbers[place, len(self.numbers) + column] = 1.0
        return bags, numbers

    def describe(self) -> JsonObject:
        """As JSON; `rebuild` reads it back."""
        return {
            "tokens": list(self.tokens),
            "numbers": [[field.name, field.mean, field.deviation] for field in self.numbers],
        }

    @classmethod
    def rebuild(cls, description: Mapping[str, Any]) -> "AttributeVocabulary":
        """The vocabulary that `describe` was taken from."""
        numbers = tuple(NumberField(*field) for field in description["numbers"])
        return cls(tuple(description["tokens"]), numbers)

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {token: code for code, token in enumerate(self.tokens, start=1)}


def attribute_rows(items: "ItemTable") -> list[Attributes]:
    """(N + 1) mappings: category, brand and price beside the item's own attributes; row 0 is empty."""
    return [{}, *(attribute_row(items, place) for place in range(1, len(items)))]


def attribute_row(items: "ItemTable", index: int) -> Attributes:
    """Category, brand and price of one item beside its own attributes."""
    row = dict(json.loads(items.attributes[index] or "{}"))
    row[CATEGORY], row[BRAND] = items.categories[index], items.brands[index]
    if items.price_micros[index] >= 0:
        row[PRICE_MICROS] = float(items.price_micros[index])
    return row


def _tokens(row: Attributes) -> list[str]:
    tokens = []
    for name, value in row.items():
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, str | bool) and part != "":
                tokens.append(f"{name}={part}")
    return tokens


def _numbers(row: Attributes) -> list[tuple[str, float]]:
    return [
        (name, float(value))
        for name, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ]


def _log(value: float) -> float:
    return math.copysign(math.log1p(abs(value)), value)
