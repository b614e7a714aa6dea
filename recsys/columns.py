"""Every column name, feature name and feature-service name, each written once.

Nothing is imported here, so that every other room (the Feast repository too) may import this one.
"""

# -- canonical tables -------------------------------------------------------------------------
EVENT_ID = "event_id"
KIND = "kind"
USER_ID = "user_id"
ITEM_ID = "item_id"
AT = "at"  # aware UTC, microseconds
SEQUENCE = "sequence"  # order of arrival; breaks ties of `at`
SESSION_ID = "session_id"  # a session or a basket
QUERY = "query"
REQUEST_ID = "request_id"  # the response that this event answers to
POSITION = "position"  # from 1
QUANTITY = "quantity_thousandths"  # of a piece, so that 0.25 kg stays what it is
EVENT_QUANTITY = "quantity"  # in pieces, as the JSON of an event and tables of earlier versions have it
VALUE_MICROS = "value_micros"  # money of the whole line, in millionths of the currency unit
WEIGHT = "weight"  # how much this event says about preference; 0 = nothing
QUERY_ID = "query_id"  # one search with all of its pages: the request_id of the first of them
RESULTS = "results"  # how many items a search found in all; null = not said, which is not 0
FILTERS = "filters"  # of a search: text of a JSON object with sorted keys
SURFACE = "surface"  # the place of the shop that showed something
PAGE = "page"  # of a search's results, from 1
VISIBLE_MS = "visible_ms"  # how long an item that was shown was in sight, in milliseconds
VIEWABLE = "viewable"  # half of its area in sight for a second; null = nobody measured it
TOKEN = "token"  # of the sponsored item that an event is about, as the page got it; null = organic

EVENT_COLUMNS = (
    EVENT_ID,
    KIND,
    USER_ID,
    ITEM_ID,
    AT,
    SEQUENCE,
    SESSION_ID,
    QUERY,
    REQUEST_ID,
    POSITION,
    QUANTITY,
    VALUE_MICROS,
    WEIGHT,
    QUERY_ID,
    RESULTS,
    FILTERS,
    SURFACE,
    PAGE,
    VISIBLE_MS,
    VIEWABLE,
    TOKEN,
)

TITLE = "title"
TEXT = "text"
CATEGORY = "category"
BRAND = "brand"
PRICE_MICROS = "price_micros"
AVAILABLE = "available"
ATTRIBUTES = "attributes"  # JSON object: string = categorical, list = multi-valued, number = numeric
VECTORS = "vectors"  # ready vectors by name: of an image, of speech, of anything that a network encoded
PRODUCT_ID = "product_id"  # what the variants of one product share; absent: the item is its own product
CATEGORY_PATH = "category_path"  # where the item stands in the shop, from the widest: `Home/Kitchen/Pots`
FIRST_AT = "first_at"  # when the item entered the shop; an instant, in feature rows microseconds

ITEM_COLUMNS = (
    ITEM_ID,
    TITLE,
    TEXT,
    CATEGORY,
    BRAND,
    PRICE_MICROS,
    AVAILABLE,
    ATTRIBUTES,
    VECTORS,
    PRODUCT_ID,
    CATEGORY_PATH,
    FIRST_AT,
    AT,
)
USER_COLUMNS = (USER_ID, ATTRIBUTES, AT)

# -- kinds of event -----------------------------------------------------------------------------
SEARCH = "search"
IMPRESSION = "impression"
VIEW = "view"
CLICK = "click"
CART = "cart"
PURCHASE = "purchase"
CANCEL = "cancel"
LIKE = "like"

# A kind's code is its place in this tuple, from 1 (0 = padding). Append only: codes are stored.
KINDS = (SEARCH, IMPRESSION, VIEW, CLICK, CART, PURCHASE, CANCEL, LIKE)
KIND_CODES = {kind: code for code, kind in enumerate(KINDS, start=1)}
# Changes of the catalog and of what is known of users: no events of a history, so they have no code.
ITEM_UPSERT = "item_upsert"
USER_UPSERT = "user_upsert"
# What a person did with an item: the kinds that enter a history and can be a label.
ACTION_KINDS = (VIEW, CLICK, CART, PURCHASE, LIKE)

# -- Feast --------------------------------------------------------------------------------------
EVENT_TIMESTAMP = "event_timestamp"  # a feature row holds all events up to and including this instant
CREATED_TIMESTAMP = "created_timestamp"  # of rows with equal instants the later created one wins
REQUEST_AT_SECONDS = "request_at_seconds"  # Unix seconds of the request, an input of cross features

RETRIEVAL_SERVICE = "retrieval_v1"  # the user side: history
CATALOG_SERVICE = "catalog_v1"  # the item side: content and text vector
RANKING_SERVICE = "ranking_v1"  # user activity and history, item engagement and content, cross features
SEARCH_SERVICE = "search_v1"  # user activity, history and searches, price and stock of the items of a page

USER_ACTIVITY = "user_activity"
USER_HISTORY = "user_history"
USER_SEARCHES = "user_searches"
ITEM_ENGAGEMENT = "item_engagement"
ITEM_CONTENT = "item_content"
ITEM_TEXT = "item_text"
ITEM_VECTORS = "item_vectors"
USER_ITEM_CROSS = "user_item_cross"

# -- features -----------------------------------------------------------------------------------
WINDOW_DAYS = (1, 7, 30, 90)

# user_activity
USER_COUNTS = tuple(f"{kind}_count_{days}d" for kind in ACTION_KINDS for days in WINDOW_DAYS)
USER_VALUES = tuple(f"purchase_value_micros_{days}d" for days in WINDOW_DAYS)
ACTIVE_DAYS = "active_days_90d"
LAST_EVENT_AT = "last_event_at_seconds"
AVERAGE_PRICE = "average_price_micros_90d"
TOP_CATEGORIES = "top_category_keys"  # int64 keys, largest share first
TOP_CATEGORY_SHARES = "top_category_shares"
TOP_CATEGORY_COUNT = 5

# user_history: the last HISTORY_LENGTH actions, oldest first. Long enough for months of groceries: what a
# household buys again is found here; the user tower reads the last `retriever.history_length` of them.
HISTORY_ITEMS = "history_item_keys"  # int64 keys, see recsys.catalog.stable_key
HISTORY_KINDS = "history_kinds"  # codes, see KIND_CODES
HISTORY_AT = "history_at_seconds"
HISTORY_LENGTH = 400

# user_searches: the latest SEARCH_COUNT distinct queries, newest first
SEARCH_TEXTS = "search_texts"  # folded, see recsys.dataset.searches.normalised_query
SEARCH_AT = "search_at"  # Unix seconds at which each was asked last
SEARCH_COUNT = 10

# item_engagement
ITEM_COUNTS = tuple(
    f"item_{kind}_count_{days}d" for kind in (IMPRESSION, *ACTION_KINDS) for days in WINDOW_DAYS
)
ITEM_CLICK_RATE = "item_click_rate_30d"
ITEM_CONVERSION = "item_conversion_30d"
ITEM_TREND = "item_trend_7d_30d"
ITEM_LAST_EVENT_AT = "item_last_event_at_seconds"

# item_content
ITEM_KEY = "item_key"
CATEGORY_KEY = "category_key"
# What a bundle carries for filters and search, and no model of it reads: one without them serves on.
CARRIED_CONTENT = (PRODUCT_ID, CATEGORY_PATH, FIRST_AT)

# item_text
TEXT_VECTOR = "text_vector"
TEXT_HASH = "text_hash"

# item_vectors: all ready vectors of an item in one, and what it is made of
READY_VECTOR = "ready_vector"
VECTOR_LAYOUT = "vector_layout"  # names and widths in order: "image:512 speech:128"

# user_item_cross: computed at request time from the views above
PRICE_RATIO = "price_to_user_mean"
CATEGORY_AFFINITY = "category_affinity"
TIMES_IN_HISTORY = "times_in_history"
SECONDS_SINCE_ITEM = "seconds_since_item"
SECONDS_SINCE_LAST = "seconds_since_last_event"
CROSS_FEATURES = (
    PRICE_RATIO,
    CATEGORY_AFFINITY,
    TIMES_IN_HISTORY,
    SECONDS_SINCE_ITEM,
    SECONDS_SINCE_LAST,
)

# What the ranking model reads, in this order, all as float32. RETRIEVAL_SCORE comes from the model.
RETRIEVAL_SCORE = "retrieval_score"
USER_RANKING_FEATURES = (*USER_COUNTS, *USER_VALUES, ACTIVE_DAYS, AVERAGE_PRICE)
ITEM_RANKING_FEATURES = (*ITEM_COUNTS, ITEM_CLICK_RATE, ITEM_CONVERSION, ITEM_TREND, PRICE_MICROS)
RANKING_FEATURES = (
    *USER_RANKING_FEATURES,
    *ITEM_RANKING_FEATURES,
    *CROSS_FEATURES,
    RETRIEVAL_SCORE,
)
