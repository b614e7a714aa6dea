"""One suite for Feast's own Redis store and for ours: the same writes are read back as the same values."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from feast import Entity, FeatureView, Field, FileSource, PushSource, ValueType, types
from feast.data_source import PushMode
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from recsys.instants import DAY, to_micros, utc_now
from recsys.stores.redis.clock import read_clock_faults

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STORES = ("feast", "packed", "packed and dual")
OURS = ("packed", "packed and dual")
ENGINES = ("local", "recsys.stores.packed.engine.PackedComputeEngine")

SCALARS = {
    "int32": 2**31 - 1,
    "int64": -(2**53) - 1,
    "float32": 0.1,
    "float64": 1e-300,
    "text": "tê卵🥚 'x'",
    "flag": True,
    "instant": datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
    "raw": b"\x00\xff\x01",
}
LISTS = {f"{name}_list": [value, value] for name, value in SCALARS.items()}
EMPTY = {f"{name}_list": [] for name in SCALARS}
NULLS: dict[str, Any] = dict.fromkeys([*SCALARS, *LISTS])


def row(item_id: str, at: datetime = NOON, created: datetime = NOON, **values: Any) -> dict[str, Any]:
    stamps = {"event_timestamp": at, "created_timestamp": created}
    return {"item_id": item_id, **stamps, **SCALARS, **LISTS, **values}


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows))
    for name in ("event_timestamp", "created_timestamp"):
        table[name] = pd.to_datetime(table[name], utc=True).astype("datetime64[us, UTC]")
    return table


def read(store: Any, *item_ids: str, service: str = "everything_v1") -> dict[str, list[Any]]:
    entities = [{"item_id": item_id} for item_id in item_ids]
    answer: dict[str, list[Any]] = store.get_online_features(
        features=store.get_feature_service(service), entity_rows=entities
    ).to_dict()
    return answer


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, make_repository: Callable[..., Any], everything: Any) -> Any:
    """A Feast store with the view `everything` applied."""
    repository = make_repository(request.param)
    opened = repository.open()
    opened.apply(everything(repository.path))
    return opened


@pytest.fixture(params=OURS)
def ours(request: pytest.FixtureRequest, make_repository: Callable[..., Any], everything: Any) -> Any:
    repository = make_repository(request.param)
    opened = repository.open()
    opened.apply(everything(repository.path))
    return opened


def test_every_type_is_read_back_as_it_was_written(store: Any) -> None:
    store.write_to_online_store("everything", df=frame(row("a")))
    answer = read(store, "a")
    assert answer["int32"] == [2147483647]
    assert answer["int64"] == [-9007199254740993]
    assert answer["float32"] == [float(np.float32(0.1))]
    assert answer["float64"] == [1e-300]
    assert answer["text"] == ["tê卵🥚 'x'"]
    assert answer["flag"] == [True]
    assert answer["instant"] == [SCALARS["instant"]]
    assert answer["raw"] == [b"\x00\xff\x01"]
    assert answer["float32_list"] == [[float(np.float32(0.1))] * 2]
    for name in ("int32", "int64", "float64", "text", "flag", "instant", "raw"):
        assert answer[f"{name}_list"] == [[SCALARS[name]] * 2], name


def test_an_empty_array_is_not_null(store: Any) -> None:
    store.write_to_online_store("everything", df=frame(row("a"), row("b", **EMPTY)))
    answer = read(store, "b")
    assert {name: answer[name] for name in EMPTY} == {name: [[]] for name in EMPTY}


def test_unknown_entities_are_none_and_keep_their_place(store: Any) -> None:
    store.write_to_online_store("everything", df=frame(row("a", int64=1), row("c", int64=3)))
    assert read(store, "a", "b", "c", "a")["int64"] == [1, None, 3, 1]
    assert read(store, "b")["text"] == [None]


def test_a_newer_row_replaces_an_older_one_and_not_the_other_way_round(store: Any) -> None:
    hour = timedelta(hours=1)
    for at, value in ((NOON, 1), (NOON + hour, 2), (NOON - hour, 3)):
        store.write_to_online_store("everything", df=frame(row("a", at=at, int64=value)))
    assert read(store, "a")["int64"] == [2]


def test_of_one_batch_the_newest_row_stays(store: Any) -> None:
    hour = timedelta(hours=1)
    rows = [row("a", at=NOON + shift * hour, int64=shift) for shift in (0, 2, 1)]
    store.write_to_online_store("everything", df=frame(*rows))
    assert read(store, "a")["int64"] == [2]


def test_redelivery_changes_nothing(store: Any) -> None:
    for _ in range(2):
        store.write_to_online_store("everything", df=frame(row("a", int64=7)))
    assert read(store, "a")["int64"] == [7]


def test_unicode_spaces_and_braces_in_ids(store: Any) -> None:
    ids = ["käse 1", "{x}", "}", "a:b*?[c]\\", "雞蛋", "x" * 300]
    store.write_to_online_store(
        "everything", df=frame(*(row(each, int64=place) for place, each in enumerate(ids)))
    )
    assert read(store, *ids)["int64"] == list(range(len(ids)))


def test_push_and_its_async_form_write_online(store: Any) -> None:
    store.push("everything_push", frame(row("a", int64=1)), to=PushMode.ONLINE)

    async def push_and_read() -> list[Any]:
        later = frame(row("a", at=NOON + timedelta(seconds=1), int64=2))
        await store.push_async("everything_push", later, to=PushMode.ONLINE)
        answer = await store.get_online_features_async(
            features=["everything:int64", "everything:text"], entity_rows=[{"item_id": "a"}, {"item_id": "?"}]
        )
        await store._provider.online_store._client_async.aclose()
        return list(answer.to_dict()["int64"])

    assert asyncio.run(push_and_read()) == [2, None]


@pytest.mark.parametrize("store", ["packed"], indirect=True)
def test_rows_from_the_future_are_counted_whichever_way_they_come(store: Any) -> None:
    online = store._provider.online_store

    def ahead() -> int:
        return read_clock_faults(online._connected(store.config)).rows_ahead

    async def push() -> None:
        await store.push_async("everything_push", rows, to=PushMode.ONLINE)
        await online._client_async.aclose()

    rows = frame(row("a", at=utc_now() + timedelta(days=1)))
    before = ahead()
    store.push("everything_push", rows, to=PushMode.ONLINE)
    assert ahead() == before + 1
    asyncio.run(push())
    assert ahead() == before + 2


def test_nulls_of_every_type_are_read_back_as_none(store: Any) -> None:
    key = EntityKey(join_keys=["item_id"], entity_values=[Value(string_val="a")])
    view = store.get_feature_view("everything")
    values = {name: Value() for name in NULLS}
    store._provider.online_write_batch(store.config, view, [(key, values, NOON, None)], None)
    assert {name: read(store, "a")[name] for name in NULLS} == {name: [None] for name in NULLS}


def test_a_view_of_two_entities(store: Any) -> None:
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
    source = FileSource(name="pair_source", path="pairs.parquet", timestamp_field="event_timestamp")
    schema = [
        Field(name="user_id", dtype=types.Int64),
        Field(name="item_id", dtype=types.String),
        Field(name="views", dtype=types.Int64),
    ]
    view = FeatureView(
        name="pairs",
        entities=[user, item],
        schema=schema,
        source=PushSource(name="pairs_push", batch_source=source),
    )
    store.apply([user, item, view])
    rows = [{"user_id": 1, "item_id": "23", "views": 5}, {"user_id": 12, "item_id": "3", "views": 6}]
    store.write_to_online_store("pairs", df=pd.DataFrame(rows).assign(event_timestamp=NOON))
    asked = [{"user_id": 12, "item_id": "3"}, {"user_id": 1, "item_id": "23"}, {"user_id": 1, "item_id": "3"}]
    answer = store.get_online_features(features=["pairs:views"], entity_rows=asked).to_dict()
    assert answer["views"] == [6, 5, None]


def test_two_views_and_full_names(store: Any, everything: Any) -> None:
    store.apply(everything(store.repo_path, "other"))
    store.write_to_online_store("everything", df=frame(row("a", int64=1)))
    store.write_to_online_store("other", df=frame(row("b", int64=2)))
    answer = store.get_online_features(
        features=["everything:int64", "other:int64"],
        entity_rows=[{"item_id": "a"}, {"item_id": "b"}],
        full_feature_names=True,
    ).to_dict()
    assert answer["everything__int64"] == [1, None]
    assert answer["other__int64"] == [None, 2]


def test_rows_of_a_deleted_view_are_gone(store: Any, everything: Any, redis_client: Any) -> None:
    store.apply(everything(store.repo_path, "other"))
    for view in ("everything", "other"):
        store.write_to_online_store(view, df=frame(row("a", int64=1), row("b", int64=2)))
    doomed = store.get_feature_view("everything")
    store.apply(everything(store.repo_path, "other"), objects_to_delete=[doomed], partial=False)
    assert read(store, "a", service="other_v1")["int64"] == [1]
    assert not list(redis_client.scan_iter("shop:everything:*"))
    store.teardown()
    assert redis_client.dbsize() == 0


# Feast reads DuckDB's results through ibis, which calls a method that DuckDB has renamed.
@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", STORES)
def test_materialize_writes_what_the_offline_store_holds(
    kind: str, engine: str, make_repository: Callable[..., Any], everything: Any
) -> None:
    repository = make_repository(kind, engine)
    store = repository.open()
    store.apply(everything(repository.path))
    hour = timedelta(hours=1)
    rows = [
        row("a", at=NOON - 2 * hour, int64=1),
        row("a", at=NOON - hour, created=NOON, int64=3),
        row("a", at=NOON - hour, created=NOON - hour, int64=2),
        row("b", at=NOON - hour, int64=None, text=None, float32=None, float64_list=None),
        row("c", at=NOON + hour, int64=5),
    ]
    table = frame(*rows)
    table["int64"] = table["int64"].astype("Int64")
    table["instant"] = table["instant"].astype("datetime64[us, UTC]")
    table["int32"] = table["int32"].astype("int32")
    table["float32"] = table["float32"].astype("float32")
    table.to_parquet(repository.path / "everything.parquet", index=False)
    store.materialize(NOON - timedelta(days=1), NOON)
    answer = read(store, "a", "b", "c")
    assert answer["int64"] == [3, None, None]
    assert answer["text"] == [SCALARS["text"], None, None]
    assert answer["float32"] == [float(np.float32(0.1)), None, None]
    assert answer["instant"] == [SCALARS["instant"], SCALARS["instant"], None]
    assert answer["float64_list"] == [[1e-300] * 2, None, None]
    for name in ("int32", "text", "flag", "instant", "raw"):
        assert answer[f"{name}_list"] == [[SCALARS[name]] * 2, [SCALARS[name]] * 2, None], name
    store.materialize_incremental(NOON + 2 * hour)
    assert read(store, "c")["int64"] == [5]


# -- where ours differs on purpose ----------------------------------------------------------------


def test_a_correction_with_the_same_event_timestamp_lands(ours: Any) -> None:
    second = timedelta(seconds=1)
    for created, value in ((NOON, 1), (NOON + second, 2), (NOON - second, 3)):
        ours.write_to_online_store("everything", df=frame(row("a", created=created, int64=value)))
    assert read(ours, "a")["int64"] == [2]


def test_a_row_older_than_its_ttl_is_missing(make_repository: Callable[..., Any], everything: Any) -> None:
    repository = make_repository("packed")
    store = repository.open()
    store.apply(everything(repository.path, ttl=timedelta(days=1)))
    store.write_to_online_store("everything", df=frame(row("a", int64=1)))
    online = store._provider.online_store
    written = to_micros(NOON)
    answers = []
    for now in (written + DAY, written + DAY + 1):
        online.now = lambda now=now: now
        answers.append(read(store, "a")["int64"])
    assert answers == [[1], [None]]  # as in the offline join the end of the TTL is inside


def test_an_unknown_entity_is_not_found_rather_than_present(ours: Any) -> None:
    answer = ours.get_online_features(features=["everything:int64"], entity_rows=[{"item_id": "nobody"}])
    statuses = [status for vector in answer.proto.results[1:] for status in vector.statuses]
    assert statuses == [FieldStatus.NOT_FOUND]  # PRESENT from Feast's own Redis store


def test_a_changed_view_never_reads_old_bytes_and_lets_them_go(
    make_repository: Callable[..., Any], redis_client: Any
) -> None:
    store = make_repository("packed").open()
    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
    source = FileSource(name="s", path="s.parquet", timestamp_field="event_timestamp")

    def view(dtype: Any) -> FeatureView:
        schema = [Field(name="item_id", dtype=types.String), Field(name="x", dtype=dtype)]
        return FeatureView(
            name="v", entities=[item], schema=schema, source=PushSource(name="p", batch_source=source)
        )

    store.apply([item, view(types.Int64)])
    rows = pd.DataFrame([{"item_id": "a", "x": 1, "event_timestamp": NOON}])
    store.write_to_online_store("v", df=rows)
    store.apply([item, view(types.Float64)])
    fresh = store.get_online_features(features=["v:x"], entity_rows=[{"item_id": "a"}]).to_dict()
    assert fresh["x"] == [None]
    old = next(redis_client.scan_iter("shop:v:*{a}"))
    assert redis_client.ttl(old) == -1  # a service with the old schema still reads it
    store.write_to_online_store("v", df=rows)
    assert 0 < redis_client.ttl(old) <= 86_400
    new = {*redis_client.scan_iter("shop:v:*{a}")} - {old}
    assert [redis_client.ttl(key) for key in new] == [-1]


def test_pack_only_writes_one_key_an_entity_and_dual_one_more(
    make_repository: Callable[..., Any], everything: Any, redis_client: Any
) -> None:
    counts = []
    for kind in OURS:
        redis_client.flushall()
        repository = make_repository(kind)
        store = repository.open()
        store.apply(everything(repository.path))
        store.write_to_online_store("everything", df=frame(row("a"), row("b")))
        counts.append(redis_client.dbsize())
    assert counts == [2 + 1, 4 + 1]  # and the name of the schema


def test_dual_mode_is_readable_by_feasts_own_store(
    make_repository: Callable[..., Any], everything: Any
) -> None:
    dual, plain = make_repository("packed and dual"), make_repository("feast")
    stores = []
    for repository in (dual, plain):
        store = repository.open()
        store.apply(everything(repository.path))
        stores.append(store)
    stores[0].write_to_online_store("everything", df=frame(row("a")))
    assert read(stores[1], "a") == read(stores[0], "a")


def test_delete_rows_of_some_entities(ours: Any) -> None:
    ours.write_to_online_store("everything", df=frame(row("a", int64=1), row("b", int64=2)))
    keys = [EntityKey(join_keys=["item_id"], entity_values=[Value(string_val=each)]) for each in "ax"]
    view = ours.get_feature_view("everything")
    assert ours._provider.online_store.delete_rows(ours.config, view, keys) == 1
    assert read(ours, "a", "b")["int64"] == [None, 2]
