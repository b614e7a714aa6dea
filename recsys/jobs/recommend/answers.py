"""One answer without the HTTP service: from the bundle, the online store and the funnel themselves."""

import logging
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import TypeVar

from recsys.config import Settings
from recsys.errors import ArtifactNotFoundError
from recsys.funnel.item_explanation import ItemExplanation
from recsys.funnel.requests import RecommendRequest, SimilarRequest
from recsys.funnel.slate import Slate
from recsys.jobs.recommend.live_catalog import LiveCatalog, LiveFeeds
from recsys.jobs.recommend.loading import NO_BUNDLE, BundleLoader, set_threads
from recsys.jobs.recommend.shop_rules import read_rules
from recsys.search.storefront import Storefront
from recsys.stores.registry.registry import Registry

log = logging.getLogger(__name__)
T = TypeVar("T")


def recommend_items(
    settings: Settings, request: RecommendRequest, now: datetime, bundle_id: str | None = None
) -> Slate:
    """What the service would answer to `request`, with the same numbers; nothing is logged as served.

    What is not as it should be, a store that is away or a user of whom nothing is known, is logged.

    Args:
        bundle_id: a registered bundle; None = the one in production.

    Raises:
        ArtifactError: there is no such bundle, it was changed or fits other features.
        ConfigError: the feature repository is not applied.
        RequestError: the request names an item, category or attribute that the catalog lacks.
    """
    slate = ask_storefront(settings, bundle_id, lambda shop: shop.recommender.recommend(request, now))
    _log_cold_start(slate)
    return slate


def similar_items(
    settings: Settings, request: SimilarRequest, now: datetime, bundle_id: str | None = None
) -> Slate:
    """What the service would answer to `request`; see `recommend_items`."""
    return ask_storefront(settings, bundle_id, lambda shop: shop.recommender.similar(request, now))


def explain_item(
    settings: Settings,
    request: RecommendRequest,
    item_id: str,
    now: datetime,
    bundle_id: str | None = None,
) -> ItemExplanation:
    """Why `item_id` is or is not on the slate that the service would answer with; see `recommend_items`."""
    found = ask_storefront(settings, bundle_id, lambda shop: shop.recommender.explain(request, item_id, now))
    _log_cold_start(found.slate)
    return found


def ask_storefront(settings: Settings, bundle_id: str | None, question: Callable[[Storefront], T]) -> T:
    """What `question` makes of the storefront that the service would have now.

    Args:
        bundle_id: a registered bundle; None = the one in production.

    Raises:
        ArtifactError: there is no such bundle, it was changed or fits other features.
        ConfigError: the feature repository is not applied.
    """
    set_threads(settings.serving.threads)
    rules = read_rules(settings)
    with Registry.open(settings) as registry:
        record = registry.production() if bundle_id is None else registry.get(bundle_id)
    if record is None:
        raise ArtifactNotFoundError(NO_BUNDLE)
    with (
        closing(LiveFeeds(settings)) as feeds,
        closing(BundleLoader(settings, rules=rules, words=rules)) as load,
    ):
        live = LiveCatalog(feeds.changes, feeds.scores)
        answer = question(live.apply_popularity(live.apply_changes(load(record))))
    if load.failure is not None:
        log.warning(
            "online features were not read, as %s The answer is made without them. "
            "`recsys status` says more, `recsys up` starts this home's server.",
            load.failure,
        )
    return answer


def _log_cold_start(slate: Slate) -> None:
    if slate.cold_start and slate.user_id is not None:
        log.info(
            "nothing is known of user %r: a cold start, answered by context and popularity", slate.user_id
        )
