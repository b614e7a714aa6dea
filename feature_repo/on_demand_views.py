"""Features of a user and an item together, computed when a request asks for them."""

from feast import Field
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float32
from feature_views import item_content, user_activity, user_history
from sources import request

from recsys import columns

# Feast takes no description on a field of an on-demand view, so they go to the tags of the view.
MEANINGS = {
    columns.PRICE_RATIO: "Price of the item over the mean price the user paid; NaN where either is unknown.",
    columns.CATEGORY_AFFINITY: "Share of the item's category among the user's favourites; NaN if unknown.",
    columns.TIMES_IN_HISTORY: "How often the item occurs in the user's history.",
    columns.SECONDS_SINCE_ITEM: "Seconds since the item last occurred in it; NaN if it does not.",
    columns.SECONDS_SINCE_LAST: "Seconds since the user last did anything; NaN for a user without a past.",
}


@on_demand_feature_view(
    name=columns.USER_ITEM_CROSS,
    sources=[
        user_activity[
            [
                columns.AVERAGE_PRICE,
                columns.TOP_CATEGORIES,
                columns.TOP_CATEGORY_SHARES,
                columns.LAST_EVENT_AT,
            ]
        ],
        user_history[[columns.HISTORY_ITEMS, columns.HISTORY_AT]],
        item_content[[columns.ITEM_KEY, columns.CATEGORY_KEY, columns.PRICE_MICROS]],
        request,
    ],
    schema=[Field(name=name, dtype=Float32) for name in MEANINGS],
    mode="python",  # pandas would turn an integer column with a missing row to floats and break the keys
    description="What a user and an item say together at the instant of the request.",
    tags={"stage": "ranking", **MEANINGS},
    owner="recsys",
)
def user_item_cross(inputs):  # type: ignore[no-untyped-def]
    # Feast ships this body to wherever it serves features: it imports what it uses.
    from recsys.features.cross import cross_features_of_lists

    return cross_features_of_lists(inputs)
