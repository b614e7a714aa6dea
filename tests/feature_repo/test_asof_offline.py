"""The as-of joins against Feast's own DuckDB store: the same rows, for history and for materialization."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import ibis
import pandas as pd
import pytest
from feast import FeatureService, FeatureStore

from recsys import columns
from recsys.config import Settings
from recsys.errors import DataError, SchemaMismatchError
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.stores.features.build import add_rows, write_rows
from recsys.stores.features.offline import open_feast
from tests.feature_repo.worlds import START, TTL, questions, write_world

pytestmark = [
    pytest.mark.filterwarnings("ignore:On demand feature view is an experimental feature:RuntimeWarning"),
    # What Feast's own DuckDB store calls warns; it is only the peer here.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ibis"),
    pytest.mark.filterwarnings("ignore:.*fetch_arrow.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result:UserWarning"),
]

REFS = [
    "user_activity:view_count_7d",
    "user_activity:top_category_keys",
    "item_engagement:item_click_rate_30d",
    "item_content:item_key",
    "item_content:title",
    "item_content:available",
]


@pytest.fixture(scope="module", autouse=True)
def ibis_closed() -> Iterator[None]:
    """The peer leaves a connection open, of which DuckDB complains when the interpreter ends."""
    yield
    ibis.get_backend().disconnect()
    ibis.options.default_backend = None


def own_duckdb(settings: Settings) -> FeatureStore:
    """The same repository on Feast's own DuckDB store."""
    store = open_feast(settings)
    store.config.offline_config = {"type": "duckdb"}
    store.config._offline_store = None
    return FeatureStore(config=store.config)


def asked(seed: int) -> pd.DataFrame:
    rows = questions(seed, rows=300).rename(columns={columns.AT: columns.EVENT_TIMESTAMP})
    rows["number"] = range(len(rows))
    return rows.reset_index(drop=True)


def history(store: FeatureStore, rows: pd.DataFrame, **options: Any) -> pd.DataFrame:
    table = store.get_historical_features(entity_df=rows.copy(), features=REFS, **options).to_arrow()
    return pd.DataFrame(table.to_pylist()).sort_values("number").reset_index(drop=True)


@pytest.mark.parametrize("full_names", [False, True])
def test_history_equals_that_of_feasts_own_store(shop: Settings, full_names: bool) -> None:
    write_world(shop.paths, seed=5)
    rows = asked(5)
    ours = history(open_feast(shop), rows, full_feature_names=full_names)
    theirs = history(own_duckdb(shop), rows, full_feature_names=full_names)
    assert sorted(ours.columns) == sorted(theirs.columns)
    pd.testing.assert_frame_equal(ours, theirs[ours.columns])


def test_rows_come_back_in_the_order_in_which_they_were_asked(shop: Settings) -> None:
    table = open_feast(shop).get_historical_features(entity_df=asked(6), features=REFS).to_arrow()
    assert table["number"].to_pylist() == list(range(300))


def test_an_entity_by_another_name_is_joined_by_that_name(shop: Settings) -> None:
    world = write_world(shop.paths, seed=7)
    first = world[columns.ITEM_CONTENT].to_pylist()[0]
    store = open_feast(shop)
    view = store.get_feature_view(columns.ITEM_CONTENT)
    seen = view.with_name("seen_content").with_join_key_map({columns.ITEM_ID: "seen_id"})
    store.apply([FeatureService(name="seen_v1", features=[seen])])
    at = first[columns.EVENT_TIMESTAMP] + timedelta(days=400)
    rows = pd.DataFrame({"seen_id": [first[columns.ITEM_ID]], columns.EVENT_TIMESTAMP: [at]})
    try:
        service = store.get_feature_service("seen_v1")
        table = store.get_historical_features(entity_df=rows, features=service).to_arrow()
    finally:
        store.delete_feature_service("seen_v1")
    assert table[columns.ITEM_KEY].null_count == 0


@pytest.mark.parametrize("view", list(VIEW_SCHEMAS))
def test_what_is_materialized_equals_what_feasts_own_store_would_take(shop: Settings, view: str) -> None:
    write_world(shop.paths, seed=8)
    names = VIEW_SCHEMAS[view].names
    results = []
    for store in (open_feast(shop), own_duckdb(shop)):
        provider = store._get_provider()
        job = provider.offline_store.pull_latest_from_table_or_query(
            config=store.config,
            data_source=store.get_feature_view(view).batch_source,
            join_key_columns=names[:1],
            feature_name_columns=names[1:-2],
            timestamp_field=columns.EVENT_TIMESTAMP,
            created_timestamp_column=columns.CREATED_TIMESTAMP,
            start_date=START + timedelta(hours=20),
            end_date=START + TTL * 3,
        )
        rows = job.to_arrow().select(names).to_pylist()
        results.append(sorted(rows, key=lambda row: row[names[0]]))
    assert results[0]
    assert results[0] == results[1]


def test_rows_that_a_build_added_count_with_those_beside_them(shop: Settings) -> None:
    world, rows = write_world(shop.paths, seed=12), asked(12)
    names = VIEW_SCHEMAS[columns.ITEM_ENGAGEMENT].names

    def pulled(method: str) -> list[dict[str, Any]]:
        store = open_feast(shop)
        job = getattr(store._get_provider().offline_store, method)(
            config=store.config,
            data_source=store.get_feature_view(columns.ITEM_ENGAGEMENT).batch_source,
            join_key_columns=names[:1],
            feature_name_columns=names[1:-2],
            timestamp_field=columns.EVENT_TIMESTAMP,
            created_timestamp_column=columns.CREATED_TIMESTAMP,
            start_date=START,
            end_date=START + TTL * 3,
        )
        return sorted(
            job.to_arrow().select(names).to_pylist(), key=lambda row: [str(row[name]) for name in names]
        )

    latest = "pull_latest_from_table_or_query"
    whole = history(open_feast(shop), rows), pulled(latest)
    for view, table in world.items():
        if view != columns.USER_HISTORY:
            write_rows(shop.paths, view, table.slice(0, 150))
            assert add_rows(shop.paths, view, [table.slice(150)]) == 150
    pd.testing.assert_frame_equal(history(open_feast(shop), rows), whole[0])
    assert pulled(latest) == whole[1]
    # Feast's own reading of all rows has each entity and instant once: the later created.
    newest: dict[Any, Any] = {}
    for row in sorted(world[columns.ITEM_ENGAGEMENT].to_pylist(), key=lambda row: row[names[-1]]):
        if START <= row[columns.EVENT_TIMESTAMP] <= START + TTL * 3:
            newest[row[names[0]], row[columns.EVENT_TIMESTAMP]] = row
    found = pulled("pull_all_from_table_or_query")
    assert {(row[names[0]], row[columns.EVENT_TIMESTAMP]): row for row in found} == newest
    assert len(found) == len(newest)


def test_missing_rows_name_the_command_that_builds_them(shop: Settings) -> None:
    write_world(shop.paths, seed=9)
    file = shop.paths.feature_rows(columns.ITEM_CONTENT)
    aside = file.rename(file.with_suffix(".aside"))
    try:
        with pytest.raises(DataError, match="recsys features build"):
            open_feast(shop).get_historical_features(entity_df=asked(9), features=REFS)
    finally:
        aside.rename(file)


def test_rows_of_an_older_repository_name_the_column_that_lacks(shop: Settings) -> None:
    world = write_world(shop.paths, seed=9)
    write_rows(shop.paths, columns.ITEM_CONTENT, world[columns.ITEM_CONTENT].drop_columns([columns.TITLE]))
    with pytest.raises(SchemaMismatchError, match="title"):
        open_feast(shop).get_historical_features(entity_df=asked(9), features=REFS)
