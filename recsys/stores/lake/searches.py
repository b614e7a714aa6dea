"""The searches of the event lake, each once, with what came of them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.dataset.clicked_items import ClickedItem, clicked_items
from recsys.dataset.feedback import CHOICES
from recsys.dataset.searches import SEARCH_COLUMNS, QueryCount, count_queries, searches_of
from recsys.home import HomePaths
from recsys.stores.lake.event_lake import open_lake


def read_searches(
    paths: HomePaths, since: datetime | None = None, until: datetime | None = None
) -> pd.DataFrame:
    """The searches from `since` to `until`, see `searches_of`.

    Raises:
        DataError: a file of the lake cannot be read.
    """
    return searches_of(_search_events(open_lake(paths).read(SEARCH_COLUMNS, since, until)))


@dataclass(frozen=True)
class QueryLog:
    """What all searches of a lake tell.

    Attributes:
        counts: of each query, most searched first. clicked: what was chosen for each, see `clicked_items`.
    """

    counts: tuple[QueryCount, ...]
    clicked: tuple[ClickedItem, ...]


def read_query_log(paths: HomePaths, corrected: Collection[str] = ()) -> QueryLog:
    """All queries of the lake with what became of them, by one reading.

    Args:
        corrected: as `clicked_items` takes them.

    Raises:
        DataError: a file of the lake cannot be read.
    """
    events = _search_events(open_lake(paths).read(SEARCH_COLUMNS))
    searches = searches_of(events)
    return QueryLog(count_queries(searches) if len(searches) else (), clicked_items(events, corrected))


def _search_events(events: pa.Table) -> pd.DataFrame:
    """The searches of `events` and the actions that name an answer."""
    search = pc.equal(events[columns.KIND], columns.SEARCH)
    action = pc.is_in(events[columns.KIND], value_set=pa.array(CHOICES))
    names = pc.or_(events[columns.QUERY_ID].is_valid(), events[columns.REQUEST_ID].is_valid())
    events = events.filter(pc.or_(search, pc.and_(action, names)))
    at = events.schema.get_field_index(columns.AT)
    events = events.set_column(at, columns.AT, events[columns.AT].cast(pa.int64()))
    found: pd.DataFrame = events.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return found.astype({columns.AT: "int64", columns.SEQUENCE: "int64"})
