"""One search without the HTTP service: from the bundle, the online store and the searcher themselves."""

from datetime import datetime

from recsys.config import Settings
from recsys.jobs.recommend.answers import ask_storefront
from recsys.search.answer import SearchAnswer
from recsys.search.requests import SearchRequest


def search_items(
    settings: Settings, request: SearchRequest, now: datetime, bundle_id: str | None = None
) -> SearchAnswer:
    """What the service would answer to `request`, with the same numbers; nothing is logged as served.

    Args:
        bundle_id: a registered bundle; None = the one in production.

    Raises:
        ArtifactError: there is no such bundle, it has no search indexes, was changed or fits other features.
        ConfigError: the feature repository is not applied.
        RequestError: the request names a filter, facet or sort that is not known.
    """
    return ask_storefront(settings, bundle_id, lambda shop: shop.searcher().search(request, now))
