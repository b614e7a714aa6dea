"""A slate out of what was chosen."""

from datetime import datetime

from recsys import columns
from recsys.funnel.explanation import slate_items
from recsys.funnel.online_features import Profile, feature_status
from recsys.funnel.ranking import Ranked
from recsys.funnel.requests import RecommendRequest, SimilarRequest
from recsys.funnel.rounds import Filled
from recsys.funnel.slate import ONLINE_FEATURES_UNAVAILABLE, Slate
from recsys.models.bundle import Bundle


def make_slate(
    bundle: Bundle,
    request: RecommendRequest | SimilarRequest,
    now: datetime,
    shown: Ranked,
    profile: Profile,
    filled: Filled,
) -> Slate:
    """The slate of the items `shown`, in their order, without what rules say of it."""
    return Slate(
        request_id=request.request_id,
        user_id=request.user_id if isinstance(request, RecommendRequest) else None,
        bundle_id=bundle.manifest.bundle_id,
        at=now,
        items=slate_items(bundle, shown, profile, request.language),
        candidates=len(filled.ranked),
        features=feature_status(columns.RANKING_SERVICE, (profile.rows, filled.rows)),
        cold_start=False,
        degraded=() if filled.complete else (ONLINE_FEATURES_UNAVAILABLE,),
    )
