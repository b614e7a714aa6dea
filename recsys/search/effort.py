"""A searcher that does less for each answer."""

from dataclasses import replace

from recsys.funnel.online_features import bounded_source
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import Effort
from recsys.search.searcher import Searcher


def searcher_with_effort(searcher: Searcher, recommender: Recommender) -> Searcher:
    """`searcher` that does what the effort of `recommender` says; what is found stays exact until POPULARITY.

    FEWER_CANDIDATES: the learned order and the user's taste see a fifth of the best. NO_SECOND_STAGE: the
    first stage's order stands, price and stock are the catalog's. POPULARITY: words and popularity alone,
    without the query's vector and the user.

    Args:
        recommender: of the same catalog.
    """
    effort = recommender.effort
    return replace(
        searcher,
        recommender=recommender,
        features=bounded_source(searcher.features, effort),
        learned=searcher.learned if effort < Effort.NO_SECOND_STAGE else None,
        vectors=searcher.vectors if effort < Effort.POPULARITY else None,
    )
