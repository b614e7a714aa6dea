"""Predicates over what is known of a user: what a segment's text is parsed to, and whether it holds.

One evaluator for merchandising rules and for targeting. A comparison with a value that is missing is false,
`!=` and `not in` too; `not (...)` turns that round, so ask `is missing` where it matters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from recsys.catalog import stable_key
from recsys.rules.fields import FactValue

Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains"]
Literal_: TypeAlias = float | str


class Facts(Protocol):
    """What is known of who asks."""

    def value(self, name: str) -> FactValue | None:
        """The value of the field `name`, a category as its stable key; None where it is missing."""
        ...


class NoFacts:
    """Nothing is known: a visitor, or a store that is away."""

    def value(self, name: str) -> FactValue | None:
        """None: every field is missing."""
        return None


@dataclass(frozen=True)
class KnownFacts:
    """Facts that are written down, for previews and tests; a category's name counts as its key."""

    values: Mapping[str, FactValue]

    def value(self, name: str) -> FactValue | None:
        """As it is written down."""
        return self.values.get(name)


@dataclass(frozen=True)
class Comparison:
    """`field operator values`: one value, but for `in` and `not in`.

    Attributes:
        compared: the values as facts have them: numbers, texts, or the stable keys of categories.
    """

    field: str
    operator: Operator
    values: tuple[Literal_, ...]
    compared: frozenset[float | str | int]


@dataclass(frozen=True)
class IsMissing:
    """`field is missing`."""

    field: str


@dataclass(frozen=True)
class Not:
    """`not part`."""

    part: "Predicate"


@dataclass(frozen=True)
class AllOf:
    """`part and part ...`."""

    parts: tuple["Predicate", ...]


@dataclass(frozen=True)
class AnyOf:
    """`part or part ...`."""

    parts: tuple["Predicate", ...]


Predicate: TypeAlias = Comparison | IsMissing | Not | AllOf | AnyOf


def is_true(predicate: Predicate, facts: Facts) -> bool:
    """Whether `predicate` is true of `facts`."""
    if isinstance(predicate, Comparison):
        return _compare(predicate, facts.value(predicate.field))
    if isinstance(predicate, IsMissing):
        return facts.value(predicate.field) is None
    if isinstance(predicate, Not):
        return not is_true(predicate.part, facts)
    if isinstance(predicate, AllOf):
        return all(is_true(part, facts) for part in predicate.parts)
    return any(is_true(part, facts) for part in predicate.parts)


def fields_of(predicate: Predicate) -> frozenset[str]:
    """The names of all fields that `predicate` reads."""
    if isinstance(predicate, Comparison | IsMissing):
        return frozenset({predicate.field})
    if isinstance(predicate, Not):
        return fields_of(predicate.part)
    return frozenset().union(*(fields_of(part) for part in predicate.parts))


def keyed(values: tuple[Literal_, ...]) -> frozenset[float | str | int]:
    """The stable keys of category names."""
    return frozenset(stable_key(value) if isinstance(value, str) else value for value in values)


def _compare(comparison: Comparison, value: FactValue | None) -> bool:
    if value is None:
        return False
    operator, compared = comparison.operator, comparison.compared
    if isinstance(value, tuple):  # equal to a value: has it among several
        found = not compared.isdisjoint(value)
        return found if operator in ("==", "in", "contains") else operator in ("!=", "not in") and not found
    if operator in ("==", "in"):
        return value in compared
    if operator in ("!=", "not in"):
        return value not in compared
    if operator == "contains":
        return isinstance(value, str) and any(isinstance(one, str) and one in value for one in compared)
    return _is_ordered(operator, value, comparison.values[0])


def _is_ordered(operator: Operator, value: float | str, bound: Literal_) -> bool:
    if isinstance(value, str) or isinstance(bound, str):
        return False  # an attribute of another kind than was compared with
    if operator == "<":
        return value < bound
    if operator == "<=":
        return value <= bound
    return value > bound if operator == ">" else value >= bound
