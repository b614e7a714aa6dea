"""What a change of rules or synonyms would do to a set of queries, before it is saved."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from recsys.documents import JsonObject
from recsys.rules.effects import FiredRule

DEPTH = 10  # places that are compared
SHAKEN_OVERLAP = 0.5  # of the first DEPTH: a query with less in common than that is another one
BROKEN_LOSS = 0.1  # of judged NDCG
MOST_SHAKEN_SHARE = 0.05

T = TypeVar("T")


@dataclass(frozen=True)
class Answered:
    """What a query is answered.

    Attributes:
        item_ids: the first ones, in order; None where no index could be asked, only rules.
        total: all that match.
    """

    item_ids: tuple[str, ...] | None
    total: int = 0
    fired: tuple[FiredRule, ...] = ()


# What a query is answered with these rules or synonyms in force.
Ask = Callable[[str, T], Answered]


@dataclass(frozen=True)
class QueryPreview:
    """One query before and after the change.

    Attributes:
        ndcg_before, ndcg_after: at DEPTH; None where it is not judged.
    """

    query: str
    before: Answered
    after: Answered
    ndcg_before: float | None = None
    ndcg_after: float | None = None

    @property
    def changed(self) -> bool:
        """Whether its items or the rules that fire differ."""
        before, after = self.before, self.after
        ids = [(each.rule_id, each.action, each.outcome) for each in before.fired]
        return before.item_ids != after.item_ids or ids != [
            (each.rule_id, each.action, each.outcome) for each in after.fired
        ]

    @property
    def emptied(self) -> bool:
        """Whether it had results and has none any more."""
        return self.after.item_ids is not None and self.before.total > 0 and self.after.total == 0

    @property
    def overlap(self) -> float:
        """Share of the first DEPTH items that stay among them; 1 where there were none."""
        before = (self.before.item_ids or ())[:DEPTH]
        return len(set(before) & set((self.after.item_ids or ())[:DEPTH])) / len(before) if before else 1.0

    @property
    def broken(self) -> bool:
        """Whether it lost its results, or much of its judged quality."""
        lost = 0.0
        if self.ndcg_before is not None and self.ndcg_after is not None:
            lost = self.ndcg_before - self.ndcg_after
        return self.emptied or lost >= BROKEN_LOSS

    def to_json(self) -> JsonObject:
        """Before and after, and what makes the difference."""
        return {
            "query": self.query,
            "changed": self.changed,
            "total_before": self.before.total,
            "total_after": self.after.total,
            "before": None if self.before.item_ids is None else self.before.item_ids[:DEPTH],
            "after": None if self.after.item_ids is None else self.after.item_ids[:DEPTH],
            "overlap": self.overlap,
            "emptied": self.emptied,
            "broken": self.broken,
            "ndcg_before": self.ndcg_before,
            "ndcg_after": self.ndcg_after,
            "fired": [
                {
                    "rule": each.rule_id,
                    "action": each.action,
                    "outcome": each.outcome,
                    "detail": each.detail,
                }
                for each in self.after.fired
            ],
        }


@dataclass(frozen=True)
class Preview:
    """The effect of a change on a set of queries.

    Attributes:
        searched: whether items were compared; else only which rules fire.
        idle: ids of new or changed rules that fire for none of the queries.
    """

    queries: tuple[QueryPreview, ...]
    searched: bool
    idle: tuple[str, ...] = field(default=())

    @property
    def broken(self) -> tuple[QueryPreview, ...]:
        """Queries that lost their results or much of their judged quality."""
        return tuple(each for each in self.queries if each.broken)

    @property
    def shaken(self) -> tuple[QueryPreview, ...]:
        """Queries most of whose first items are others."""
        return tuple(each for each in self.queries if each.overlap < SHAKEN_OVERLAP)

    @property
    def complaints(self) -> tuple[str, ...]:
        """Why the change should not be accepted; none where it may."""
        found = []
        if broken := self.broken:
            named = ", ".join(repr(each.query) for each in broken[:5])
            found.append(f"{len(broken)} of {len(self.queries)} queries lose results or quality: {named}")
        if len(self.shaken) > MOST_SHAKEN_SHARE * len(self.queries):
            named = ", ".join(repr(each.query) for each in self.shaken[:5])
            found.append(
                f"{len(self.shaken)} of {len(self.queries)} queries keep less than half of their first "
                f"{DEPTH} items: {named}"
            )
        return tuple(found)

    def to_json(self) -> JsonObject:
        """The sums and every query."""
        fired: dict[str, int] = {}
        for query in self.queries:
            for name in {each.rule_id for each in query.after.fired}:
                fired[name] = fired.get(name, 0) + 1
        return {
            "queries": len(self.queries),
            "searched": self.searched,
            "changed": sum(each.changed for each in self.queries),
            "emptied": [each.query for each in self.queries if each.emptied],
            "fired": fired,
            "idle": list(self.idle),
            "complaints": list(self.complaints),
            "details": [each.to_json() for each in self.queries],
        }


def preview_change(
    queries: Sequence[str],
    ask: Ask[T],
    before: T,
    after: T,
    new_rules: Sequence[str] = (),
    judgments: Mapping[str, Mapping[str, float]] | None = None,
) -> Preview:
    """Every query asked before and after.

    Args:
        before, after: rules or synonyms in force.
        new_rules: ids of the rules that the change brings, to tell those that never fire.
        judgments: query -> item id -> grade, 0 and above.
    """
    found = tuple(_one(query, ask, before, after, judgments or {}) for query in queries)
    fired = {each.rule_id for query in found for each in query.after.fired}
    searched = all(query.after.item_ids is not None for query in found)
    return Preview(found, searched, tuple(name for name in new_rules if name not in fired))


def ndcg_of(item_ids: Sequence[str], grades: Mapping[str, float], depth: int = DEPTH) -> float:
    """NDCG of a ranking with gains of grades; items without one count 0, 0 where no grade is above 0.

    >>> ndcg_of(["a", "b"], {"a": 1.0}), ndcg_of(["b", "a"], {"a": 1.0}) < 1
    (1.0, True)
    """
    ideal = _gain(sorted(grades.values(), reverse=True)[:depth])
    return _gain([grades.get(each, 0.0) for each in item_ids[:depth]]) / ideal if ideal > 0 else 0.0


def _gain(grades: Sequence[float]) -> float:
    return sum(grade / math.log2(place + 2) for place, grade in enumerate(grades))


def _one(
    query: str, ask: Ask[T], before: T, after: T, judgments: Mapping[str, Mapping[str, float]]
) -> QueryPreview:
    first, second = ask(query, before), ask(query, after)
    grades = judgments.get(query)
    if not grades or first.item_ids is None or second.item_ids is None:
        return QueryPreview(query, first, second)
    return QueryPreview(
        query, first, second, ndcg_of(first.item_ids, grades), ndcg_of(second.item_ids, grades)
    )
