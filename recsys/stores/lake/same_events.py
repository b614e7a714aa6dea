"""When two lines of the lake tell of one event: by their ids, or by user, item, kind and instant."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.instants import SECOND

_WORDS = (columns.USER_ID, columns.ITEM_ID, columns.KIND)


def with_identity(names: Sequence[str]) -> list[str]:
    """`names` and the columns by which an event is known, each once."""
    return list(dict.fromkeys([*names, columns.EVENT_ID, *_WORDS, columns.AT, columns.SEQUENCE]))


def said_by(events: pa.Table, others: pa.Table) -> BoolArray:
    """(N,) whether one of `others` has the user, item, kind and instant of each of `events`.

    Files often keep whole seconds where a stream has milliseconds, or the reverse: an instant of a whole
    second is also that of an instant which is cut or rounded to it.
    """
    own, their = (_instants(table) for table in (events, others))
    # Few share an instant: only those are compared.
    shared = np.isin(own, their[0]).any(axis=0) | np.isin(own[0], their[1:])
    rows = np.flatnonzero(shared)
    others = others.filter(
        pa.array(np.isin(their[0], own[:, rows]) | np.isin(their[1:], own[0, rows]).any(axis=0))
    )
    found = np.zeros(len(events), bool)
    if not len(others):
        return found
    their = _instants(others)
    who, others_who = (identity_words(table) for table in (events.take(pa.array(rows)), others))
    exact = set(zip(others_who, their[0].tolist(), strict=True))
    coarse = {each for instants in their[1:] for each in zip(others_who, instants.tolist(), strict=True)}
    for row, words, at in zip(rows.tolist(), who, own[:, rows].T.tolist(), strict=True):
        found[row] = any((words, each) in exact for each in at) or (words, at[0]) in coarse
    return found


def _instants(events: pa.Table) -> IntArray:
    """(3, N) when they were: as told, cut to the second, rounded to the second."""
    at = events[columns.AT].cast(pa.int64()).to_numpy()
    return np.stack([at, at // SECOND * SECOND, (at + SECOND // 2) // SECOND * SECOND])


def identity_words(events: pa.Table) -> list[tuple[str, ...]]:
    """User, item and kind of each of `events`."""
    return list(zip(*(events[name].to_pylist() for name in _WORDS), strict=True))
