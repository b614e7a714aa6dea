"""Judgments: how relevant items are to queries, as somebody or the clicks of many said."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.dataset.interactions import Vocabulary
from recsys.errors import DataError

TEST_PARTS = 5  # one query of so many is for the test
PARTS = ("test", "train", "all")


@dataclass(frozen=True)
class JudgedPairs:
    """Judgments as their files have them: P pairs of a query and an item's id.

    Attributes:
        query_ids, queries: (Q,) ids and texts.
        pair_query: (P,) rows of `queries`. pair_item: (P,) item ids. grades: (P,).
        weights: (Q,) what a query counts, for example how often it was asked; 1 by default.
        strata: (Q,) queries that were sampled apart have different numbers; all 0 by default.
        notes: what was left out or decided in reading, for people.
    """

    query_ids: tuple[str, ...]
    queries: tuple[str, ...]
    pair_query: IntArray
    pair_item: tuple[str, ...]
    grades: DoubleArray
    weights: DoubleArray
    strata: IntArray
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        query_ids: Sequence[str],
        queries: Sequence[str],
        pair_query: Sequence[int] | IntArray,
        pair_item: Sequence[str],
        grades: Sequence[float] | DoubleArray,
        notes: Sequence[str] = (),
    ) -> "JudgedPairs":
        """Pairs whose queries weigh the same and were not sampled."""
        return cls(
            tuple(query_ids),
            tuple(queries),
            np.asarray(pair_query, np.int64),
            tuple(pair_item),
            np.asarray(grades, np.float64),
            np.ones(len(queries)),
            np.zeros(len(queries), np.int64),
            tuple(notes),
        )


@dataclass(frozen=True)
class Judgments:
    """Grades of P pairs by query, then by item; each pair once.

    Attributes:
        query_ids, queries: (Q,) ids and texts; each has a pair.
        offsets: (Q + 1,) query q has the pairs offsets[q] to offsets[q + 1].
        items: (P,) item indexes of the catalog that is searched. grades: (P,) the higher the better.
        weights, strata: (Q,) see `JudgedPairs`.
        not_in_catalog: pairs left out since the catalog lacks their item.
        repeated: further grades of a pair that had one; a pair has the mean of its grades.
    """

    query_ids: tuple[str, ...]
    queries: tuple[str, ...]
    offsets: IntArray
    items: IntArray
    grades: DoubleArray
    weights: DoubleArray
    strata: IntArray
    not_in_catalog: int = 0
    repeated: int = 0

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def query_of_pair(self) -> IntArray:
        """(P,) the row of each pair's query."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @property
    def middle_grade(self) -> float:
        """Half way between the lowest and the highest grade: from there on a pair counts as relevant."""
        return float(self.grades.min() + self.grades.max()) / 2

    def only(self, rows: BoolArray) -> "Judgments":
        """The queries where `rows`, (Q,), is true.

        Raises:
            DataError: there is none.
        """
        if not rows.any():
            raise DataError(
                f"none of {len(self)} judged queries is left. Take another --split, or more queries."
            )
        pairs = rows[self.query_of_pair]
        counts = np.diff(self.offsets)[rows]
        kept = np.flatnonzero(rows).tolist()
        return replace(
            self,
            query_ids=tuple(self.query_ids[row] for row in kept),
            queries=tuple(self.queries[row] for row in kept),
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            items=self.items[pairs],
            grades=self.grades[pairs],
            weights=self.weights[rows],
            strata=self.strata[rows],
        )

    def part(self, name: str) -> "Judgments":
        """The queries of a part, `test`, `train` or `all`; see `is_test_query`.

        Raises:
            DataError: the name is none of these, or no query is in the part.
        """
        if name not in PARTS:
            raise DataError(f"the part {name!r} is unknown. Use one of: {', '.join(PARTS)}.")
        if name == "all":
            return self
        test = np.array([is_test_query(text) for text in self.queries], np.bool_)
        return self.only(test if name == "test" else ~test)


def is_test_query(query: str) -> bool:
    """Whether a query is for the test and not for training: by its text alone, one of five.

    >>> [is_test_query(text) for text in ("angle bracket", "l bracket", "deck over", "convection otr")]
    [True, False, False, False]
    """
    return int(hashlib.sha256(query.encode("utf-8")).hexdigest()[:8], 16) % TEST_PARTS == 0


def judgments_on(pairs: JudgedPairs, catalog: Vocabulary) -> Judgments:
    """The judgments of items that the catalog has, each pair once; queries without a pair are left out.

    Raises:
        DataError: a grade is no number, or the catalog has none of the items.
    """
    if not np.isfinite(pairs.grades).all():
        place = int(np.flatnonzero(~np.isfinite(pairs.grades))[0])
        query, item = pairs.queries[pairs.pair_query[place]], pairs.pair_item[place]
        raise DataError(f"the grade of {item!r} for the query {query!r} is not a number. Mend the judgments.")
    index = catalog.indexes(pairs.pair_item)
    known = index > 0
    if not known.any():
        shown = ", ".join(repr(item) for item in pairs.pair_item[:3]) or "no items at all"
        raise DataError(
            f"the catalog has none of the {len(index)} judged items ({shown}, ...). Pass the items that were "
            "judged as --items."
        )
    width = len(catalog)
    keys, place, counts = np.unique(
        pairs.pair_query[known] * width + index[known], return_inverse=True, return_counts=True
    )
    grades = np.bincount(place, pairs.grades[known], len(keys)) / counts
    rows, counted = np.unique(keys // width, return_counts=True)
    kept = rows.tolist()
    return Judgments(
        query_ids=tuple(pairs.query_ids[row] for row in kept),
        queries=tuple(pairs.queries[row] for row in kept),
        offsets=np.concatenate([[0], np.cumsum(counted)]),
        items=keys % width,
        grades=grades,
        weights=pairs.weights[rows],
        strata=pairs.strata[rows],
        not_in_catalog=int((~known).sum()),
        repeated=int((counts - 1).sum()),
    )
