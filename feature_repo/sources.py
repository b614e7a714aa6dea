"""Where feature rows come from: Parquet of this shop's work directory, written by `recsys features build`.

A stream pushes the rows of what changes at once, in the same columns.
"""

import logging
from pathlib import Path

from feast import FileSource, PushSource, RequestSource
from feast.field import Field
from feast.types import Int64

from recsys import columns
from recsys.config import load_settings

paths = load_settings(start=Path(__file__).parent).paths


def rows(view: str, description: str) -> FileSource:
    """The rows of `view`; of equal event timestamps the later created row wins."""
    file = paths.feature_rows(view)
    if not file.exists():
        logging.getLogger("recsys").warning("no rows of %s yet: run `recsys features build` (%s)", view, file)
    return FileSource(
        name=f"{view}_rows",
        path=str(file),
        timestamp_field=columns.EVENT_TIMESTAMP,
        created_timestamp_column=columns.CREATED_TIMESTAMP,
        description=description,
        owner="recsys",
    )


user_activity_rows = rows(columns.USER_ACTIVITY, "Rolling windows over what users did, from the event lake.")
user_history_rows = rows(columns.USER_HISTORY, "Last actions of users, from the event lake.")
user_searches_rows = rows(columns.USER_SEARCHES, "Last queries of users, from the event lake.")
item_engagement_rows = rows(columns.ITEM_ENGAGEMENT, "Rolling windows over what was done with items.")
item_content_rows = rows(columns.ITEM_CONTENT, "The catalog.")
item_text_rows = rows(columns.ITEM_TEXT, "Text vectors of the catalog.")
item_vectors_rows = rows(columns.ITEM_VECTORS, "Ready vectors of the catalog, of images for example.")


def pushed(batch_source: FileSource, description: str) -> PushSource:
    """Rows of `batch_source` that a stream brings sooner."""
    return PushSource(
        name=batch_source.name.removesuffix("rows") + "push",
        batch_source=batch_source,
        description=description,
    )


user_activity_push = pushed(user_activity_rows, "User activity after each event.")
user_history_push = pushed(user_history_rows, "User history after each event.")
user_searches_push = pushed(user_searches_rows, "Queries of a user after each search.")
item_engagement_push = pushed(item_engagement_rows, "Item engagement after each event.")

request = RequestSource(
    name="request",
    schema=[
        Field(
            name=columns.REQUEST_AT_SECONDS,
            dtype=Int64,
            description="Unix seconds at which the question is asked.",
        )
    ],
    description="What a request itself knows.",
    owner="recsys",
)
