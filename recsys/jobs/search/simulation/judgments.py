"""What the clicks of simulated shoppers say of pairs of query and item, beside what is true of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import DoubleArray, IntArray
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.evaluation.intervals import PairedDifference
from recsys.evaluation.search.bootstrap import Estimate, QueryBootstrap, paired
from recsys.evaluation.search.click_judgments import (
    LEAST_SHOWN,
    ClickedPairs,
    ClickGrade,
    estimate_from_clicks,
)
from recsys.evaluation.search.position_model import fit_position_model
from recsys.events import Click, Impression, Search, UserEvent
from recsys.jobs.search.judged_files.click_logs import ClickLog, LoggedItem, click_log, one_query
from recsys.simulation.tastes import examination
from recsys.simulation.truth import ATTRACTION, CLICKED, PROPENSITY, RELEVANCE, Truth

RAW = "click_rate"
KNOWN = "attraction, examination known"  # what is left of the error then is the noise of the clicks
GRADES: tuple[ClickGrade, ...] = get_args(ClickGrade)


@dataclass(frozen=True)
class TruthOfClicks:
    """How judgments from clicks agree with the truth.

    Attributes:
        searches, queries: all of them, each text once. pairs: shown at least `least_shown` times.
        judged_queries: of these pairs.
        agreement: grade -> Spearman with the mean true attraction of those who were shown the pair; one
            grade is of a model that was told the true examination, which no shop knows.
        over_raw: grade -> its agreement less that of the click rate, paired by query.
        relevance: grade -> Spearman with the relevance alone, which no click can know fully.
        examination_from: `chance` or `clicks`. examination_error: largest difference from the truth, of the
            first ten positions.
    """

    searches: int
    queries: int
    judged_queries: int
    pairs: int
    least_shown: int
    agreement: Mapping[str, Estimate]
    over_raw: Mapping[str, PairedDifference]
    relevance: Mapping[str, Estimate]
    examination_from: str
    examination_error: float

    def rows(self) -> list[JsonObject]:
        """One row a grade, the best first."""
        ranked = sorted(self.agreement, key=lambda grade: -self.agreement[grade].value)
        return [self._row(grade) for grade in ranked]

    def _row(self, grade: str) -> JsonObject:
        over, agreement = self.over_raw[grade], self.agreement[grade]
        return {
            "grade": grade,
            "Spearman with the truth": agreement.value,
            "95%": _between(agreement.interval),
            "over click rate": over.difference,
            "its 95%": _between((over.low, over.high)),
            "with relevance": self.relevance[grade].value,
        }

    def facts(self) -> JsonObject:
        """What the rows were measured on."""
        return {
            "searches": self.searches,
            "queries": self.queries,
            "judged queries": self.judged_queries,
            f"pairs shown >= {self.least_shown}": self.pairs,
            "examination from": self.examination_from,
            "examination error": self.examination_error,
        }


def judge_clicks(
    truth: Truth, least_shown: int = LEAST_SHOWN, samples: int = 1000, seed: int = 0
) -> TruthOfClicks:
    """Learns from the clicks of a simulation as from those of people, and looks up what is true.

    Args:
        samples: how often the queries are resampled for the intervals.

    Raises:
        DataError: the truth has no searches, nothing was clicked, or no pair was shown so often.
    """
    shown = truth.shown.filter(truth.shown[columns.QUERY_ID].is_valid())
    log = truth_log(shown)
    found = estimate_from_clicks(log.shown)
    kept = found.shown >= least_shown
    if not kept.any():
        raise DataError(
            f"no pair of query and item was shown {least_shown} times (the most: {int(found.shown.max())}). "
            "Simulate more searches, or fewer needs."
        )
    attraction, relevance = _means(shown, log, found)
    query, count = found.query[kept], len(log.queries)
    bootstrap = QueryBootstrap(np.ones(count), np.zeros(count, np.int64), samples, seed)
    grades = {str(grade): found.grades(grade)[kept] for grade in GRADES}
    grades[KNOWN] = fit_position_model(
        log.shown.cells, examination(truth.habits, log.shown.cells.places)
    ).attraction[kept]
    agreement = {grade: bootstrap.spearman(each, attraction[kept], query) for grade, each in grades.items()}
    return TruthOfClicks(
        searches=len(set(shown[columns.QUERY_ID].to_pylist())),
        queries=count,
        judged_queries=len(np.unique(query)),
        pairs=int(kept.sum()),
        least_shown=least_shown,
        agreement=agreement,
        over_raw={grade: paired(agreement[grade], agreement[RAW]) for grade in grades},
        relevance={g: bootstrap.spearman(each, relevance[kept], query) for g, each in grades.items()},
        examination_from=found.examination_from,
        examination_error=_examination_error(truth, found),
    )


def truth_log(shown: pa.Table) -> ClickLog:
    """The pages of search in a truth's table as a log of clicks.

    Raises:
        DataError: there are none.
    """
    if not len(shown):
        raise DataError("the truth has no page of search. Simulate with --habit search_sessions=0.5.")
    rows = shown.select([columns.QUERY_ID, columns.ITEM_ID, columns.POSITION, PROPENSITY]).to_pydict()
    items = [LoggedItem(*row) for row in zip(*rows.values(), strict=True)]
    texts = dict(zip(rows[columns.QUERY_ID], shown[columns.QUERY].to_pylist(), strict=True))
    clicked = [item for item, yes in zip(items, shown[CLICKED].to_pylist(), strict=True) if yes]
    return click_log(texts, items, clicked)


def events_log(events: list[UserEvent]) -> ClickLog:
    """The same from the events that clients sent, which do not know what chance placed.

    Raises:
        DataError: no event belongs to a search.
    """
    texts = {one.query_id: one.query for one in events if isinstance(one, Search) and one.query_id}
    shown, clicked = (
        [
            LoggedItem(one.query_id, one.item_id, one.position)
            for one in events
            if isinstance(one, kind) and one.query_id
        ]
        for kind in (Impression, Click)
    )
    return click_log(texts, shown, clicked)


def _means(shown: pa.Table, log: ClickLog, found: ClickedPairs) -> tuple[DoubleArray, DoubleArray]:
    """(M,) mean true attraction and relevance of each pair over all who were shown it."""
    queries = {text: row for row, text in enumerate(log.queries)}
    items = {item: row for row, item in enumerate(log.items)}
    asked: dict[str, int] = {}
    for text in shown[columns.QUERY].to_pylist():
        if text not in asked:
            asked[text] = queries[one_query(text)]
    query = np.array([asked[text] for text in shown[columns.QUERY].to_pylist()], np.int64)
    item = np.array([items[each] for each in shown[columns.ITEM_ID].to_pylist()], np.int64)
    pair = np.searchsorted(_keys(found.query, found.item, len(items)), _keys(query, item, len(items)))
    count = np.bincount(pair, minlength=len(found.query))
    sums = (np.bincount(pair, shown[name].to_numpy(), len(count)) for name in (ATTRACTION, RELEVANCE))
    attraction, relevance = (total / count for total in sums)
    return attraction, relevance


def _keys(query: IntArray, item: IntArray, width: int) -> IntArray:
    return query * width + item


def _examination_error(truth: Truth, found: ClickedPairs) -> float:
    learned = found.model.examination[:10]
    return float(np.abs(learned - examination(truth.habits, len(learned))).max())


def _between(interval: tuple[float, float]) -> str:
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"
