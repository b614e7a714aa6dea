"""Training sets by service name: what Feast itself returns for the whole service, only sooner."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys import columns
from recsys.config import Settings, load_settings
from recsys.errors import ConfigError, DataError, SchemaMismatchError
from recsys.stores.features.join_columns import KEY_FEATURES
from recsys.stores.features.offline import OfflineFeatures, open_feast
from tests.feature_repo.worlds import questions, write_world

pytestmark = pytest.mark.filterwarnings(
    "ignore:On demand feature view is an experimental feature:RuntimeWarning"
)


def test_a_training_set_equals_feasts_own_retrieval_of_the_whole_service(shop: Settings) -> None:
    write_world(shop.paths, seed=11)
    rows = questions(11, rows=200).reset_index(drop=True)
    ours = OfflineFeatures(shop).training_set(rows, columns.RANKING_SERVICE)
    store = open_feast(shop)
    entities = rows.rename(columns={columns.AT: columns.EVENT_TIMESTAMP})
    at = entities[columns.EVENT_TIMESTAMP]
    entities[columns.REQUEST_AT_SECONDS] = at.astype("datetime64[us, UTC]").astype("int64") // 1_000_000
    entities[columns.EVENT_TIMESTAMP] = at - pd.Timedelta("1us")
    service = store.get_feature_service(columns.RANKING_SERVICE)
    theirs = store.get_historical_features(entity_df=entities, features=service).to_arrow()
    for spec in OfflineFeatures(shop).schema(columns.RANKING_SERVICE).features:
        expected = theirs[spec.name].to_pylist()
        for got, right in zip(ours[spec.name], expected, strict=True):
            if isinstance(got, np.ndarray):
                assert got.tolist() == (right or [])
            elif right is None or right != right:
                assert got in (0, False) or np.isnan(got)
            elif spec.name in KEY_FEATURES or isinstance(right, bool):
                assert got == right
            else:
                assert got == float(right)


def test_order_index_duplicates_and_other_columns_stay(shop: Settings) -> None:
    rows = questions(12, rows=60)
    assert rows.index.has_duplicates
    got = OfflineFeatures(shop).training_set(rows, columns.RANKING_SERVICE)
    pd.testing.assert_frame_equal(got[rows.columns], rows)
    for _, same in got.groupby(got.index):
        assert same[columns.ITEM_KEY].nunique() == 1


def test_stable_keys_keep_every_bit_beside_rows_that_miss_them(shop: Settings) -> None:
    world = write_world(shop.paths, seed=13)
    content = world[columns.ITEM_CONTENT].to_pandas()
    item, last = content[columns.ITEM_ID][0], content[columns.EVENT_TIMESTAMP].max()
    rows = pd.DataFrame({columns.ITEM_ID: [item, "unknown"], columns.AT: last + pd.Timedelta("1s")})
    got = OfflineFeatures(shop).training_set(rows, columns.CATALOG_SERVICE)
    newest = content[content[columns.ITEM_ID] == item].sort_values(
        [columns.EVENT_TIMESTAMP, columns.CREATED_TIMESTAMP]
    )
    assert got[columns.ITEM_KEY].tolist() == [newest[columns.ITEM_KEY].iloc[-1], 0]
    assert got[columns.TITLE].tolist()[1] == ""


def test_a_service_of_users_does_not_ask_for_items(shop: Settings) -> None:
    rows = questions(14, rows=5)[[columns.USER_ID, columns.AT]]
    features = OfflineFeatures(shop)
    assert len(features.training_set(rows, columns.RETRIEVAL_SERVICE)) == 5
    with pytest.raises(SchemaMismatchError, match="ranking_v1 needs the column 'item_id'"):
        features.training_set(rows, columns.RANKING_SERVICE)


def test_an_instant_without_a_zone_and_a_missing_id_are_refused(shop: Settings) -> None:
    rows = questions(15, rows=5).reset_index(drop=True)
    features = OfflineFeatures(shop)
    naive = rows.assign(at=rows[columns.AT].dt.tz_localize(None))
    with pytest.raises(SchemaMismatchError, match="not an aware instant"):
        features.training_set(naive, columns.RETRIEVAL_SERVICE)
    rows.loc[3, columns.USER_ID] = None
    with pytest.raises(SchemaMismatchError, match="row 3 has no user_id"):
        features.training_set(rows, columns.RETRIEVAL_SERVICE)


def test_an_unknown_service_names_those_that_there_are(shop: Settings) -> None:
    with pytest.raises(DataError, match=r"catalog_v1, ranking_v1, retrieval_v1"):
        OfflineFeatures(shop).schema("ranking_v9")


def test_a_home_without_features_and_a_place_without_a_repository_say_so(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    empty = load_settings({"RECSYS_HOME": str(tmp_path)}, start=root)
    with pytest.raises(DataError, match="recsys features build"):
        OfflineFeatures(empty).schema(columns.RANKING_SERVICE)
    with pytest.raises(ConfigError, match="feature_repo"):
        OfflineFeatures(load_settings({}, start=tmp_path)).schema(columns.RANKING_SERVICE)


def test_a_copied_home_reads_its_own_rows_and_not_those_of_the_old_one(
    shop: Settings, tmp_path: Path
) -> None:
    copy = load_settings({"RECSYS_HOME": str(tmp_path)}, start=shop.root)
    copy.paths.feast_registry.write_bytes(shop.paths.feast_registry.read_bytes())
    store = open_feast(copy)
    view = store.get_feature_view(columns.USER_ACTIVITY)
    sources = [store.get_data_source("item_text_rows"), view.batch_source, view.stream_source.batch_source]
    rows = [copy.paths.feature_rows(name) for name in (columns.ITEM_TEXT, *[columns.USER_ACTIVITY] * 2)]
    assert [source.path for source in sources] == [str(path) for path in rows]
    assert OfflineFeatures(copy).schema_hash("ranking_v1") == OfflineFeatures(shop).schema_hash("ranking_v1")


def test_the_schema_hash_changes_with_the_features_and_only_with_them(shop: Settings) -> None:
    from dataclasses import replace

    schema = OfflineFeatures(shop).schema(columns.RANKING_SERVICE)
    assert schema.schema_hash == OfflineFeatures(shop).schema_hash(columns.RANKING_SERVICE)
    assert schema.schema_hash != replace(schema, features=schema.features[1:]).schema_hash
    retyped = replace(schema.features[0], dtype="Int64")
    assert schema.schema_hash != replace(schema, features=(retyped, *schema.features[1:])).schema_hash
