"""Labelled impressions as a plain table: what was shown to whom, where and when, and what came of it."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys import columns
from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.errors import DataError

SLOT, SPONSORED, CLICKED, CONVERTED, MATURE = "slot", "sponsored", "clicked", "converted", "mature"
P_CLICK, UNIT = "p_click", "unit"
# What labels have to say; a table may lack all but the first three.
LABEL_COLUMNS = (
    columns.ITEM_ID,
    columns.AT,  # microseconds of the ANSWER: features are joined strictly before it
    CLICKED,
    columns.REQUEST_ID,  # absent: each row is an answer of its own
    columns.USER_ID,  # null: a visitor
    UNIT,  # whose rows hang together; absent: the user, else the answer
    columns.SURFACE,  # of the shop; null: not said
    SLOT,  # from 1; 0 or null: unknown
    columns.QUERY,  # null: none
    SPONSORED,
    CONVERTED,  # bought after the click
    MATURE,  # whether `converted` is final; absent: it is
    P_CLICK,  # what was predicted when it was served; null: nothing
)

TextArray = npt.NDArray[np.object_]


@dataclass(frozen=True)
class LabelledImpressions:
    """I impressions by instant, those of one answer together.

    Attributes:
        request: (I,) which answer, from 0 in the order of instants.
        unit: (I,) codes of whose rows hang together.
        user_id, item_id, surface, query: (I,) texts, "" = none. slot: (I,) from 1, 0 = unknown.
        at: (I,) microseconds of the answer. sponsored, clicked, converted, mature: (I,).
        p_click: (I,) as it was served, NaN = nothing was predicted.
    """

    request: IntArray
    unit: IntArray
    user_id: TextArray
    item_id: TextArray
    surface: TextArray
    slot: IntArray
    query: TextArray
    at: IntArray
    sponsored: BoolArray
    clicked: BoolArray
    converted: BoolArray
    mature: BoolArray
    p_click: DoubleArray

    def __len__(self) -> int:
        return len(self.request)

    @property
    def places(self) -> TextArray:
        """(I,) names of the places, see `place_name`."""
        return np.array(
            [place_name(*each) for each in zip(self.surface, self.sponsored, strict=True)], object
        )

    def take(self, rows: BoolArray | IntArray) -> "LabelledImpressions":
        """Only these impressions; answers are numbered anew."""
        taken = {field.name: getattr(self, field.name)[rows] for field in fields(self)}
        return LabelledImpressions(**taken | {"request": np.unique(taken["request"], return_inverse=True)[1]})

    @classmethod
    def of_frame(cls, frame: pd.DataFrame) -> "LabelledImpressions":
        """The impressions of a table with LABEL_COLUMNS.

        Raises:
            DataError: it lacks a column that it must have.
        """
        lacking = [name for name in LABEL_COLUMNS[:3] if name not in frame]
        if lacking:
            raise DataError(
                f"labelled impressions lack {', '.join(lacking)}: there are {', '.join(map(str, frame))}."
            )
        frame = frame.reset_index(drop=True)
        request = _texts(frame, columns.REQUEST_ID)
        request = np.where(
            request == "", np.char.add("row ", frame.index.astype(str)).astype(object), request
        )
        frame = frame.assign(**{columns.REQUEST_ID: request})
        frame = frame.sort_values([columns.AT, columns.REQUEST_ID], kind="stable").reset_index(drop=True)
        user, request = _texts(frame, columns.USER_ID), frame[columns.REQUEST_ID].to_numpy(object)
        unit = _texts(frame, UNIT)
        unit = np.where(unit == "", np.where(user == "", request, user), unit)
        clicked = _flags(frame, CLICKED, False)
        return cls(
            request=np.asarray(pd.factorize(request)[0], np.int64),
            unit=np.asarray(pd.factorize(unit)[0], np.int64),
            user_id=user,
            item_id=_texts(frame, columns.ITEM_ID),
            surface=_texts(frame, columns.SURFACE),
            slot=_numbers(frame, SLOT, 0).astype(np.int64),
            query=_texts(frame, columns.QUERY),
            at=frame[columns.AT].to_numpy(np.int64),
            sponsored=_flags(frame, SPONSORED, False),
            clicked=clicked,
            converted=clicked & _flags(frame, CONVERTED, False),
            mature=_flags(frame, MATURE, True),
            p_click=_numbers(frame, P_CLICK, np.nan),
        )


def place_name(surface: str, sponsored: bool) -> str:
    """What a surface is called for the click model: sponsored slots are looked at otherwise than others.

    >>> place_name("home", True), place_name("home", False)
    ('ad/home', 'home')
    """
    return f"ad/{surface}" if sponsored else surface


def join_impressions(parts: list[pd.DataFrame]) -> LabelledImpressions:
    """The impressions of several tables with LABEL_COLUMNS; none where all are empty."""
    some = [part for part in parts if len(part)]
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in LABEL_COLUMNS})
    return LabelledImpressions.of_frame(pd.concat(some, ignore_index=True) if some else empty)


def _texts(frame: pd.DataFrame, name: str) -> TextArray:
    if name not in frame:
        return np.full(len(frame), "", object)
    found = frame[name]
    return np.where(found.isna(), "", found.astype(str)).astype(object)


def _numbers(frame: pd.DataFrame, name: str, missing: float) -> DoubleArray:
    if name not in frame:
        return np.full(len(frame), missing)
    found: Any = pd.to_numeric(frame[name]).fillna(missing)
    return np.asarray(found.to_numpy(np.float64))


def _flags(frame: pd.DataFrame, name: str, missing: bool) -> BoolArray:
    return np.asarray(_numbers(frame, name, float(missing)) > 0)
