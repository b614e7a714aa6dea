"""What searches showed and what was clicked, joined by query: from any log to arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.analysis.folding import normalise
from recsys.errors import DataError
from recsys.evaluation.search.shown_items import ShownItems


@dataclass(frozen=True)
class LoggedItem:
    """An item that was shown or clicked; `position` from 1, None where the log does not say."""

    query_id: str
    item_id: str
    position: int | None
    propensity: float | None = None

    def moved(self, places: int) -> "LoggedItem":
        """The same so many places further down."""
        return replace(self, position=None if self.position is None else self.position + places)


@dataclass(frozen=True)
class ClickLog:
    """Shown items with rows of `queries` and `items`.

    Attributes:
        queries: distinct texts, those that differ in case, width or blanks taken as one. items: ids.
        notes: what was left out, for people.
    """

    queries: tuple[str, ...]
    items: tuple[str, ...]
    shown: ShownItems
    notes: tuple[str, ...]


def one_query(text: str) -> str:
    """The text by which queries are the same.

    >>> one_query("  Deck  OVER "), one_query("ＤＥＣＫ over")
    ('deck over', 'deck over')
    """
    return " ".join(normalise(text).split())


def click_log(
    texts: Mapping[str, str],
    impressions: Sequence[LoggedItem],
    clicks: Sequence[LoggedItem],
    notes: Sequence[str] = (),
) -> ClickLog:
    """Each item once a query, at the position where it was shown first, clicked or not.

    A click on what was not said to be shown counts as shown where it has a position. Items without a position
    and events of unknown queries are counted and left out.

    Args:
        texts: query id -> text.

    Raises:
        DataError: nothing is left.
    """
    slots: dict[tuple[str, str], LoggedItem] = {}
    nowhere = unknown = 0
    for each in impressions:
        if each.query_id not in texts:
            unknown += 1
        elif each.position is None:
            nowhere += 1
        else:
            slots.setdefault((each.query_id, each.item_id), each)
    clicked = set()
    for each in clicks:
        key = each.query_id, each.item_id
        if each.query_id not in texts:
            unknown += 1
        elif key in slots or each.position is not None:
            slots.setdefault(key, each)
            clicked.add(key)
        else:
            nowhere += 1
    if not slots:
        raise DataError(
            f"none of {len(impressions)} items shown and {len(clicks)} clicks has a position and a known "
            "query. Send impressions and clicks with query_id and position."
        )
    lost = [(unknown, "whose query is unknown"), (nowhere, "without a position")]
    more = [f"{count} events {why} are left out" for count, why in lost if count]
    return _arrays(texts, slots, clicked, (*notes, *more))


def _arrays(
    texts: Mapping[str, str],
    slots: Mapping[tuple[str, str], LoggedItem],
    clicked: set[tuple[str, str]],
    notes: tuple[str, ...],
) -> ClickLog:
    queries: dict[str, int] = {}
    items: dict[str, int] = {}
    rows = [
        (queries.setdefault(one_query(texts[query_id]), len(queries)), items.setdefault(item_id, len(items)))
        for query_id, item_id in slots
    ]
    index = np.array(rows, np.int64)
    propensity = [each.propensity for each in slots.values()]
    shown = ShownItems(
        index[:, 0],
        index[:, 1],
        np.array([each.position for each in slots.values()], np.int64),
        np.array([key in clicked for key in slots], np.bool_),
        np.array([np.nan if each is None else each for each in propensity]) if any(propensity) else None,
    )
    return ClickLog(tuple(queries), tuple(items), shown, notes)
