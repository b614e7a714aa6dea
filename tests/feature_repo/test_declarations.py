"""What feature_repo declares is what recsys.features writes and what the models read."""

import pyarrow as pa
import pytest
from feast import FeatureView
from feast.types import from_feast_to_pyarrow_type

from recsys import columns
from recsys.config import Settings
from recsys.features.cross import ITEM_INPUTS, USER_INPUTS
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.stores.features.offline import OfflineFeatures, open_feast

pytestmark = pytest.mark.filterwarnings(
    "ignore:On demand feature view is an experimental feature:RuntimeWarning"
)


@pytest.fixture(scope="module")
def views(shop: Settings) -> dict[str, FeatureView]:
    return {view.name: view for view in open_feast(shop).list_feature_views()}


def test_every_view_that_is_written_is_declared(views: dict[str, FeatureView]) -> None:
    assert set(views) == set(VIEW_SCHEMAS)


@pytest.mark.parametrize("name", list(VIEW_SCHEMAS))
def test_features_and_types_are_those_of_the_rows(views: dict[str, FeatureView], name: str) -> None:
    schema = VIEW_SCHEMAS[name]
    declared = {field.name: from_feast_to_pyarrow_type(field.dtype) for field in views[name].features}
    assert [column.name for column in views[name].entity_columns] == schema.names[:1]
    assert list(declared) == schema.names[1:-2]
    for field in list(schema)[1:-2]:
        kind = declared[field.name]
        if pa.types.is_list(field.type):
            assert pa.types.is_list(kind)
            assert kind.value_type == field.type.value_type
        else:
            assert kind == field.type


def test_a_person_who_browses_finds_every_view_and_feature_described(
    shop: Settings, views: dict[str, FeatureView]
) -> None:
    store = open_feast(shop)
    for thing in (*views.values(), *store.list_feature_services(), *store.list_on_demand_feature_views()):
        assert thing.description
        assert thing.owner
        assert thing.tags["stage"]
    assert [field.name for view in views.values() for field in view.features if not field.description] == []
    cross = store.get_on_demand_feature_view(columns.USER_ITEM_CROSS)
    assert all(cross.tags[field.name] for field in cross.features)


def test_the_ranking_service_holds_what_the_ranker_and_the_cross_features_read(shop: Settings) -> None:
    names = {feature.name for feature in OfflineFeatures(shop).schema(columns.RANKING_SERVICE).features}
    assert {*columns.RANKING_FEATURES} - {columns.RETRIEVAL_SCORE} <= names
    assert {*USER_INPUTS, *ITEM_INPUTS} <= names


def test_the_service_of_ads_holds_every_number_of_the_click_model(shop: Settings) -> None:
    names = {feature.name for feature in OfflineFeatures(shop).schema(columns.ADS_SERVICE).features}
    assert {*columns.CLICK_NUMBERS} - {columns.ITEM_AGE} <= names
    assert {*USER_INPUTS, *ITEM_INPUTS, columns.HISTORY_KINDS, columns.FIRST_AT} <= names


def test_a_search_reads_what_the_user_searched_for_and_no_model_does(shop: Settings) -> None:
    views = {
        service: {feature.view for feature in OfflineFeatures(shop).schema(service).features}
        for service in (
            columns.RETRIEVAL_SERVICE,
            columns.CATALOG_SERVICE,
            columns.RANKING_SERVICE,
            columns.SEARCH_SERVICE,
            columns.ADS_SERVICE,
        )
    }
    assert [service for service in views if columns.USER_SEARCHES in views[service]] == ["search_v1"]


def test_no_two_views_of_a_service_share_a_feature_name(shop: Settings) -> None:
    services = (columns.RANKING_SERVICE, columns.CATALOG_SERVICE, columns.RETRIEVAL_SERVICE)
    for service in (*services, columns.SEARCH_SERVICE, columns.ADS_SERVICE):
        names = [feature.name for feature in OfflineFeatures(shop).schema(service).features]
        assert len(names) == len(set(names))


def test_cross_features_belong_to_no_entity(shop: Settings) -> None:
    features = OfflineFeatures(shop).schema(columns.RANKING_SERVICE).features
    assert {feature.entity for feature in features} == {columns.USER_ID, columns.ITEM_ID, ""}
    assert {feature.name for feature in features if not feature.entity} == set(columns.CROSS_FEATURES)


def test_what_streams_has_a_push_source(shop: Settings) -> None:
    names = {source.name for source in open_feast(shop).list_data_sources()}
    assert {"user_activity_push", "user_history_push", "user_searches_push", "item_engagement_push"} <= names
