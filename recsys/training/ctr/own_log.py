"""Any click log, a row an impression, as what click models learn from: no bundle and no feature store needed.

Numbers and texts beside the known columns are features. What was shown and clicked before is counted, by user
and by item, strictly earlier; vectors are of a truncated SVD of who clicked what in the training part.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.sparse.linalg import svds

from recsys import columns
from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recsys.dataset.click_log import LABEL_COLUMNS, LabelledImpressions, TextArray
from recsys.errors import DataError
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.shape import CtrShape

HELD_FROM, TEST_FROM = 0.7, 0.8  # shares of the log, by time
COUNTS = ("user_shown", "user_clicks", "item_shown", "item_clicks")
RATES = ("user_click_rate", "item_click_rate")
_WIDTH = 16
_PRIOR = 10.0  # impressions that the rate of all is worth


@dataclass(frozen=True)
class OwnLog:
    """A log in three parts, by time.

    Attributes:
        learned_until: microseconds of the last impression before the test. labels: those of the test.
    """

    train: Impressions
    held: Impressions
    test: Impressions
    shape: CtrShape
    labels: LabelledImpressions
    learned_until: int


def read_own_log(frame: pd.DataFrame, history: int = 50, per_user: bool = False) -> OwnLog:
    """The log `frame` with LABEL_COLUMNS, some of which may be absent, and features beside them.

    Args:
        history: earlier impressions of a user that the model weighs by the item.
        per_user: the last impressions of each user are the test, instead of the last of all.
            What was clicked in the test is told to no feature, either way.

    Raises:
        DataError: a column is missing, or the log is too short.
    """
    frame = _ordered(frame)
    labels = LabelledImpressions.of_frame(frame)
    part = _parts(labels, per_user)
    known = part < 2
    user, users = _indexed(labels.user_id)
    item, items = _indexed(labels.item_id)
    first = np.unique(labels.request, return_index=True)[1]
    vectors = _item_vectors(user, item, labels.clicked & (part == 0), (users, items))
    numbers, names = _numbers(frame, labels, user, item, known)
    codes, sizes = _codes(frame, user, users)
    surfaces, surface = np.unique(labels.places.astype(str), return_inverse=True)
    kept, kinds, taste = _pasts(user, item, labels, known, history, vectors)
    slots = int(np.clip(labels.slot.max(initial=0), 0, 20))
    rows = Impressions(
        request=labels.request,
        item=item,
        slot=labels.slot,
        numbers=numbers,
        categories=codes,
        clicked=labels.clicked,
        converted=labels.converted,
        user=labels.unit[first],
        surface=surface[first],
        user_vectors=taste[first],
        item_vectors=vectors,
        query_vectors=np.zeros((len(first), 0), np.float32),
        history=kept[first],
        history_kinds=kinds[first],
        mature=labels.mature,
    )
    shape = CtrShape(
        numbers=names,
        logarithm=COUNTS,
        categories=sizes,
        items=items - 1,
        vector=vectors.shape[1],
        kinds=3,
        history=history,
        surfaces=len(surfaces),
        slots=slots if slots > 1 else 0,
        conversion=bool(labels.converted.any()),
    )
    train, held, test = (rows.take(np.flatnonzero(part == each)) for each in range(3))
    until = int(labels.at[known].max(initial=0))
    return OwnLog(train, held, test, shape, labels.take(part == 2), until)


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    if columns.AT not in frame or columns.USER_ID not in frame:
        raise DataError(
            f"a click log needs {columns.USER_ID} and an instant: there are {', '.join(map(str, frame))}."
        )
    frame = frame.sort_values(columns.AT, kind="stable").reset_index(drop=True)
    if columns.REQUEST_ID not in frame:
        return frame.assign(**{columns.REQUEST_ID: [f"{place:012}" for place in range(len(frame))]})
    return frame.sort_values([columns.AT, columns.REQUEST_ID], kind="stable").reset_index(drop=True)


def _parts(labels: LabelledImpressions, per_user: bool) -> IntArray:
    """(I,) 0 = train, 1 = held, 2 = test; answers are never cut."""
    if per_user:
        place = pd.Series(labels.user_id).groupby(labels.user_id).cumcount().to_numpy(np.float64)
        size = pd.Series(labels.user_id).map(pd.Series(labels.user_id).value_counts()).to_numpy(np.float64)
        share = place / size
    else:
        share = labels.request / max(int(labels.request.max(initial=0)) + 1, 1)
    part = np.where(share >= TEST_FROM, 2, np.where(share >= HELD_FROM, 1, 0))
    first = np.unique(labels.request, return_index=True)[1]
    return np.asarray(part[first][labels.request], np.int64)


def _indexed(names: TextArray) -> tuple[IntArray, int]:
    """(I,) indexes from 1 on, and how many there are, 0 included."""
    index, distinct = pd.factorize(names)
    return np.asarray(index, np.int64) + 1, len(distinct) + 1


def _item_vectors(user: IntArray, item: IntArray, clicked: BoolArray, shape: tuple[int, int]) -> FloatArray:
    """(N + 1, D) unit rows; zeros of items that nobody clicked."""
    width = min(_WIDTH, min(shape) - 1)
    if width < 1 or clicked.sum() <= width:
        return np.zeros((shape[1], 1), np.float32)
    matrix = sparse.coo_matrix((np.ones(int(clicked.sum())), (user[clicked], item[clicked])), shape).tocsr()
    degree = np.maximum(np.asarray(matrix.sum(0)).ravel(), 1.0)
    _, values, right = svds(matrix @ sparse.diags(degree**-0.5), k=width, random_state=0)
    return _unit((right * values[:, None]).T)


def _pasts(
    user: IntArray,
    item: IntArray,
    labels: LabelledImpressions,
    known: BoolArray,
    length: int,
    vectors: FloatArray,
) -> tuple[IntArray, IntArray, FloatArray]:
    """(I, L) earlier items of the user, (I, L) 1 = shown, 2 = clicked; (I, D) the mean of clicked ones."""
    kept, kinds = (np.zeros((len(user), length), np.int64) for _ in range(2))
    taste = np.zeros((len(user), vectors.shape[1]), np.float32)
    kind = np.where(labels.clicked, 2, 1)
    for place in pd.Series(user).groupby(user).indices.values():
        rows = np.asarray(place, np.int64)
        past = rows[known[rows]]
        sums = np.concatenate(
            [np.zeros((1, vectors.shape[1])), np.cumsum(vectors[item[past]] * (kind[past] == 2)[:, None], 0)]
        )
        ends = np.searchsorted(labels.at[past], labels.at[rows], "left")
        taste[rows] = sums[ends]
        for row, end in zip(rows.tolist(), ends.tolist(), strict=True):
            latest = past[max(0, end - length) : end]
            kept[row, length - len(latest) :], kinds[row, length - len(latest) :] = item[latest], kind[latest]
    return kept, kinds, _unit(taste)


def _numbers(
    frame: pd.DataFrame, labels: LabelledImpressions, user: IntArray, item: IntArray, known: BoolArray
) -> tuple[FloatArray, tuple[str, ...]]:
    rate = float(labels.clicked[known].mean()) if known.any() else 0.0
    counted: list[DoubleArray] = []
    rates: list[DoubleArray] = []
    for group in (user, item):
        shown = _before(group, labels.at, known.astype(np.float64))
        clicks = _before(group, labels.at, (known & labels.clicked).astype(np.float64))
        counted += [shown, clicks]
        rates.append((clicks + _PRIOR * rate) / (shown + _PRIOR))
    own = [name for name in _features(frame) if pd.api.types.is_numeric_dtype(frame[name])]
    given = [frame[name].to_numpy(np.float64, na_value=np.nan) for name in own]
    return np.stack([*counted, *rates, *given], 1).astype(np.float32), (*COUNTS, *RATES, *own)


def _before(group: IntArray, at: IntArray, values: DoubleArray) -> DoubleArray:
    """(I,) sums of `values` of the same group strictly earlier."""
    order = np.lexsort((at, group))
    owner, instant = group[order], at[order]
    total = np.concatenate([[0.0], np.cumsum(values[order])])
    new = np.concatenate([[True], (np.diff(owner) != 0) | (np.diff(instant) != 0)])[: len(order)]
    same = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    out = np.empty(len(order))
    out[order] = total[same] - total[np.searchsorted(owner, owner, "left")]
    return out


def _codes(frame: pd.DataFrame, user: IntArray, users: int) -> tuple[IntArray, tuple[tuple[str, int], ...]]:
    """(I, C) codes: the user's, and those of each text column."""
    texts = [name for name in _features(frame) if not pd.api.types.is_numeric_dtype(frame[name])]
    found = [(pd.factorize(frame[name])[0] + 1).astype(np.int64) for name in texts]
    sizes = (
        (columns.USER_ID, users),
        *((name, int(code.max()) + 1) for name, code in zip(texts, found, strict=True)),
    )
    return np.stack([user, *found], 1), sizes


def _features(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame if name not in LABEL_COLUMNS]


def _unit(rows: npt.NDArray[np.floating]) -> FloatArray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.where(norms > 1e-9, rows / np.maximum(norms, 1e-9), 0.0), np.float32)
