"""What training produces and serving loads: one immutable object, described by its manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from recsys.arrays import FloatArray
from recsys.dataset.item_table import ItemTable
from recsys.models.ctr.shop_model import ShopClickModel
from recsys.models.fusion import Fusion
from recsys.models.manifest import Manifest
from recsys.models.orders import COUNTERPART, DEFAULT_ORDERS, FUSION, RANKER
from recsys.models.ranker import Ranker
from recsys.models.retriever.retriever import Retriever
from recsys.models.signals import SignalTables


@dataclass(frozen=True)
class Bundle:
    """Everything that answers a request without asking a store, besides online features.

    Attributes:
        text_vectors: (N + 1, E) float32, unit length: the encoder's text vectors, for `similar`.
        signal_tables: neighbours, vectors and counts by item index.
        fusion: makes one score of all signals.
        ranker: None where the data has no clock, or too little to learn from: see the manifest.
        click_model: None where too few clicks are labelled: see the manifest.
    """

    manifest: Manifest
    items: ItemTable
    retriever: Retriever
    text_vectors: FloatArray
    signal_tables: SignalTables
    fusion: Fusion
    ranker: Ranker | None
    click_model: ShopClickModel | None = None

    @property
    def item_vectors(self) -> FloatArray:
        """(N + 1, D) float32, unit length, row 0 zero: the retriever's P_m."""
        return self.signal_tables.item_vectors

    @property
    def popularity(self) -> FloatArray:
        """(N + 1,) float32, time-decayed weight of events, for cold start."""
        return self.signal_tables.popularity

    def order_of(self, kind: str) -> str:
        """What the candidates of a request of this kind are ordered by, see `recsys.models.orders`.

        A kind that training had no requests of is ordered as its counterpart.
        """
        orders = self.manifest.orders
        choice = orders.get(kind) or orders.get(COUNTERPART.get(kind, ""))
        if choice is not None:
            return choice.order
        if kind not in COUNTERPART:
            return DEFAULT_ORDERS[kind]
        return RANKER if self.ranker is not None and self.ranker.shape.orders else FUSION

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Every array with a row an item, under the name that it is stored by."""
        return {"text_vectors": self.text_vectors, **self.signal_tables.arrays()}

    def with_arrays(self, **changed: npt.NDArray[Any]) -> "Bundle":
        """The bundle with some arrays replaced, under the names of `arrays`."""
        arrays: Mapping[str, npt.NDArray[Any]] = self.arrays() | changed
        tables = SignalTables.from_arrays(arrays)
        return replace(self, text_vectors=arrays["text_vectors"], signal_tables=tables)
