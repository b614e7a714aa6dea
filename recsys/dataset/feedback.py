"""Labels from feedback: what a response showed, and what was done with it.

An item was shown where an impression names the response, or, while the surface of that response sends no
impressions, where the service's log of answers says so. An impression that says that it was not viewable
showed nothing, unless the item was chosen all the same; one that says nothing of it did. Events with a token
are of sponsored items, which were placed for money: they are no part of this.

A label is a click that names the response and the item; views, carts, likes and purchases are none. Where no
click of a shop names a response, views that do stand in for clicks, and where there are none either, carts
and purchases: `label_kind` says which. A purchase names its response, or is credited to the latest one that
showed the item to the same user within the week before. An item that was shown and has no label is a surer
negative than any that is sampled.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.dataset.interactions import Vocabulary
from recsys.instants import DAY

SHOWN_COLUMNS = (
    columns.REQUEST_ID,
    columns.USER_ID,
    columns.ITEM_ID,
    columns.POSITION,
    columns.AT,
    columns.SURFACE,
)
FEEDBACK_COLUMNS = (columns.KIND, *SHOWN_COLUMNS, columns.VIEWABLE, columns.TOKEN)
PURCHASE_MICROS = 7 * DAY
# What says that somebody saw an item and took it: it was in sight, whatever the page measured.
CHOICES = (columns.CLICK, columns.VIEW, columns.LIKE, columns.CART, columns.PURCHASE)
LabelKind = Literal["click", "view", "purchase"]

_SHOWN_ITEM = [columns.REQUEST_ID, columns.ITEM_ID]
_BUYER = [columns.USER_ID, columns.ITEM_ID]


@dataclass(frozen=True)
class Feedback:
    """R responses by instant, and the S items that they showed, by position.

    Attributes:
        users: of these responses; they may have done nothing else, so they have a vocabulary of their own.
        request_ids: (R,) texts.
        user_index: (R,) into `users`. at: (R,) microseconds of the response, or of its first impression.
        offsets: (R + 1,); response r showed the places `offsets[r]:offsets[r + 1]`.
        item_index: (S,) into the shop's items. position: (S,) from 1, 0 = unknown.
        clicked, viewed, carted, purchased: (S,) bool.
        label_kind: what stands for a click: `purchase` are carts and purchases.
    """

    users: Vocabulary
    request_ids: tuple[str, ...]
    user_index: IntArray
    at: IntArray
    offsets: IntArray
    item_index: IntArray
    position: IntArray
    clicked: BoolArray
    viewed: BoolArray
    carted: BoolArray
    purchased: BoolArray
    label_kind: LabelKind = "click"

    def __len__(self) -> int:
        return len(self.at)

    @property
    def labels(self) -> BoolArray:
        """(S,) whether the item was clicked, or what stands for that in this shop."""
        if self.label_kind == "click":
            return self.clicked
        return self.viewed if self.label_kind == "view" else np.asarray(self.carted | self.purchased)

    def lists(self, rows: IntArray, width: int) -> tuple[IntArray, BoolArray]:
        """(R', width) item indexes of these responses, 0 = padding, and (R', width) their labels.

        Of longer responses the first places count.
        """
        starts, ends = self.offsets[rows], self.offsets[rows + 1]
        place = starts[:, None] + np.arange(width)  # (R', width)
        inside = place < ends[:, None]
        place = np.where(inside, place, 0)
        if not len(self.item_index):
            return np.zeros(place.shape, np.int64), np.zeros(place.shape, np.bool_)
        return np.where(inside, self.item_index[place], 0), inside & self.labels[place]


def build_feedback(events: pd.DataFrame, slates: pd.DataFrame, items: Vocabulary) -> Feedback:
    """The responses in `events` and `slates` with what was done with each item that they showed.

    Args:
        events: FEEDBACK_COLUMNS, `at` int64 microseconds; kinds that do not count here are passed over. An
            action that is not among them did not happen: cut them where labels must end.
        slates: SHOWN_COLUMNS, what the service logged; each with the surface that its request named, else
            with what kind of request it was.
        items: items that it lacks are left out, and so is a response without any other.
    """
    events, slates = _typed_rows(events), _typed_rows(slates)
    events = events[events[columns.TOKEN].isna()]
    kind = events[columns.KIND]
    named = events[events[columns.REQUEST_ID].notna() & events[columns.ITEM_ID].notna()]
    impressions = named[named[columns.KIND] == columns.IMPRESSION]
    in_sight = impressions[_in_sight(impressions, named[named[columns.KIND].isin(CHOICES)])]
    shown = _shown_items(impressions, in_sight, slates, items)
    marks = {
        "clicked": _named_items(shown, named[named[columns.KIND] == columns.CLICK]),
        "viewed": _named_items(shown, named[named[columns.KIND] == columns.VIEW]),
        "carted": _named_items(shown, named[named[columns.KIND] == columns.CART]),
        "purchased": _purchased_items(shown, events[kind == columns.PURCHASE]),
    }
    return _feedback_arrays(shown, marks, items, _label_kind(set(named[columns.KIND]), marks))


def _label_kind(named_by: Collection[str], marks: Mapping[str, BoolArray]) -> LabelKind:
    """What stands for a click where responses are named by events of these kinds, and so marked."""
    if columns.CLICK in named_by:
        return "click"
    if columns.VIEW in named_by:
        return "view"
    return "purchase" if (marks["carted"] | marks["purchased"]).any() else "click"


def _in_sight(impressions: pd.DataFrame, choices: pd.DataFrame) -> BoolArray:
    """(I,) impressions that showed something: not measured, viewable, or of an item that was chosen."""
    unseen = impressions[columns.VIEWABLE].eq(False).to_numpy(bool)  # not of null
    return np.asarray(~unseen | _named_items(impressions, choices))


def _shown_items(
    impressions: pd.DataFrame, in_sight: pd.DataFrame, slates: pd.DataFrame, items: Vocabulary
) -> pd.DataFrame:
    """One row an item of a response, sorted; `at` is the response's.

    Args:
        impressions: all that a client sent. in_sight: those of them that showed something.
    """
    seen = impressions[list(SHOWN_COLUMNS)]
    logged = slates[slates[columns.USER_ID].notna()]
    # Once a surface sends impressions, what it does not report was not seen.
    reports_from = seen[columns.AT].groupby(_surfaces(seen, slates)).min()
    silent = logged[columns.AT] < logged[columns.SURFACE].map(reports_from).fillna(np.inf)
    unreported = logged[silent & ~_same_response(logged, seen)]
    rows = _append_rows(in_sight, unreported)
    rows = rows[items.indexes(rows[columns.ITEM_ID].tolist()) > 0]
    rows = rows.sort_values(columns.AT, kind="stable").drop_duplicates(_SHOWN_ITEM)
    first_at = (
        _append_rows(rows, logged[_same_response(logged, rows)]).groupby(columns.REQUEST_ID)[columns.AT].min()
    )
    rows = rows.assign(**{columns.AT: rows[columns.REQUEST_ID].map(first_at).astype(np.int64)})
    order = [columns.AT, columns.REQUEST_ID, columns.POSITION, columns.ITEM_ID]
    return rows.sort_values(order, kind="stable").reset_index(drop=True)


def _surfaces(seen: pd.DataFrame, slates: pd.DataFrame) -> pd.Series:
    """(I,) the surface of each impression: of its response as it was logged, else as the page named it."""
    logged = slates.drop_duplicates(columns.REQUEST_ID).set_index(columns.REQUEST_ID)[columns.SURFACE]
    of_response = seen[columns.REQUEST_ID].map(logged)
    return of_response.where(of_response.notna(), seen[columns.SURFACE])


def _typed_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with the same types whether or not there are any: texts as objects, 0 for no position."""
    numbers = {columns.AT: np.int64, columns.POSITION: np.int64}
    rows = rows.assign(**{columns.POSITION: pd.to_numeric(rows[columns.POSITION]).fillna(0)})
    return rows.astype({name: numbers.get(name, np.dtype(object)) for name in rows.columns})


def _append_rows(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """SHOWN_COLUMNS of both; pandas does not like to append nothing."""
    parts = [part[list(SHOWN_COLUMNS)] for part in (first, second) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else first[list(SHOWN_COLUMNS)]


def _same_response(rows: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    return rows[columns.REQUEST_ID].isin(others[columns.REQUEST_ID])


def _named_items(shown: pd.DataFrame, actions: pd.DataFrame) -> BoolArray:
    """(S,) which of the rows `shown` an action names by response and item."""
    keys = pd.MultiIndex.from_frame(actions[_SHOWN_ITEM])
    return np.asarray(pd.MultiIndex.from_frame(shown[_SHOWN_ITEM]).isin(keys), np.bool_)


def _purchased_items(shown: pd.DataFrame, purchases: pd.DataFrame) -> BoolArray:
    """(S,) which shown items were bought: by name of the response, else soon after they were last seen."""
    bought = _named_items(shown, purchases[purchases[columns.REQUEST_ID].notna()])
    keys = pd.MultiIndex.from_frame(shown[_SHOWN_ITEM])
    unnamed = purchases[~pd.MultiIndex.from_frame(purchases[_SHOWN_ITEM]).isin(keys)]
    credited = pd.merge_asof(
        unnamed[[*_BUYER, columns.AT]].dropna().sort_values(columns.AT),
        shown[[*_BUYER, columns.AT]].assign(place=np.arange(len(shown))),  # sorted by instant
        on=columns.AT,
        by=_BUYER,
        tolerance=PURCHASE_MICROS,
        allow_exact_matches=False,
    )
    bought[credited["place"].dropna().astype(np.int64)] = True
    return bought


def _feedback_arrays(
    shown: pd.DataFrame, marks: Mapping[str, BoolArray], items: Vocabulary, label_kind: LabelKind
) -> Feedback:
    requests = shown[columns.REQUEST_ID].to_numpy(object)
    new = np.concatenate([[True], requests[1:] != requests[:-1]])[: len(requests)]
    first = np.flatnonzero(new)
    owners = shown[columns.USER_ID].to_numpy(object)[first].tolist()
    users = Vocabulary.of(owners)
    return Feedback(
        users=users,
        request_ids=tuple(requests[first].tolist()),
        user_index=users.indexes(owners),
        at=shown[columns.AT].to_numpy(np.int64)[first],
        offsets=np.append(first, len(requests)).astype(np.int64),
        item_index=items.indexes(shown[columns.ITEM_ID].tolist()),
        position=shown[columns.POSITION].to_numpy(np.int64),
        **marks,
        label_kind=label_kind,
    )
