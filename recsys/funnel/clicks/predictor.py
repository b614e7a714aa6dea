"""What a bundle's click model says of many items for one context, by online features of `ads_v1`."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from recsys import columns
from recsys.ads.campaigns.targets import Surface
from recsys.ads.selection.prediction import AdContext, ClickEstimates
from recsys.arrays import FloatArray
from recsys.dataset.click_log import place_name
from recsys.errors import ConfigError
from recsys.funnel.clicks.numbers import click_numbers
from recsys.funnel.clicks.relevance import ContextRelevance
from recsys.funnel.clicks.spread import attraction_spread
from recsys.funnel.online_features import FeatureRows, FeatureSource, Profile
from recsys.models.bundle import Bundle
from recsys.models.ctr.one_request import ClickRequest, RequestScorer
from recsys.models.encoders.query_encoder import QueryEncoder

_SHOWN = f"item_{columns.IMPRESSION}_count_90d"


class BundlePredictor:
    """A ClickPredictor: the click model of a bundle, with features read when it is asked; for many threads.

    A visitor has no features and no history. An item that the bundle does not know is judged by its features.
    """

    def __init__(self, bundle: Bundle, features: FeatureSource, queries: QueryEncoder | None = None) -> None:
        """Computes what is the items' alone.

        Args:
            features: of `ads_v1`. queries: the bundle's, for its click model and for relevance.

        Raises:
            ConfigError: the bundle has no click model, or one that reads queries, which nothing encodes.
        """
        if bundle.click_model is None:
            raise ConfigError(f"bundle {bundle.manifest.bundle_id!r} has no click model. Run `recsys train`.")
        shape = bundle.click_model.model.shape
        if shape.query and (queries is None or queries.dimensions != shape.query):
            raise ConfigError(
                f"the click model of {bundle.manifest.bundle_id!r} reads vectors of queries of {shape.query} "
                "numbers. Give the encoder that the bundle has."
            )
        self._bundle, self._features = bundle, features
        self._model = bundle.click_model
        codes = self._model.codes.item_codes(bundle.items)
        self._relevance = ContextRelevance(bundle, queries)
        self._scorer = RequestScorer(self._model.model.network, bundle.item_vectors, codes)
        self.version = bundle.manifest.bundle_id

    def estimate(self, context: AdContext, items: Sequence[str]) -> ClickEstimates:
        """What is to be expected of each of `items`; features are read in one round trip.

        Raises:
            StoreUnavailableError: the online store does not answer.
        """
        if not items:
            nothing = np.zeros(0)
            return ClickEstimates(nothing, nothing, nothing, nothing, nothing)
        user_rows, item_rows = self._read(context.user_id, items)
        bundle, model = self._bundle, self._model
        profile = Profile.of(user_rows, bundle.items.vocabulary, context.now)
        user = bundle.retriever.user_vectors(profile.histories, bundle.item_vectors)[0]
        index = bundle.items.vocabulary.indexes(items)
        query = self._relevance.query_vector(context.query)
        place = self._place(context.surface)
        request = _request(profile, user, place, model.model.shape.history, query, model.model.shape.query)
        numbers = click_numbers(profile, item_rows, context)
        log_odds, bought = self._scorer.log_odds(request, index, numbers)
        attraction = model.model.attraction(place, index, log_odds)
        known = model.model.shape.conversion
        shown = np.asarray(item_rows.columns[_SHOWN], np.float64)
        return ClickEstimates(
            attraction=attraction,
            p_purchase=expit(bought) if known else np.full(len(items), model.facts.conversion),
            relevance=self._relevance.of(context, index, user),
            spread=attraction_spread(attraction, shown),
            viewed=np.nan_to_num(shown),
        )

    def examination(self, surface: Surface, slots: int) -> tuple[float, ...]:
        """(slots,) how likely each sponsored slot is looked at; as organic ones where none were logged."""
        place = place_name(surface, True)
        if not self._model.codes.place(place):
            place = place_name(surface, False)
        return tuple(self._model.examination(place, slots).tolist())

    def _read(self, user_id: str | None, items: Sequence[str]) -> tuple[FeatureRows | None, FeatureRows]:
        if user_id is None:
            return None, self._features.read_items(items)
        return self._features.read(user_id, items)

    def _place(self, surface: Surface) -> int:
        codes = self._model.codes
        return codes.place(place_name(surface, True)) or codes.place(place_name(surface, False))


def _request(
    profile: Profile, user: FloatArray, place: int, length: int, query: FloatArray | None, width: int
) -> ClickRequest:
    histories = profile.histories
    latest = np.flatnonzero(histories.items[0] > 0)[-length:]
    return ClickRequest(
        user=user,
        history=histories.items[0][latest],
        kinds=histories.kinds[0][latest],
        surface=place,
        query=np.zeros(width, np.float32) if query is None or not width else query,
    )
