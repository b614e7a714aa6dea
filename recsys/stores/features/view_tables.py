"""The rows of each view of one build: the lake is read once, and views of events are made by bucket."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from functools import cache, cached_property
from itertools import chain
from typing import Self, TypeVar

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import IntArray
from recsys.catalog import stable_key
from recsys.config import Settings
from recsys.dataset.row_versions import changes_of
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.errors import DataError
from recsys.features.event_log import EVENT_COLUMNS_READ, EventLog, of_items, of_users, read_log
from recsys.features.item_content import (
    category_by_item,
    category_keys,
    item_content,
    item_text,
    item_vectors,
)
from recsys.features.item_engagement import item_engagement
from recsys.features.user_actions import USER_ACTIONS_SCHEMA, changed_actions, user_actions
from recsys.features.user_activity import user_activity
from recsys.features.user_searches import SEARCH_COLUMNS_READ, is_search, user_searches
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.instants import DAY
from recsys.progress import Progress
from recsys.stores.features.changed_tables import ChangedTables
from recsys.stores.features.event_buckets import EventBuckets, bucket_count, computed
from recsys.stores.features.grown_views import first_counted_at
from recsys.stores.lake.dataset_files import is_catalog_alone, load_item_versions, load_items
from recsys.stores.lake.event_lake import JoinedLake, open_lake
from recsys.stores.lake.event_parts import count_events, parts_as_happened

Made = TypeVar("Made")

_OF_USERS = (columns.USER_ACTIVITY, columns.USER_HISTORY)


class ViewTables:
    """The rows of the views of one build; inputs are read when the first view needs them.

    What lies on disk meanwhile is gone when the block is left.
    """

    def __init__(
        self,
        settings: Settings,
        created_at: int,
        views: Collection[str],
        grown: Mapping[str, Sequence[date]],
        progress: Progress,
    ) -> None:
        """Reads nothing.

        Args:
            views: those that will be asked for, so that the lake is read once for all of them.
            grown: of these the ones of which `changed` will be asked for, not `tables`.
        """
        self._settings, self._created_at = settings, created_at
        self._views, self._grown, self._progress = set(views) - set(grown), grown, progress
        self._stack = ExitStack()
        self._key_of = cache(stable_key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def tables(self, view: str, with_text: bool) -> Iterable[pa.Table]:
        """The rows of `view`, in parts.

        Raises:
            DataError: nothing was imported.
        """
        of_items: Mapping[str, Callable[[], pa.Table]] = {
            columns.ITEM_CONTENT: lambda: item_content(self._versions, *self._known),
            columns.ITEM_VECTORS: lambda: item_vectors(
                changes_of(self._versions, columns.VECTORS), *self._known
            ),
            columns.ITEM_TEXT: self._text if with_text else VIEW_SCHEMAS[columns.ITEM_TEXT].empty_table,
        }
        if view in of_items:
            return (of_items[view](),)
        if view == columns.USER_HISTORY:
            return chain.from_iterable(self._of_logs(lambda log: user_actions(log, self._created_at), view))
        if view == columns.USER_SEARCHES:
            return self._of_buckets(lambda events: user_searches(events, self._created_at), view)
        return self._of_logs(self._activity if view == columns.USER_ACTIVITY else self._engagement, view)

    def changed(self, view: str) -> Iterator[pa.Table]:
        """The rows that new events changed of a view of users or of items, in parts."""
        if not self._grown[view]:
            return iter(())
        make = {
            columns.USER_ACTIVITY: self._activity,
            columns.USER_HISTORY: self._changed_actions,
            columns.ITEM_ENGAGEMENT: self._engagement,
        }
        return self._changes.tables(view, make[view])

    def _changed_actions(self, log: EventLog, since: IntArray) -> pa.Table:
        parts = changed_actions(log, self._created_at, since, self._key_of)
        return pa.concat_tables([USER_ACTIONS_SCHEMA.empty_table(), *parts])

    def _activity(self, log: EventLog, since: IntArray | None = None) -> pa.Table:
        return user_activity(log, category_keys(self._categories, log.items), self._created_at, since)

    def _engagement(self, log: EventLog, since: IntArray | None = None) -> pa.Table:
        return item_engagement(log, self._created_at, since)

    @cached_property
    def _changes(self) -> ChangedTables:
        views = [view for view, days in self._grown.items() if days]
        days = sorted({day for view in views for day in self._grown[view]})
        return self._stack.enter_context(
            ChangedTables(self._lake, views, days, self._settings.paths.features)
        )

    def _of_logs(self, make: Callable[[EventLog], Made], view: str) -> Iterator[Made]:
        return self._of_buckets(lambda events: make(read_log(events, self._key_of)), view)

    def _of_buckets(self, make: Callable[[pa.Table], Made], view: str) -> Iterator[Made]:
        split = self._split[columns.USER_ACTIVITY if view in _OF_USERS else view]
        names = SEARCH_COLUMNS_READ if view == columns.USER_SEARCHES else EVENT_COLUMNS_READ
        schema = pa.schema([EVENT_SCHEMA.field(name) for name in names])
        return computed(lambda number: make(split.table(number, schema)), range(split.buckets))

    @cached_property
    def _split(self) -> dict[str, EventBuckets]:
        """The events of each kind of rows by bucket, the lake being read once."""
        lake, folder = self._lake, self._settings.paths.features
        buckets = bucket_count(sum(count_events(lake).values()))

        def split(view: str, column: str) -> EventBuckets:
            return self._stack.enter_context(EventBuckets(column, buckets, folder))

        found: dict[str, EventBuckets] = {}
        if self._views & set(_OF_USERS):
            found[columns.USER_ACTIVITY] = split(columns.USER_ACTIVITY, columns.USER_ID)
        if columns.ITEM_ENGAGEMENT in self._views:
            found[columns.ITEM_ENGAGEMENT] = split(columns.ITEM_ENGAGEMENT, columns.ITEM_ID)
        if columns.USER_SEARCHES in self._views:
            found[columns.USER_SEARCHES] = split(columns.USER_SEARCHES, columns.USER_ID)
        names: tuple[str, ...] = EVENT_COLUMNS_READ if len(found) > (columns.USER_SEARCHES in found) else ()
        names += SEARCH_COLUMNS_READ if columns.USER_SEARCHES in found else ()
        for part in parts_as_happened(lake, tuple(dict.fromkeys(names))):
            for view, held in found.items():
                held.add(_events_of(view, part))
        return found

    @cached_property
    def _lake(self) -> JoinedLake:
        paths = self._settings.paths
        lake = open_lake(paths)
        if not lake.days() and not is_catalog_alone(paths):
            raise DataError(f"{paths.lake} holds no events. Run `recsys data import` first.")
        return lake

    @cached_property
    def _categories(self) -> dict[str, int]:
        return category_by_item(load_items(self._settings.paths))

    @cached_property
    def _versions(self) -> pa.Table:
        """One row a version: a join at a past instant finds the price and the text of then."""
        return load_item_versions(self._settings.paths)

    def _text(self) -> pa.Table:
        from recsys.stores.encoders.shop_encoder import open_shop_encoder  # torch
        from recsys.stores.encoders.text_vectors import TextVectors

        versions = changes_of(self._versions, columns.TEXT)
        texts = [text or "" for text in versions[columns.TEXT].to_pylist()]
        if not any(text.strip() for text in texts):  # no encoder is needed where there is nothing to read
            return item_text(versions, np.zeros((len(texts), 0), np.float32), *self._known)
        encoder = open_shop_encoder(self._settings, texts)
        vectors = TextVectors(self._settings.paths.text_vectors).vectors(encoder, texts, self._progress)
        return item_text(versions, vectors, *self._known)

    @cached_property
    def _known(self) -> tuple[int, int]:
        """From when an item without an instant of its own is known: a day before the first event; and when
        its rows were made.
        """
        first = first_counted_at(self._lake)
        return (self._created_at if first is None else first) - DAY, self._created_at


def _events_of(view: str, events: pa.Table) -> pa.Table:
    """What the rows of a view are made of."""
    if view == columns.USER_SEARCHES:
        return events.select(SEARCH_COLUMNS_READ).filter(pa.array(is_search(events)))
    return (of_items if view == columns.ITEM_ENGAGEMENT else of_users)(events.select(EVENT_COLUMNS_READ))
