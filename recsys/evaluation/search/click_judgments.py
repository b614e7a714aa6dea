"""Judgments from clicks: how much an item attracts for a query, freed of where it was shown.

Three grades of a pair, from the crudest: the click rate; clicks over those that any item would have had at
the positions where it was shown (COEC); the attraction of the position-based model. Where good items stand
above, the click rate of a position is high for two reasons, which COEC cannot tell apart and the model can.

Paper: Zhang and Jones 2007, Comparing Click Logs and Editorial Labels for Training Query Rewriting (COEC).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys.arrays import DoubleArray, IntArray
from recsys.errors import DataError
from recsys.evaluation.search.judgments import JudgedPairs
from recsys.evaluation.search.position_model import PositionModel, fit_position_model, random_examination
from recsys.evaluation.search.shown_items import Cells, ShownItems

LEAST_SHOWN = 50  # a pair that was shown less often has no judgment
LEAST_RANDOM = 500  # items that chance placed: with fewer the examination is estimated from all clicks
ClickGrade = Literal["attraction", "coec", "click_rate"]


@dataclass(frozen=True)
class ClickedPairs:
    """M pairs of query and item and what their clicks say.

    Attributes:
        query, item: (M,) rows of the caller's lists. shown, clicks: (M,).
        click_rate, coec, attraction: (M,). low, high: the attraction's 95% interval.
        model: the position-based model. examination_from: `chance` or `clicks`.
    """

    query: IntArray
    item: IntArray
    shown: DoubleArray
    clicks: DoubleArray
    click_rate: DoubleArray
    coec: DoubleArray
    model: PositionModel
    examination_from: Literal["chance", "clicks"]

    @property
    def attraction(self) -> DoubleArray:
        """(M,) how likely the item is clicked where it is looked at."""
        return self.model.attraction

    def grades(self, kind: ClickGrade) -> DoubleArray:
        """(M,) one of the three."""
        return {"attraction": self.attraction, "coec": self.coec, "click_rate": self.click_rate}[kind]


def estimate_from_clicks(shown: ShownItems, prior: float = 4.0) -> ClickedPairs:
    """What the clicks say of each pair that was shown.

    The examination of positions is had from items that chance placed, where the log has `LEAST_RANDOM` of
    them, else it is estimated together with the attractions.

    Raises:
        DataError: nothing was shown, or nothing was clicked.
    """
    if not len(shown):
        raise DataError("no search showed anything. Send impressions with their positions.")
    if not shown.clicked.any():
        raise DataError("no item that was shown was clicked, so nothing can be learned from clicks.")
    query, item, _ = shown.pairs
    cells = shown.cells
    placed = 0 if shown.propensity is None else int(np.isfinite(shown.propensity).sum())
    examination = random_examination(shown) if placed >= LEAST_RANDOM else None
    counts, clicks = cells.by_pair(cells.shown), cells.by_pair(cells.clicks)
    return ClickedPairs(
        query,
        item,
        counts,
        clicks,
        clicks / counts,
        clicks_over_expected(cells, prior),
        fit_position_model(cells, examination, prior),
        "clicks" if examination is None else "chance",
    )


def clicks_over_expected(cells: Cells, prior: float = 4.0) -> DoubleArray:
    """(M,) COEC: clicks / the clicks of an item like any other at the same positions; 1 = like any other.

    Args:
        prior: a pair is mixed with so many further showings, which had the clicks that they should.
    """
    rates = cells.by_place(cells.clicks) / np.maximum(cells.by_place(cells.shown), 1)
    expected = cells.by_pair(cells.shown * rates[cells.place])
    extra = prior * float(cells.clicks.sum() / cells.shown.sum())
    return np.asarray((cells.by_pair(cells.clicks) + extra) / (expected + extra), np.float64)


def judgments_from_clicks(
    found: ClickedPairs,
    query_ids: Sequence[str],
    queries: Sequence[str],
    items: Sequence[str],
    least_shown: int = LEAST_SHOWN,
    grade: ClickGrade = "attraction",
) -> JudgedPairs:
    """The pairs that were shown `least_shown` times or more, graded by their clicks.

    Args:
        query_ids, queries, items: what the rows in `found` stand for.

    Raises:
        DataError: no pair was shown so often.
    """
    kept = found.shown >= least_shown
    if not kept.any():
        raise DataError(
            f"of {len(kept)} pairs of query and item none was shown {least_shown} times (the most: "
            f"{int(found.shown.max())}). Wait for more searches, or ask for fewer."
        )
    rows, pair_query = np.unique(found.query[kept], return_inverse=True)
    names = rows.tolist()
    note = (
        f"{int(kept.sum())} of {len(kept)} pairs were shown at least {least_shown} times; grade = {grade}, "
        f"examination of positions from {found.examination_from}"
    )
    return JudgedPairs.of(
        [query_ids[row] for row in names],
        [queries[row] for row in names],
        pair_query,
        [items[row] for row in found.item[kept].tolist()],
        found.grades(grade)[kept],
        [note],
    )
