"""The feature views, declared to Feast; what each feature means is computed in `recsys.features`."""

from datetime import timedelta

from entities import item, user
from feast import FeatureView, Field
from feast.types import Array, Bool, Float32, Int32, Int64, String
from sources import (
    item_content_rows,
    item_engagement_push,
    item_text_rows,
    item_vectors_rows,
    user_activity_push,
    user_history_push,
    user_searches_push,
)

from recsys import columns

# Windows are written down to their last expiry, so the newest row of a quiet user stays true: nothing here
# grows stale by itself. Not 0, which `feast materialize-incremental` takes for "start one year ago".
FOREVER = timedelta(days=50 * 365)


def counts(kinds: tuple[str, ...], name: str, whose: str) -> list[Field]:
    """One Int32 field for each kind of event and window."""
    return [
        Field(
            name=name.format(kind=kind, days=days),
            dtype=Int32,
            description=f"{kind} events {whose} in the last {days} days.",
        )
        for kind in kinds
        for days in columns.WINDOW_DAYS
    ]


user_activity = FeatureView(
    name=columns.USER_ACTIVITY,
    entities=[user],
    ttl=FOREVER,
    source=user_activity_push,
    schema=[
        *counts(columns.ACTION_KINDS, "{kind}_count_{days}d", "of the user"),
        *(
            Field(name=name, dtype=Int64, description=f"Money spent in the last {days} days, in millionths.")
            for name, days in zip(columns.USER_VALUES, columns.WINDOW_DAYS, strict=True)
        ),
        Field(name=columns.ACTIVE_DAYS, dtype=Int32, description="Days with an action in the last 90 days."),
        Field(name=columns.LAST_EVENT_AT, dtype=Int64, description="Unix seconds of the last action."),
        Field(
            name=columns.AVERAGE_PRICE,
            dtype=Int64,
            description="Mean price a piece over the purchases of the last 90 days, in millionths; 0 = none.",
        ),
        Field(
            name=columns.TOP_CATEGORIES,
            dtype=Array(Int64),
            description="Stable keys of the favourite categories of the last 90 days, largest share first.",
        ),
        Field(
            name=columns.TOP_CATEGORY_SHARES,
            dtype=Array(Float32),
            description="Share of the actions with a category that fell on each of them.",
        ),
    ],
    description="What a user did over rolling windows of 1, 7, 30 and 90 days.",
    tags={"stage": "ranking", "streams": "yes"},
    owner="recsys",
)

user_history = FeatureView(
    name=columns.USER_HISTORY,
    entities=[user],
    ttl=FOREVER,
    source=user_history_push,
    schema=[
        Field(name=columns.HISTORY_ITEMS, dtype=Array(Int64), description="Stable keys of the items."),
        Field(name=columns.HISTORY_KINDS, dtype=Array(Int32), description="Codes of the kinds of action."),
        Field(name=columns.HISTORY_AT, dtype=Array(Int64), description="Unix seconds of the actions."),
    ],
    description=f"The last {columns.HISTORY_LENGTH} actions of a user as parallel arrays, oldest first.",
    tags={"stage": "retrieval, ranking", "streams": "yes"},
    owner="recsys",
)

user_searches = FeatureView(
    name=columns.USER_SEARCHES,
    entities=[user],
    ttl=FOREVER,
    source=user_searches_push,
    schema=[
        Field(name=columns.SEARCH_TEXTS, dtype=Array(String), description="The queries, in one case."),
        Field(
            name=columns.SEARCH_AT, dtype=Array(Int64), description="Unix seconds of the last time of each."
        ),
    ],
    description=f"The last {columns.SEARCH_COUNT} distinct queries of a user, parallel arrays, newest first.",
    tags={"stage": "search", "streams": "yes"},
    owner="recsys",
)

item_engagement = FeatureView(
    name=columns.ITEM_ENGAGEMENT,
    entities=[item],
    ttl=FOREVER,
    source=item_engagement_push,
    schema=[
        *counts((columns.IMPRESSION, *columns.ACTION_KINDS), "item_{kind}_count_{days}d", "of the item"),
        Field(
            name=columns.ITEM_CLICK_RATE,
            dtype=Float32,
            description="Clicks an impression over 30 days; 0 without impressions.",
        ),
        Field(
            name=columns.ITEM_CONVERSION,
            dtype=Float32,
            description="Purchases a view or click over 30 days; 0 without any.",
        ),
        Field(
            name=columns.ITEM_TREND,
            dtype=Float32,
            description="Share of the last 30 days' actions that fell into the last 7; 0 without any.",
        ),
        Field(name=columns.ITEM_LAST_EVENT_AT, dtype=Int64, description="Unix seconds of the last action."),
    ],
    description="What people did with an item over rolling windows of 1, 7, 30 and 90 days.",
    tags={"stage": "ranking", "streams": "yes"},
    owner="recsys",
)

item_content = FeatureView(
    name=columns.ITEM_CONTENT,
    entities=[item],
    ttl=FOREVER,
    source=item_content_rows,
    schema=[
        Field(name=columns.ITEM_KEY, dtype=Int64, description="Stable key of the item's id."),
        Field(name=columns.CATEGORY_KEY, dtype=Int64, description="Stable key of the category; 0 = none."),
        Field(name=columns.PRICE_MICROS, dtype=Int64, description="Price in millionths; 0 = unknown."),
        Field(name=columns.AVAILABLE, dtype=Bool, description="Whether it can be bought now."),
        Field(name=columns.TITLE, dtype=String, description="Title as shown."),
        Field(name=columns.TEXT, dtype=String, description="Description that the text encoder reads."),
        Field(name=columns.CATEGORY, dtype=String, description='Category; "" = none.'),
        Field(name=columns.BRAND, dtype=String, description='Brand; "" = none.'),
        Field(name=columns.ATTRIBUTES, dtype=String, description="All other attributes, a JSON object."),
        Field(
            name=columns.PRODUCT_ID,
            dtype=String,
            description='What the variants of one product share; "" = the item is its own product.',
        ),
        Field(
            name=columns.CATEGORY_PATH,
            dtype=String,
            description='From the widest category to the narrowest, `Home/Kitchen/Pots`; "" = unknown.',
        ),
        Field(
            name=columns.FIRST_AT,
            dtype=Int64,
            description="When the item entered the shop, Unix microseconds; 0 = unknown.",
        ),
    ],
    description="What the catalog says of an item.",
    tags={"stage": "catalog, ranking"},
    owner="recsys",
)

item_text = FeatureView(
    name=columns.ITEM_TEXT,
    entities=[item],
    ttl=FOREVER,
    source=item_text_rows,
    schema=[
        Field(name=columns.TEXT_VECTOR, dtype=Array(Float32), description="Unit text vector of the encoder."),
        Field(name=columns.TEXT_HASH, dtype=String, description="SHA-256 of the text it stands for."),
    ],
    description="The text of an item as its pretrained encoder sees it.",
    tags={"stage": "catalog"},
    owner="recsys",
)

item_vectors = FeatureView(
    name=columns.ITEM_VECTORS,
    entities=[item],
    ttl=FOREVER,
    source=item_vectors_rows,
    schema=[
        Field(name=columns.READY_VECTOR, dtype=Array(Float32), description="All ready vectors in one."),
        Field(
            name=columns.VECTOR_LAYOUT,
            dtype=String,
            description="Names and widths of the vectors in it, in order: `image:512 speech:128`.",
        ),
    ],
    description="What other networks made of an item, of its image or its sound; apart, for its width.",
    tags={"stage": "catalog"},
    owner="recsys",
)
