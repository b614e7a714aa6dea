"""A searcher that does less for each answer."""

from dataclasses import replace

from recsys.funnel.effort import Effort
from recsys.funnel.recommender import Recommender
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
        features=effort.bounded(searcher.features),
        learned=searcher.learned if effort < Effort.NO_SECOND_STAGE else None,
        vectors=searcher.vectors if effort < Effort.POPULARITY else None,
    )
