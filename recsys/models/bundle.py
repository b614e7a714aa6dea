"""What training produces and serving loads: one immutable object, described by its manifest."""

from dataclasses import dataclass

from recsys.arrays import FloatArray, IntArray
from recsys.dataset.item_table import ItemTable
from recsys.models.fusion import Fusion
from recsys.models.manifest import Manifest
from recsys.models.ranker import Ranker
from recsys.models.retriever.retriever import Retriever
from recsys.models.signals import SignalTables


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
    retriever: Retriever
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
    fusion: Fusion
    ranker: Ranker | None

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
