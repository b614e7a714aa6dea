"""All rules of a shop, compiled once: those that fire are looked up by the request, not tried one by one."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from recsys.errors import DataError, did_you_mean
from recsys.instants import to_micros
from recsys.rules.conflicts import ANYWHERE, OF_PLACE, QUERY_CONTAINS, QUERY_IS, Firing, settle
from recsys.rules.effects import Effects
from recsys.rules.expression_parsing import parse_expression
from recsys.rules.expressions import Facts, NoFacts, Predicate, fields_of, is_true
from recsys.rules.fields import ATTRIBUTE
from recsys.rules.query_text import Words, contained, index_patterns, query_key
from recsys.rules.rule import SURFACES, Conditions, Rule, Segment, Surface

PATH_SEPARATOR = "/"  # of a category path: a condition on `Home` holds for `Home/Kitchen`


@dataclass(frozen=True)
class Situation:
    """What is asked, where and by whom.

    Attributes:
        now: aware.
        query: as it was typed; empty without one. rewritten: after understanding; empty = as it was typed.
        categories: categories and category paths that the request is for, its filters' included.
        context_item: id of the item that is looked at.
        context_categories: its category, or where in the shop the user is.
        facts: of the user; read only where a rule has a segment.
    """

    surface: Surface
    now: datetime
    query: str = ""
    rewritten: str = ""
    categories: tuple[str, ...] = ()
    context_item: str | None = None
    context_categories: tuple[str, ...] = ()
    facts: Facts = field(default_factory=NoFacts)


@dataclass(frozen=True)
class _Index:
    """Numbers of the rules of one surface, by what has to be there for them to fire.

    Attributes:
        rest: rules that need neither a query nor a place, by their segment.
        bounds: instants in microseconds between which the same of them are in force; `live` remembers which.
    """

    exact: Mapping[str, tuple[int, ...]]
    words: Words
    items: Mapping[str, tuple[int, ...]]
    categories: Mapping[str, tuple[int, ...]]
    context_categories: Mapping[str, tuple[int, ...]]
    rest: Mapping[str | None, tuple[int, ...]]
    bounds: Sequence[int]
    live: dict[int, Mapping[str | None, tuple[int, ...]]] = field(default_factory=dict)


class RuleSet:
    """An immutable set of rules, for many threads.

    Args:
        rules: disabled ones are left out. segments: all that rules name.
        version: of the whole set, which answers name.

    Raises:
        DataError: a rule names a segment that is not there, or a segment's expression is wrong.
    """

    def __init__(
        self, rules: Iterable[Rule] = (), segments: Iterable[Segment] = (), version: int = 0
    ) -> None:
        self.version = version
        self.rules: tuple[Rule, ...] = tuple(rule for rule in rules if rule.enabled)
        self.segments: Mapping[str, Predicate] = {
            segment.name: parse_expression(segment.expression) for segment in segments
        }
        for rule in self.rules:
            self._check_segment(rule)
        self._periods = [_period(rule.conditions) for rule in self.rules]
        self._places = [_Places.of(rule.conditions) for rule in self.rules]
        self._indexes = {surface: self._index(surface) for surface in SURFACES}
        self._none = Effects(version=version)

    def __len__(self) -> int:
        return len(self.rules)

    @property
    def reads_attributes(self) -> bool:
        """Whether a segment of a rule asks for an attribute of users."""
        named = {rule.conditions.segment for rule in self.rules} - {None}
        predicates = [self.segments[name] for name in named if name is not None]
        return any(field.startswith(ATTRIBUTE) for each in predicates for field in fields_of(each))

    def effects(self, situation: Situation) -> Effects:
        """What the rules that fire in `situation` do."""
        index = self._indexes[situation.surface]
        if index is None:
            return self._none
        now = to_micros(situation.now)
        belongs: dict[str, bool] = {}
        found = {
            **_of_places(index, situation),
            **_of_query(index, situation),
            **self._of_rest(index, situation.facts, now, belongs),
        }
        if not found:
            return self._none
        firings = [
            Firing(self.rules[number], narrowness)
            for number, narrowness in found.items()
            if self._holds(number, situation, now, belongs)
        ]
        return settle(firings, self.version) if firings else self._none

    def _of_rest(self, index: _Index, facts: Facts, now: int, belongs: dict[str, bool]) -> dict[int, int]:
        """Rules that need neither a query nor a place, as the two functions below."""
        found: dict[int, int] = {}
        for segment, numbers in self._in_force(index, now).items() if index.rest else ():
            if segment is None or self._belongs(segment, facts, belongs):
                found.update(dict.fromkeys(numbers, ANYWHERE))
        return found

    def _holds(self, number: int, situation: Situation, now: int, belongs: dict[str, bool]) -> bool:
        starts, ends = self._periods[number]
        if not starts <= now < ends or not self._places[number].fit(situation):
            return False
        segment = self.rules[number].conditions.segment
        return segment is None or self._belongs(segment, situation.facts, belongs)

    def _belongs(self, segment: str, facts: Facts, memo: dict[str, bool]) -> bool:
        if segment not in memo:
            memo[segment] = is_true(self.segments[segment], facts)
        return memo[segment]

    def _in_force(self, index: _Index, now: int) -> Mapping[str | None, tuple[int, ...]]:
        """Those of `rest` whose dates hold now."""
        slot = bisect_right(index.bounds, now)
        live = index.live.get(slot)
        if live is None:
            found = {
                segment: tuple(n for n in numbers if self._periods[n][0] <= now < self._periods[n][1])
                for segment, numbers in index.rest.items()
            }
            live = index.live[slot] = {segment: numbers for segment, numbers in found.items() if numbers}
        return live

    def _check_segment(self, rule: Rule) -> None:
        segment = rule.conditions.segment
        if segment is not None and segment not in self.segments:
            near = did_you_mean(segment, self.segments)
            raise DataError(f"rule {rule.rule_id!r} names the segment {segment!r}, which is not there.{near}")

    def _index(self, surface: Surface) -> _Index | None:
        exact, items, categories, contexts = (_Lists() for _ in range(4))
        rest: dict[str | None, list[int]] = {}
        patterns: list[tuple[str, int]] = []
        for number, rule in enumerate(self.rules):
            when = rule.conditions
            if rule.surfaces and surface not in rule.surfaces:
                continue
            if when.query_is or when.query_contains:
                exact.add(map(query_key, when.query_is), number)
                patterns += [(key, number) for key in map(query_key, when.query_contains)]
            elif when.context_items:
                items.add(when.context_items, number)
            elif when.categories:
                categories.add(when.categories, number)
            elif when.context_categories:
                contexts.add(when.context_categories, number)
            else:
                rest.setdefault(when.segment, []).append(number)
        dated = {bound for numbers in rest.values() for n in numbers for bound in self._periods[n]}
        index = _Index(
            exact.frozen(),
            index_patterns(patterns),
            items.frozen(),
            categories.frozen(),
            contexts.frozen(),
            {segment: tuple(numbers) for segment, numbers in rest.items()},
            sorted(dated),
        )
        parts = (
            index.exact,
            index.words,
            index.items,
            index.categories,
            index.context_categories,
            index.rest,
        )
        return index if any(parts) else None


def _of_places(index: _Index, situation: Situation) -> dict[int, int]:
    """Number of each rule that is looked up by category or context -> how narrow that condition is."""
    found: dict[int, int] = {}
    if index.categories:
        for category in _with_parents(situation.categories):
            found.update(dict.fromkeys(index.categories.get(category, ()), OF_PLACE))
    if index.context_categories:
        for category in _with_parents(situation.context_categories):
            found.update(dict.fromkeys(index.context_categories.get(category, ()), OF_PLACE))
    if situation.context_item is not None:
        found.update(dict.fromkeys(index.items.get(situation.context_item, ()), OF_PLACE))
    return found


def _of_query(index: _Index, situation: Situation) -> dict[int, int]:
    """The same of each rule whose condition of the query holds."""
    found: dict[int, int] = {}
    if index.exact or index.words:
        for key in {query_key(situation.query), query_key(situation.rewritten)} - {""}:
            for _, number in contained(index.words, key):
                found[number] = max(found.get(number, 0), QUERY_CONTAINS)
            found.update(dict.fromkeys(index.exact.get(key, ()), QUERY_IS))
    return found


@dataclass(frozen=True)
class _Places:
    """The conditions of category and context of a rule, as sets; empty = no condition."""

    categories: frozenset[str]
    context_items: frozenset[str]
    context_categories: frozenset[str]

    @classmethod
    def of(cls, when: Conditions) -> "_Places":
        return cls(
            frozenset(when.categories), frozenset(when.context_items), frozenset(when.context_categories)
        )

    def fit(self, situation: Situation) -> bool:
        if self.context_items and situation.context_item not in self.context_items:
            return False
        if self.categories and self.categories.isdisjoint(_with_parents(situation.categories)):
            return False
        contexts = self.context_categories
        return not contexts or not contexts.isdisjoint(_with_parents(situation.context_categories))


class _Lists:
    """Numbers by name, while they are collected."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[int]] = {}

    def add(self, names: Iterable[str], number: int) -> None:
        for name in names:
            self._numbers.setdefault(name, []).append(number)

    def frozen(self) -> Mapping[str, tuple[int, ...]]:
        return {name: tuple(numbers) for name, numbers in self._numbers.items()}


def _period(when: Conditions) -> tuple[int, int]:
    """The microseconds from which and before which a rule is in force."""
    return (
        -(2**62) if when.starts_at is None else to_micros(when.starts_at),
        2**62 if when.ends_at is None else to_micros(when.ends_at),
    )


def _with_parents(categories: Iterable[str]) -> list[str]:
    """Each category, and for a path those above it.

    >>> _with_parents(["Home/Kitchen"])
    ['Home/Kitchen', 'Home']
    """
    found: list[str] = []
    for category in categories:
        found.append(category)
        place = category.rfind(PATH_SEPARATOR)
        while place > 0:
            found.append(category[:place])
            place = category.rfind(PATH_SEPARATOR, 0, place)
    return found
