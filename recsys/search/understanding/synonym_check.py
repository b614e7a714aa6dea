"""What a set of synonyms changes in the results of a set of queries, before it is accepted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import log2
from statistics import fmean

from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.search.understanding.synonyms import SynonymSet

FIRST = 10  # places that people look at
DEPTH = 100  # places within which items must be found
_EQUAL = 1e-9

SearchFunction = Callable[[str, SynonymSet], Sequence[str]]


@dataclass(frozen=True)
class CheckedQuery:
    """A query with the grades of items: judged, or clicks of a log; above 0 is relevant, others unknown."""

    query: str
    grades: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class QueryChange:
    """A query whose first results change; measures are None where it is not judged.

    Attributes:
        came: items new among the first ten. went: items no longer among them.
    """

    query: str
    ndcg_before: float | None
    ndcg_after: float | None
    recall_before: float | None
    recall_after: float | None
    came: tuple[str, ...]
    went: tuple[str, ...]

    @property
    def loses(self) -> bool:
        """Whether it is judged and NDCG or recall falls."""
        if self.ndcg_before is None or self.ndcg_after is None:
            return False
        fallen = self.ndcg_before - self.ndcg_after > _EQUAL
        return fallen or (self.recall_before or 0.0) - (self.recall_after or 0.0) > _EQUAL


@dataclass(frozen=True)
class SynonymCheck:
    """The whole set before and after; means are over judged queries, None without any.

    Attributes:
        queries: how many were run. judged: how many of them have grades.
        changed: those whose first ten or measures change, in the order of the queries.
    """

    queries: int
    judged: int
    ndcg_before: float | None
    ndcg_after: float | None
    recall_before: float | None
    recall_after: float | None
    changed: tuple[QueryChange, ...]

    @property
    def losers(self) -> tuple[QueryChange, ...]:
        """Queries that lose, the greatest loss of NDCG first."""
        losing = [change for change in self.changed if change.loses]
        return tuple(
            sorted(losing, key=lambda change: (change.ndcg_after or 0.0) - (change.ndcg_before or 0.0))
        )

    def to_json(self) -> JsonObject:
        """As a JSON object, with the names of the queries that lose."""
        return {**asdict(self), "losers": [change.query for change in self.losers]}


def check_synonyms(
    queries: Iterable[CheckedQuery], search: SearchFunction, before: SynonymSet, after: SynonymSet
) -> SynonymCheck:
    """NDCG@10, recall@100 and the first ten of each query with the one set and the other.

    Args:
        search: ids of items for a query with a set of synonyms, the best first, at least 100 where there are.

    Raises:
        DataError: there is no query.
    """
    rows = [_change(query, search(query.query, before), search(query.query, after)) for query in queries]
    if not rows:
        raise DataError(
            "synonyms: no query to check them with; name judged queries, or wait for searches in the log"
        )
    judged = [row for row in rows if row.ndcg_before is not None]
    return SynonymCheck(
        queries=len(rows),
        judged=len(judged),
        ndcg_before=_mean(row.ndcg_before for row in judged),
        ndcg_after=_mean(row.ndcg_after for row in judged),
        recall_before=_mean(row.recall_before for row in judged),
        recall_after=_mean(row.recall_after for row in judged),
        changed=tuple(row for row in rows if row.came or row.went or _differs(row)),
    )


def _differs(row: QueryChange) -> bool:
    return row.ndcg_before != row.ndcg_after or row.recall_before != row.recall_after


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _change(query: CheckedQuery, before: Sequence[str], after: Sequence[str]) -> QueryChange:
    first_before, first_after = before[:FIRST], after[:FIRST]
    judged = any(grade > 0 for grade in query.grades.values())
    return QueryChange(
        query=query.query,
        ndcg_before=_ndcg(before, query.grades) if judged else None,
        ndcg_after=_ndcg(after, query.grades) if judged else None,
        recall_before=_recall(before, query.grades) if judged else None,
        recall_after=_recall(after, query.grades) if judged else None,
        came=tuple(item for item in first_after if item not in first_before),
        went=tuple(item for item in first_before if item not in first_after),
    )


def _ndcg(ranked: Sequence[str], grades: Mapping[str, float]) -> float:
    """Of the first ten, with gains 2^grade - 1; what is not judged gains nothing."""
    gains = [2.0 ** grades.get(item, 0.0) - 1.0 for item in ranked[:FIRST]]
    ideal = sorted((2.0**grade - 1.0 for grade in grades.values()), reverse=True)[:FIRST]
    return _discounted(gains) / _discounted(ideal)


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / log2(place + 1) for place, gain in enumerate(gains, start=1))


def _recall(ranked: Sequence[str], grades: Mapping[str, float]) -> float:
    relevant = {item for item, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranked[:DEPTH])) / len(relevant)
