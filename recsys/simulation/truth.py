"""The truth behind simulated traffic, as Parquet files: what was shown with its chances, tastes, items.

`truth.parquet` has a row a shown item; beside it `truth-tastes.parquet` has a row a shopper and day, and
`truth-items.parquet` a row an item. The habits are in the metadata of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys import columns
from recsys.arrays import FloatArray, IntArray
from recsys.dataset.schemas import INSTANT
from recsys.errors import DataError
from recsys.simulation.habits import Habits
from recsys.simulation.page_events import PageRequests
from recsys.simulation.pages import Pages
from recsys.simulation.world import World

P_CLICK, ATTRACTION, EXAMINED, CLICKED = "p_click", "attraction", "examined", "clicked"
PREDICTED = "predicted_p_click"  # by the service that gave the page, null where none was
RELEVANCE = "relevance"  # of the item to what was meant by the query
PROPENSITY = "propensity"  # with which chance put the item at its position, null where it did not
DAY, VECTOR, PRICE_LEVEL, TOP_CATEGORIES = "day", "vector", "price_level", "top_categories"
_HABITS = b"simulated"

SHOWN_SCHEMA = pa.schema(
    [
        (columns.REQUEST_ID, pa.string()),
        (columns.USER_ID, pa.string()),
        (columns.ITEM_ID, pa.string()),
        (columns.POSITION, pa.int32()),
        (columns.AT, INSTANT),
        (DAY, pa.int32()),
        (P_CLICK, pa.float64()),
        (ATTRACTION, pa.float64()),
        (EXAMINED, pa.bool_()),
        (CLICKED, pa.bool_()),
        (PREDICTED, pa.float64()),
        # Of pages of search; null on others.
        (columns.QUERY_ID, pa.string()),
        (columns.QUERY, pa.string()),
        (RELEVANCE, pa.float64()),
        (PROPENSITY, pa.float64()),
    ]
)
TASTE_SCHEMA = pa.schema(
    [
        (columns.USER_ID, pa.string()),
        (DAY, pa.int32()),
        (VECTOR, pa.list_(pa.float32())),
        (PRICE_LEVEL, pa.float32()),
        (TOP_CATEGORIES, pa.list_(pa.string())),
    ]
)
_TOP = 3
_TABLES = 200  # written at a time


@dataclass(frozen=True)
class Truth:
    """What `read_truth` finds: the habits and the tables of `SHOWN_SCHEMA`, `TASTE_SCHEMA` and the items."""

    habits: Habits
    shown: pa.Table
    tastes: pa.Table
    items: pa.Table


class TruthWriter:
    """Writes the truth as it happens; a context manager."""

    def __init__(self, path: Path, world: World) -> None:
        self._world = world
        self._metadata = {_HABITS: world.habits.model_dump_json().encode()}
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(_item_table(world).replace_schema_metadata(self._metadata), _beside(path, "items"))
        self._shown = pq.ParquetWriter(path, SHOWN_SCHEMA.with_metadata(self._metadata))
        self._tastes = pq.ParquetWriter(_beside(path, "tastes"), TASTE_SCHEMA.with_metadata(self._metadata))
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> "TruthWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._shown.close()
        self._tastes.close()

    def day(self) -> None:
        """Writes every shopper's taste of today."""
        self._tastes.write_table(taste_table(self._world).replace_schema_metadata(self._metadata))

    def pages(
        self, pages: Pages, requests: PageRequests, predicted: Sequence[Sequence[float | None]] = ()
    ) -> None:
        """Writes what was shown on `pages`; `predicted`: (B, K) the service's probabilities."""
        self._waiting.append(shown_table(self._world, pages, requests, predicted))
        if len(self._waiting) >= _TABLES:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting)
            self._shown.write_table(table.replace_schema_metadata(self._metadata))
            self._waiting = []


def shown_table(
    world: World, pages: Pages, requests: PageRequests, predicted: Sequence[Sequence[float | None]] = ()
) -> pa.Table:
    """One row a shown item, as `SHOWN_SCHEMA` has it."""
    rows, places = np.nonzero(pages.items)
    found = pages.items[rows, places]
    values: list[Any] = [
        [requests.ids[row] for row in rows.tolist()],
        [world.user_id(shopper) for shopper in pages.shoppers[rows].tolist()],
        [world.space.ids[item] for item in found.tolist()],
        pages.above + places + 1,
        pa.array(pages.at[rows]).cast(INSTANT),
        np.full(len(rows), world.tastes.day),
        pages.p_click[rows, places],
        pages.attraction[rows, places],
        pages.examined[rows, places],
        pages.clicked[rows, places],
        [predicted[row][place] for row, place in zip(rows.tolist(), places.tolist(), strict=True)]
        if len(predicted)
        else pa.nulls(len(rows)),
        *_of_search(pages, requests, rows, places),
    ]
    arrays = [pa.array(each).cast(field.type) for each, field in zip(values, SHOWN_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SHOWN_SCHEMA)


def _of_search(pages: Pages, requests: PageRequests, rows: IntArray, places: IntArray) -> list[Any]:
    """The last four columns of `SHOWN_SCHEMA`, nulls where the pages are not of the shop's search."""
    if pages.relevance is None:
        return [pa.nulls(len(rows))] * 4
    found = [requests.results[row] for row in rows.tolist()]
    return [
        [each.query_id for each in found],
        [requests.queries[row] for row in rows.tolist()],
        pages.relevance[rows, places],
        [each.propensity for each in found],
    ]


def taste_table(world: World) -> pa.Table:
    """Today's taste of every shopper, as `TASTE_SCHEMA` has it."""
    tastes, names = world.tastes, world.space.categories
    count = len(tastes.vectors)
    return pa.table(
        {
            columns.USER_ID: [world.user_id(shopper) for shopper in range(count)],
            DAY: pa.array(np.full(count, tastes.day, np.int32)),
            VECTOR: _lists(tastes.vectors),
            PRICE_LEVEL: tastes.price_level,
            TOP_CATEGORIES: [[names[top] for top in row] for row in tastes.top_categories(_TOP).tolist()],
        },
        schema=TASTE_SCHEMA,
    )


def read_truth(path: Path) -> Truth:
    """The truth that was written to `path` and the files beside it.

    Raises:
        DataError: a file is missing, damaged, or none of a simulation.
    """
    try:
        shown, tastes, items = (
            pq.read_table(file) for file in (path, _beside(path, "tastes"), _beside(path, "items"))
        )
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} is not a truth file: {error}. Simulate with --truth.") from error
    habits = (shown.schema.metadata or {}).get(_HABITS)
    if habits is None:
        raise DataError(f"{path} does not say how it was simulated. Simulate with --truth.")
    return Truth(Habits.model_validate_json(habits), shown, tastes, items)


def _item_table(world: World) -> pa.Table:
    space = world.space
    return pa.table(
        {
            columns.ITEM_ID: space.ids[1:],
            columns.CATEGORY: [space.categories[code] for code in space.category_of[1:].tolist()],
            VECTOR: _lists(space.vectors[1:]),
            "appeal": space.appeal[1:],
            PRICE_LEVEL: space.price_level[1:],
            "exposure": space.exposure[1:],
        }
    )


def _lists(rows: FloatArray) -> pa.Array:
    offsets: Any = pa.array(np.arange(len(rows) + 1) * rows.shape[1], pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(rows.ravel()))


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.stem}-{what}.parquet")
