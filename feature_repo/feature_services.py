"""The contracts between features and models: training and serving read features by these names only."""

from feast import FeatureService
from feature_views import (
    item_content,
    item_engagement,
    item_text,
    item_vectors,
    user_activity,
    user_history,
    user_searches,
)
from on_demand_views import user_item_cross

from recsys import columns

retrieval = FeatureService(
    name=columns.RETRIEVAL_SERVICE,
    features=[user_history],
    description="The user side of retrieval: what the user tower reads.",
    tags={"stage": "retrieval"},
    owner="recsys",
)

catalog = FeatureService(
    name=columns.CATALOG_SERVICE,
    features=[item_content, item_text, item_vectors],
    description="The item side of retrieval: what the item tower reads.",
    tags={"stage": "catalog"},
    owner="recsys",
)

ranking = FeatureService(
    name=columns.RANKING_SERVICE,
    features=[
        user_activity,
        user_history,
        item_engagement,
        item_content[[columns.ITEM_KEY, columns.CATEGORY_KEY, columns.PRICE_MICROS, columns.AVAILABLE]],
        user_item_cross,
    ],
    description="What the ranking model reads of a user, of each candidate and of both together.",
    tags={"stage": "ranking"},
    owner="recsys",
)

search = FeatureService(
    name=columns.SEARCH_SERVICE,
    features=[
        user_activity,
        user_history,
        user_searches,
        item_content[[columns.PRICE_MICROS, columns.AVAILABLE]],
    ],
    description="What a search reads of who asks, and of the items of the page that it answers with.",
    tags={"stage": "search"},
    owner="recsys",
)

ads = FeatureService(
    name=columns.ADS_SERVICE,
    features=[
        user_activity,
        user_history,
        item_engagement,
        item_content[
            [
                columns.ITEM_KEY,
                columns.CATEGORY_KEY,
                columns.PRICE_MICROS,
                columns.AVAILABLE,
                columns.FIRST_AT,
            ]
        ],
        user_item_cross,
    ],
    description="What the click model reads of a user, of each item that may be shown and of both together.",
    tags={"stage": "ads"},
    owner="recsys",
)
