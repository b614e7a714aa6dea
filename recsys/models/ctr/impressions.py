"""Impressions as a click-through model reads them: what was shown, to whom, where, and what came of it."""

from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from torch import Tensor

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.errors import DataError

_OF_AN_IMPRESSION = ("request", "item", "slot", "numbers", "categories", "clicked", "converted", "mature")


@dataclass(frozen=True)
class Impressions:
    """I impressions of R requests, of a catalog of N items; all as it was known at the request.

    Attributes:
        request: (I,) row of the request. item: (I,) item index, 0 = unknown.
        slot: (I,) from 1, 0 = unknown.
        numbers: (I, F) dense features, NaN = missing. categories: (I, C) codes, 0 = unknown.
        clicked, converted: (I,) labels; a conversion without a click counts as none.
        user: (R,) whose request it is; rows of one user are resampled together.
        surface: (R,) code from 0.
        user_vectors: (R, D) P_u. item_vectors: (N + 1, D) P_m, row 0 zeros.
        query_vectors: (R, Q), a row of zeros = no query; Q = 0 where there are none.
        history: (R, L) item indexes, the latest last. history_kinds: (R, L) codes, 0 = padding.
        mature: (I,) whether `converted` is final; by default it is.
    """

    request: IntArray
    item: IntArray
    slot: IntArray
    numbers: FloatArray
    categories: IntArray
    clicked: BoolArray
    converted: BoolArray
    user: IntArray
    surface: IntArray
    user_vectors: FloatArray
    item_vectors: FloatArray
    query_vectors: FloatArray
    history: IntArray
    history_kinds: IntArray
    mature: BoolArray = field(default_factory=lambda: np.zeros(0, bool))

    def __post_init__(self) -> None:
        """Raises DataError where lengths, widths or indexes do not fit together."""
        if not len(self.mature):
            object.__setattr__(self, "mature", np.ones(len(self), bool))
        rows = {name: len(getattr(self, name)) for name in _OF_AN_IMPRESSION}
        requests = {
            name: len(getattr(self, name))
            for name in ("user", "surface", "user_vectors", "query_vectors", "history", "history_kinds")
        }
        for lengths in (rows, requests):
            if len(set(lengths.values())) > 1:
                raise DataError(f"columns of impressions differ in length: {lengths}. Give each one row.")
        if self.user_vectors.shape[1] != self.item_vectors.shape[1]:
            raise DataError(
                f"user vectors have {self.user_vectors.shape[1]} columns and item vectors "
                f"{self.item_vectors.shape[1]}. Take both from one retriever."
            )
        if len(self) and int(self.request.max()) >= len(self.user):
            raise DataError(f"an impression names request {int(self.request.max())} of {len(self.user)}.")

    def __len__(self) -> int:
        return len(self.request)

    @property
    def users(self) -> IntArray:
        """(I,) the user of each impression."""
        return np.asarray(self.user[self.request])

    @property
    def surfaces(self) -> IntArray:
        """(I,) the surface of each impression."""
        return np.asarray(self.surface[self.request])

    @property
    def bought(self) -> BoolArray:
        """(I,) clicked and converted."""
        return np.asarray(self.clicked & self.converted)

    def take(self, rows: IntArray) -> "Impressions":
        """The impressions `rows`, in that order, of the same requests and items."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _OF_AN_IMPRESSION})

    def cosines(self) -> FloatArray:
        """(I,) P_u . P_m, the retriever's score where both are unit rows."""
        users, items = self.user_vectors[self.request], self.item_vectors[self.item]
        return np.asarray((users * items).sum(1), np.float32)


@dataclass(frozen=True)
class Batch:
    """B impressions as tensors.

    Attributes:
        user, item: (B, D) vectors. query: (B, Q). numbers: (B, F). categories: (B, C).
        item_index, surface, slot: (B,). kinds: (B, L).
        history: (B, L) places among the actions' items: actions (A,) item indexes, each once, and
            action_vectors (A, D).
    """

    user: Tensor
    item: Tensor
    query: Tensor
    numbers: Tensor
    categories: Tensor
    item_index: Tensor
    surface: Tensor
    slot: Tensor
    history: Tensor
    kinds: Tensor
    actions: Tensor
    action_vectors: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same on `device`."""
        return Batch(**{each.name: getattr(self, each.name).to(device) for each in fields(self)})


def make_batch(impressions: Impressions, rows: IntArray) -> Batch:
    """The impressions `rows` as tensors, histories cut to the longest among them."""
    request, item = impressions.request[rows], impressions.item[rows]
    kinds = impressions.history_kinds[request]
    longest = int((kinds > 0).sum(1).max(initial=0))
    kept = slice(kinds.shape[1] - longest, None)
    history = impressions.history[request][:, kept]
    actions, places = _each_once(history, len(impressions.item_vectors))
    arrays = {
        "user": impressions.user_vectors[request],
        "item": impressions.item_vectors[item],
        "query": impressions.query_vectors[request],
        "numbers": impressions.numbers[rows],
        "categories": impressions.categories[rows],
        "item_index": item,
        "surface": impressions.surface[request],
        "slot": impressions.slot[rows],
        "history": places,
        "kinds": kinds[:, kept],
        "actions": actions,
        "action_vectors": impressions.item_vectors[actions],
    }
    return Batch(**{name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()})


def _each_once(items: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """(A,) the items below `count` that occur, from below, and where each of `items` is among them."""
    occurs = np.zeros(count, bool)
    occurs[items] = True
    found = np.flatnonzero(occurs)
    places = np.empty(count, np.int64)
    places[found] = np.arange(len(found))
    return found, places[items]
