"""How well items fit what a place is about, by the vectors of a bundle."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.ads.campaigns.targets import Surface
from recsys.ads.matching.targeting import with_wider
from recsys.ads.selection.prediction import AdContext, ClickEstimates, ClickPredictor
from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.models.bundle import Bundle
from recsys.models.encoders.query_encoder import QueryEncoder


class ContextRelevance:
    """The cosine of items with what a place is about; for many threads.

    A query is compared with the items' texts, a page of an item with its item vector, a category with the
    mean text of its items; where the place is about nothing, the user's vector with the item vectors.
    """

    def __init__(self, bundle: Bundle, queries: QueryEncoder | None = None) -> None:
        """Computes the mean texts of categories. `queries`: the bundle's encoder; None = it has none."""
        self._bundle, self._queries = bundle, queries
        self._categories = _mean_texts(bundle)

    def query_vector(self, query: str | None) -> FloatArray | None:
        """(Q,) of a query that says something; None = none."""
        if self._queries is None or not query:
            return None
        vector = self._queries.encode(query)
        return vector if vector.any() else None

    def of(self, context: AdContext, items: IntArray, user: FloatArray | None = None) -> DoubleArray:
        """(K,) in [0, 1], the cosine mapped; 1 where nothing is known to fit, and for items without an index.

        Args:
            items: (K,) item indexes, 0 = unknown. user: (D,) P_u; None or zeros = nobody is known.
        """
        bundle, about = self._bundle, None
        query = self.query_vector(context.query)
        page = 0 if context.item_id is None else bundle.items.vocabulary.index(context.item_id)
        vectors = bundle.text_vectors
        if query is not None and query.shape[0] == vectors.shape[1]:
            about = query
        elif page:
            vectors, about = bundle.item_vectors, bundle.item_vectors[page]
        elif context.category in self._categories:
            about = self._categories[context.category]
        elif user is not None and user.any():
            vectors, about = bundle.item_vectors, user
        if about is None:
            return np.ones(len(items))
        mapped = np.clip(((vectors[items] @ about).astype(np.float64) + 1) / 2, 0, 1)
        return np.where(items > 0, mapped, 1.0)


@dataclass(frozen=True, eq=False)
class RelevantRates:
    """A ClickPredictor: the estimates of another, which knows no context, and how well the items fit it."""

    rates: ClickPredictor
    relevance: ContextRelevance
    bundle: Bundle

    @property
    def version(self) -> str:
        """That of the rates."""
        return self.rates.version

    def estimate(self, context: AdContext, items: Sequence[str]) -> ClickEstimates:
        """As the protocol says."""
        index = self.bundle.items.vocabulary.indexes(items)
        return replace(self.rates.estimate(context, items), relevance=self.relevance.of(context, index))

    def examination(self, surface: Surface, slots: int) -> tuple[float, ...]:
        """As the protocol says."""
        return self.rates.examination(surface, slots)


def _mean_texts(bundle: Bundle) -> dict[str, FloatArray]:
    """(E,) unit vector of each category and path, those above it included."""
    items, vectors = bundle.items, bundle.text_vectors
    rows: dict[str, list[int]] = {}
    for row, names in enumerate(zip(items.categories, items.category_paths, strict=True)):
        for name in set(with_wider(name for name in names if name)):
            rows.setdefault(name, []).append(row)
    sums = {name: vectors[places].sum(0) for name, places in rows.items()}
    return {name: total / length for name, total in sums.items() if (length := np.linalg.norm(total)) > 0}
