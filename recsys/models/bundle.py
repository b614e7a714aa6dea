"""What training produces and serving loads: one immutable object, described by its manifest."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.config import EvaluationSettings
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.item_vectors import VectorLayout
from recsys.models.signals import SignalTables

if TYPE_CHECKING:
    from recsys.models.fusion import Fusion
    from recsys.models.ranker import Ranker
    from recsys.models.retriever.retriever import Retriever

BUNDLE_FORMAT = 2


class Manifest(BaseModel):
    """What a bundle is, in words and numbers; written as manifest.json.

    Attributes:
        services: FeatureService name -> schema hash (see `recsys.stores.features.offline.schema_hash`).
        protocol: the split that the training data ended with: `leave-one-out`, `time-split` or `all`.
        data_start: first event used. data_end: last event used.
        repeats: whether items that a user already had may be recommended again by default.
        settings: the sections of the configuration that the models were built with.
        parent: the bundle that training went on from, None where it began anew.
        trained_until: last event that the retriever learned from, before those held back to validate.
        files: file name -> SHA-256 hex digest.
    """

    # A metric of nothing is NaN, which JSON lacks: written as text, read back as a number.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    bundle_id: str
    format: int = BUNDLE_FORMAT
    created_at: datetime
    dataset: str
    protocol: str
    repeats: bool
    services: dict[str, str]
    data_start: datetime
    data_end: datetime
    users: int
    items: int
    encoder: str
    settings: dict[str, Any]
    metrics: dict[str, float]
    git_revision: str | None = None
    parent: str | None = None
    trained_until: datetime | None = None
    files: dict[str, str] = {}

    def held_out(self, settings: EvaluationSettings) -> EvaluationSettings:
        """`settings` with the days that the bundle's training held back: on others it might have learned."""
        recorded = self.settings.get("evaluation", {})
        days = {name: recorded[name] for name in ("test_days", "validation_days") if name in recorded}
        return settings.model_copy(update=days)


@dataclass(frozen=True)
class ItemTable:
    """The catalog by item index; row 0 is padding. All sequences have N + 1 entries."""

    vocabulary: Vocabulary
    titles: tuple[str, ...]
    categories: tuple[str, ...]  # "" where unknown
    brands: tuple[str, ...]
    price_micros: IntArray  # -1 where unknown
    available: BoolArray
    attributes: tuple[str, ...]  # JSON objects
    vectors: FloatArray | None = None  # (N + 1, V) ready vectors in the layout; None = none
    vector_layout: VectorLayout = ()

    def __len__(self) -> int:
        return len(self.titles)

    @property
    def ready_vectors(self) -> FloatArray:
        """(N + 1, V), V = 0 where there are none."""
        return np.zeros((len(self), 0), np.float32) if self.vectors is None else self.vectors


@dataclass(frozen=True)
class Bundle:
    """Everything that answers a request without asking a store, besides online features.

    Attributes:
        item_vectors: (N + 1, D) float32, unit length, row 0 zero: the retriever's P_m.
        text_vectors: (N + 1, E) float32, unit length: the encoder's text vectors, for `similar`.
        popularity: (N + 1,) float32, time-decayed weight of events, for cold start.
        neighbours: (N + 1, M) int64 item indexes most bought or viewed together, 0 = none.
        neighbour_scores: (N + 1, M) float32.
        text_neighbours: (N + 1, M) int64 item indexes nearest by the text's vector, 0 = none.
        text_scores: (N + 1, M) float32 cosines. word_neighbours, word_scores: the same, by shared words.
        item_events: (N + 1,) float32 training events.
        fusion: makes one score of all of these.
        ranker: None where the data has no clock.
    """

    manifest: Manifest
    items: ItemTable
    retriever: "Retriever"
    item_vectors: FloatArray
    text_vectors: FloatArray
    popularity: FloatArray
    neighbours: IntArray
    neighbour_scores: FloatArray
    text_neighbours: IntArray
    text_scores: FloatArray
    word_neighbours: IntArray
    word_scores: FloatArray
    item_events: FloatArray
    fusion: "Fusion"
    ranker: "Ranker | None"

    @property
    def experts(self) -> SignalTables:
        """What fusion asks, as arrays by item index."""
        return SignalTables(
            neighbours=self.neighbours,
            neighbour_scores=self.neighbour_scores,
            text_neighbours=self.text_neighbours,
            text_scores=self.text_scores,
            word_neighbours=self.word_neighbours,
            word_scores=self.word_scores,
            item_vectors=self.item_vectors,
            item_events=self.item_events,
            popularity=self.popularity,
            clock=self.fusion.shape.clock,
        )
