"""The queries that a change is tried on: of a file, judged ones, or of the shop's log."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recsys.config import Settings
from recsys.errors import DataError
from recsys.evaluation.search.judgments import JudgedPairs
from recsys.jobs.search.evaluation.sampled_queries import (
    clicked_sample,
    read_click_log,
    read_logged_queries,
    sample_queries,
)
from recsys.jobs.search.judged_files.judged_sets import ReadingOptions, read_judged_set
from recsys.jobs.search.rule_files import read_queries

log = logging.getLogger(__name__)
SEED = 0  # the same queries of the same log, so that two checks can be compared


@dataclass(frozen=True)
class QuerySet:
    """Queries, each once.

    Attributes:
        judgments: query -> item id -> grade, 0 and above; of judgments or of clicks.
    """

    queries: tuple[str, ...] = ()
    judgments: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def read_query_set(
    settings: Settings,
    queries: Path | None = None,
    judgments: Path | None = None,
    from_log: int | None = None,
) -> QuerySet:
    """The queries of all that is named; none where nothing is.

    Args:
        queries: one a line, or a CSV with a column `query`.
        judgments: any file that `recsys search evaluate --judgments` reads.
        from_log: so many queries of the shop's log, by demand, with grades of clicks where it has them.

    Raises:
        DataError: a file cannot be read, or the log has no searches.
        SchemaMismatchError: the judgments lack a column.
    """
    asked: list[str] = list(read_queries(queries)) if queries else []
    grades: dict[str, Mapping[str, float]] = {}
    if from_log is not None:
        sampled, clicked = _logged(settings, from_log)
        asked += sampled
        grades |= clicked
    if judgments is not None:
        grades |= grades_of(read_judged_set(judgments, None, ReadingOptions()).pairs)
    return QuerySet(tuple(dict.fromkeys((*asked, *grades))), grades)


def grades_of(pairs: JudgedPairs) -> dict[str, Mapping[str, float]]:
    """Query -> item id -> grade; of a pair that is there twice the last."""
    found: dict[str, dict[str, float]] = {}
    rows = zip(pairs.pair_query.tolist(), pairs.pair_item, pairs.grades.tolist(), strict=True)
    for query, item, grade in rows:
        found.setdefault(pairs.queries[query], {})[item] = grade
    return dict(found)


def _logged(settings: Settings, size: int) -> tuple[list[str], dict[str, Mapping[str, float]]]:
    logged = read_logged_queries(settings)
    keys, sample = sample_queries(logged, size, SEED)
    try:
        pairs = clicked_sample(logged, keys, sample, read_click_log(settings, logged), ReadingOptions())
    except DataError as error:
        log.warning("the queries of the log are without judgments: %s", error)
        return [logged.written[key] for key in keys], {}
    return [logged.written[key] for key in keys], grades_of(pairs)
