"""Training sets through Feast and DuckDB against an independent as-of join: no value may differ."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from recsys import columns
from recsys.config import Settings
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.stores.features.join_columns import KEY_FEATURES
from recsys.stores.features.offline import OfflineFeatures, open_feast
from tests.feature_repo.worlds import TTL, questions, write_world

pytestmark = pytest.mark.filterwarnings(
    # Feast announces that on-demand views are experimental each time it sees one.
    "ignore:On demand feature view is an experimental feature:RuntimeWarning"
)

MICROSECOND = timedelta(microseconds=1)
NUMBER = "number"


def oracle(rows: pd.DataFrame, world: dict[str, Any], view: str, ttl: timedelta | None) -> pl.DataFrame:
    """The features of `view` for each of `rows`: last row strictly before `at`, late corrections first."""
    entity = VIEW_SCHEMAS[view].names[0]
    asked = pl.DataFrame(
        {
            entity: rows[entity].to_numpy().astype(str),
            "asked": pl.Series(rows[columns.AT].dt.tz_localize(None).to_numpy())
            .cast(pl.Datetime("us"))
            .dt.replace_time_zone("UTC"),
            NUMBER: np.arange(len(rows)),
        }
    )
    known = (
        pl.DataFrame(world[view])
        .sort(columns.EVENT_TIMESTAMP, columns.CREATED_TIMESTAMP)
        .unique([entity, columns.EVENT_TIMESTAMP], keep="last", maintain_order=True)
    )
    joined = asked.sort("asked").join_asof(
        known,
        left_on="asked",
        right_on=columns.EVENT_TIMESTAMP,
        by=entity,
        strategy="backward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    if ttl is not None:
        # Asked a microsecond before `at`, the row still counts at the very end of its time to live.
        alive = pl.col(columns.EVENT_TIMESTAMP) + ttl >= pl.col("asked") - MICROSECOND
        names = [name for name in joined.columns if name not in (entity, "asked", NUMBER)]
        joined = joined.with_columns(pl.when(alive).then(pl.col(name)).otherwise(None) for name in names)
    return joined.sort(NUMBER)


def missing_as(name: str, value: Any, expected: Any) -> Any:
    """What a training set shows where the oracle has `expected`."""
    if expected is not None:
        return expected
    if isinstance(value, np.ndarray):
        return []
    if isinstance(value, str):
        return ""
    if isinstance(value, bool | np.bool_):
        return False
    return 0 if name in KEY_FEATURES else None


def differences(got: pd.DataFrame, expected: pl.DataFrame, names: list[str]) -> list[tuple[Any, ...]]:
    found = []
    for name in names:
        for row, (value, right) in enumerate(zip(got[name], expected[name].to_list(), strict=True)):
            right = missing_as(name, value, right)
            shown = list(value) if isinstance(value, np.ndarray) else value
            if right is None:
                same = np.isnan(shown)
            else:
                same = shown == right or (isinstance(shown, float) and shown == float(right))
            if not same:
                found.append((name, row, shown, right))
    return found


def compare(
    shop: Settings, world: dict[str, Any], ttl: timedelta | None, seed: int, once: bool = False
) -> int:
    """Asserts equality for every view of every service; returns how many values were compared.

    Args:
        once: each user and each item is asked for once, which is joined in another way.
    """
    features, compared = OfflineFeatures(shop), 0
    rows = questions(seed, rows=400)
    if once:
        rows = rows.drop_duplicates(columns.USER_ID).drop_duplicates(columns.ITEM_ID).reset_index(drop=True)
    services = (columns.RANKING_SERVICE, columns.CATALOG_SERVICE, columns.RETRIEVAL_SERVICE)
    for service in (*services, columns.SEARCH_SERVICE, columns.ADS_SERVICE):
        got = features.training_set(rows, service)
        assert len(got) == len(rows)
        pd.testing.assert_frame_equal(got[rows.columns], rows)
        specs = [spec for spec in features.schema(service).features if spec.entity]
        for view in dict.fromkeys(spec.view for spec in specs):
            names = [spec.name for spec in specs if spec.view == view]
            assert differences(got, oracle(rows, world, view, ttl), names) == []
            compared += len(names) * len(rows)
    return compared


@pytest.mark.parametrize("seed", [1, 2])
def test_every_value_of_every_view_equals_an_independent_join(shop: Settings, seed: int) -> None:
    world = write_world(shop.paths, seed)
    assert compare(shop, world, None, seed) > 25_000


@contextmanager
def rows_that_live(shop: Settings, ttl: timedelta) -> Iterator[None]:
    """The shop with views whose rows count so long, inside the block."""
    store = open_feast(shop)
    views = [store.get_feature_view(view) for view in VIEW_SCHEMAS]
    lasting = views[0].ttl
    try:
        for view in views:
            view.ttl = ttl
        store.apply(views)
        yield
    finally:
        for view in views:
            view.ttl = lasting
        store.apply(views)


def test_a_row_counts_until_the_end_of_its_time_to_live_and_not_longer(shop: Settings) -> None:
    world = write_world(shop.paths, seed=3)
    with rows_that_live(shop, TTL):
        compare(shop, world, TTL, seed=3)


def test_where_each_entity_is_asked_for_once_values_equal_an_independent_join(shop: Settings) -> None:
    world = write_world(shop.paths, seed=5)
    assert sum(compare(shop, world, None, seed, once=True) for seed in range(5, 9)) > 1_000
    with rows_that_live(shop, TTL):
        assert sum(compare(shop, world, TTL, seed, once=True) for seed in range(5, 9)) > 1_000


def test_what_happens_at_the_labels_instant_is_not_seen(shop: Settings) -> None:
    content = write_world(shop.paths, seed=4)[columns.ITEM_CONTENT].to_pandas()
    content = content.sort_values([columns.ITEM_ID, columns.EVENT_TIMESTAMP, columns.CREATED_TIMESTAMP])
    item, at = content[[columns.ITEM_ID, columns.EVENT_TIMESTAMP]].iloc[0]
    rows = pd.DataFrame({columns.ITEM_ID: item, columns.AT: [at, at + pd.Timedelta("1us")]})
    got = OfflineFeatures(shop).training_set(rows, columns.CATALOG_SERVICE)
    first = content[(content[columns.ITEM_ID] == item) & (content[columns.EVENT_TIMESTAMP] == at)]
    assert got[columns.ITEM_KEY].tolist() == [0, first[columns.ITEM_KEY].iloc[-1]]
