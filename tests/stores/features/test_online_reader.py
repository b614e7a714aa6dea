"""The feature reader: a user and K items as numpy columns, masks for what is missing, errors in time."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType, types
from feast.on_demand_feature_view import on_demand_feature_view

from recsys.config import Settings, load_settings
from recsys.errors import ConfigError, StoreUnavailableError
from recsys.instants import DAY, to_micros
from recsys.stores.features.online_reader import FeatureReader, PackedColumns
from recsys.stores.redis import server as redis_server
from recsys.stores.redis.shop_claim import connect

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_US = to_micros(NOON)
PACKED = "recsys.stores.packed.online.PackedRedisOnlineStore"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A root with a feature repository and an embedded server; nothing but RECSYS_HOME says where it is."""
    root = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("RECSYS_") or name == "REDIS_URL":
                patch.delenv(name)
        patch.setenv("RECSYS_SERVING__FEATURE_TIMEOUT_SECONDS", "30.0")
        write_repository(root, PACKED)
        settings = load_settings(start=root)
        redis_server.start_server(settings)
        yield settings
        redis_server.stop_server(settings)


def write_repository(root: Path, online: str) -> None:
    repository = root / "feature_repo"
    repository.mkdir(parents=True)
    (repository / "feature_store.yaml").write_text(
        f"project: shop\nprovider: local\nregistry: registry.db\noffline_store:\n  type: duckdb\n"
        f"online_store:\n  type: {online}\nentity_key_serialization_version: 3\n"
    )
    apply(FeatureStore(repo_path=str(repository)))


def view_of(key: str, name: str, ttl: timedelta, **features: Any) -> tuple[Entity, FeatureView]:
    entity = Entity(name=key.removesuffix("_id"), join_keys=[key], value_type=ValueType.STRING)
    source = FileSource(name=f"{name}_source", path=f"{name}.parquet", timestamp_field="event_timestamp")
    schema = [Field(name=key, dtype=types.String)]
    schema += [Field(name=feature, dtype=dtype) for feature, dtype in features.items()]
    return entity, FeatureView(name=name, entities=[entity], schema=schema, source=source, ttl=ttl)


def apply(store: FeatureStore) -> None:
    never, month = timedelta(0), timedelta(days=30)
    user, history = view_of("user_id", "history", never, items=types.Array(types.Int64), last_at=types.Int64)
    _, spending = view_of("user_id", "spending", month, average_price=types.Float32)
    item, engagement = view_of("item_id", "engagement", month, clicks=types.Int64, rate=types.Float32)
    _, content = view_of(
        "item_id", "content", never, title=types.String, price=types.Int64, vector=types.Array(types.Float32)
    )

    @on_demand_feature_view(sources=[spending, content], schema=[Field(name="ratio", dtype=types.Float64)])
    def cross(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"ratio": inputs["price"] / inputs["average_price"]})

    pair = FeatureView(
        name="pair",
        entities=[user, item],
        schema=[Field(name=name, dtype=types.String) for name in ("user_id", "item_id")]
        + [Field(name="views", dtype=types.Int64)],
        source=FileSource(name="pair_source", path="pair.parquet", timestamp_field="event_timestamp"),
    )
    _, twin = view_of("item_id", "twin", never, price=types.Int64)
    services = [
        FeatureService(name="ranking_v1", features=[history, spending, engagement, content, cross]),
        FeatureService(name="narrow_v1", features=[engagement[["clicks"]]]),
        FeatureService(name="pair_v1", features=[pair]),
        FeatureService(name="twins_v1", features=[content[["price"]], twin]),
    ]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "On demand feature view is an experimental feature", RuntimeWarning)
        store.apply([user, item, history, spending, engagement, content, twin, pair, cross, *services])


@pytest.fixture
def write(shop: Settings) -> Callable[..., None]:
    """Writes rows of one view to an empty server (the first call of a test empties it)."""
    with connect(shop) as client:
        client.flushall()

    def write(view: str, *rows: dict[str, Any], at: datetime = NOON) -> None:
        store = FeatureStore(repo_path=str(shop.feature_repo))
        store.write_to_online_store(view, df=pd.DataFrame(list(rows)).assign(event_timestamp=at))

    return write


def vector(*values: float) -> list[float]:
    return [float(np.float32(value)) for value in values]


def test_user_and_items_come_as_columns_in_the_order_asked(
    shop: Settings, write: Callable[..., None]
) -> None:
    write("history", {"user_id": "u", "items": [3, 1], "last_at": 9})
    write("spending", {"user_id": "u", "average_price": 2.5})
    write(
        "engagement", {"item_id": "a", "clicks": 4, "rate": 0.5}, {"item_id": "b", "clicks": 6, "rate": 0.25}
    )
    write(
        "content",
        {"item_id": "a", "title": "Äpfel", "price": 100, "vector": vector(1, 2)},
        {"item_id": "b", "title": "", "price": 200, "vector": vector(3, 4)},
    )
    user, items = FeatureReader.open(shop, "ranking_v1").read("u", ["b", "a", "b"], now_us=NOON_US)
    assert user.columns["items"][0].tolist() == [3, 1]
    assert user.columns["last_at"].tolist() == [9]
    assert user.columns["average_price"].tolist() == [2.5]
    assert items.columns["clicks"].tolist() == [6, 4, 6]
    assert items.columns["title"].tolist() == ["", "Äpfel", ""]
    assert items.matrix(["price", "rate"]).tolist() == [[200, 0.25], [100, 0.5], [200, 0.25]]
    assert [row.tolist() for row in items.columns["vector"]] == [[3, 4], [1, 2], [3, 4]]
    assert isinstance(items.columns, PackedColumns)
    assert items.columns.vectors("vector", 2).tolist() == [[3, 4], [1, 2], [3, 4]]
    assert items.views["price"] == "content"
    assert items.event_at["content"].tolist() == [NOON_US] * 3
    assert "ratio" not in items.columns  # on demand: the caller computes it


def test_read_user_and_read_items_give_what_read_gives(shop: Settings, write: Callable[..., None]) -> None:
    write("spending", {"user_id": "u", "average_price": 2.5})
    write("engagement", {"item_id": "a", "clicks": 4, "rate": 0.5})
    reader = FeatureReader.open(shop, "ranking_v1")
    user, items = reader.read("u", ["a"], now_us=NOON_US)
    alone = reader.read_user("u", now_us=NOON_US), reader.read_items(["a"], now_us=NOON_US)
    assert alone[0].columns["average_price"] == user.columns["average_price"]
    assert alone[1].matrix(["clicks"]).tolist() == items.matrix(["clicks"]).tolist() == [[4.0]]


def test_the_users_of_another_service_are_read_along_and_its_items_are_not(
    shop: Settings, write: Callable[..., None]
) -> None:
    write("spending", {"user_id": "u", "average_price": 2.5})
    reader = FeatureReader.open(shop, "narrow_v1", "ranking_v1")
    assert reader.service == "narrow_v1"
    assert list(reader.read_user("u", now_us=NOON_US).missing) == ["history", "spending"]
    assert list(reader.read_items(["a"], now_us=NOON_US).columns) == ["clicks"]
    same = FeatureReader.open(shop, "ranking_v1", "ranking_v1")
    assert [view.name for view in same.user_views] == ["history", "spending"]  # each once


def test_missing_rows_are_masked_per_view(shop: Settings, write: Callable[..., None]) -> None:
    write("engagement", {"item_id": "a", "clicks": 4, "rate": 0.5})
    write("content", {"item_id": "b", "title": "B", "price": 7, "vector": vector(1)})
    items = FeatureReader.open(shop, "ranking_v1").read_items(["a", "b", "?"], now_us=NOON_US)
    assert items.missing["engagement"].tolist() == [False, True, True]
    assert items.missing["content"].tolist() == [True, False, True]
    assert items.columns["clicks"].tolist() == [4, 0, 0]
    assert items.columns["title"].tolist() == ["", "B", ""]
    assert [len(row) for row in items.columns["vector"]] == [0, 1, 0]
    np.testing.assert_equal(items.matrix(["clicks", "price"]), [[4, np.nan], [np.nan, 7], [np.nan, np.nan]])


def test_a_row_past_its_ttl_is_missing(shop: Settings, write: Callable[..., None]) -> None:
    write("spending", {"user_id": "u", "average_price": 2.5})
    reader = FeatureReader.open(shop, "ranking_v1")
    end = NOON_US + 30 * DAY
    assert not reader.read_user("u", now_us=end).missing["spending"][0]
    late = reader.read_user("u", now_us=end + 1)
    assert late.missing["spending"].tolist() == [True]
    assert late.columns["average_price"].tolist() == [0]
    assert np.isnan(late.matrix(["average_price"])).all()


def test_a_null_number_is_nan_in_the_matrix(shop: Settings, write: Callable[..., None]) -> None:
    row = {"item_id": "a", "clicks": pd.array([None], "Int64")[0], "rate": 0.5}
    write("engagement", row, {"item_id": "b", "clicks": 1, "rate": None})
    items = FeatureReader.open(shop, "ranking_v1").read_items(["a", "b"], now_us=NOON_US)
    assert items.missing["engagement"].tolist() == [False, False]
    assert items.null["clicks"].tolist() == [True, False]
    np.testing.assert_equal(items.matrix(["clicks", "rate"]), [[np.nan, 0.5], [1, np.nan]])


def test_no_items_and_odd_ids(shop: Settings, write: Callable[..., None]) -> None:
    write(
        "engagement",
        {"item_id": "z\0z", "clicks": 1, "rate": 0.0},
        {"item_id": "é}", "clicks": 2, "rate": 0.0},
    )
    reader = FeatureReader.open(shop, "narrow_v1")
    assert reader.read_items([], now_us=NOON_US).matrix(["clicks"]).shape == (0, 1)
    found = reader.read_items(["z\0z", "é}", ""], now_us=NOON_US)
    assert found.columns["clicks"].tolist() == [1, 2, 0]
    assert list(found.columns) == ["clicks"]


def test_many_threads_read_their_own_answers(shop: Settings, write: Callable[..., None]) -> None:
    write("engagement", *({"item_id": f"i{n}", "clicks": n, "rate": 0.0} for n in range(50)))
    reader = FeatureReader.open(shop, "narrow_v1")

    def read(n: int) -> bool:
        ids = [f"i{(n + step) % 50}" for step in range(20)]
        clicks = reader.read_items(ids, now_us=NOON_US).columns["clicks"].tolist()
        return clicks == [(n + step) % 50 for step in range(20)]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(400)))


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("nothing_v1", "no service 'nothing_v1'. Run `feast apply`"),
        ("pair_v1", "view 'pair' has the join keys item_id, user_id"),
        ("twins_v1", "two features named 'price'"),
    ],
)
def test_a_service_that_cannot_be_read_is_refused_when_opened(
    shop: Settings, service: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        FeatureReader.open(shop, service)


def test_another_online_store_is_refused_with_the_remedy(tmp_path: Path) -> None:
    write_repository(tmp_path, "sqlite")
    with pytest.raises(ConfigError, match=f"online_store is 'sqlite'. Set `type: {PACKED}`"):
        FeatureReader.open(load_settings({}, start=tmp_path), "ranking_v1")


def test_redis_away_is_an_error_at_once_and_back_is_noticed(tmp_path: Path) -> None:
    write_repository(tmp_path, PACKED)
    patient = {"RECSYS_SERVING__FEATURE_TIMEOUT_SECONDS": "30.0"}
    settings = load_settings({"RECSYS_HOME": str(tmp_path / "home"), **patient}, start=tmp_path)
    reader = FeatureReader.open(settings, "ranking_v1")  # Redis need not be up
    with pytest.raises(StoreUnavailableError, match="recsys up"):
        reader.read_user("u")
    redis_server.start_server(settings)
    try:
        assert reader.read_user("u").missing["spending"][0]
        redis_server.stop_server(settings)
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            reader.read_user("u")
        assert time.monotonic() - began < 10.0  # of 30 that it would wait for a server that hangs
        (settings.paths.redis / "server.json").unlink()  # it comes back at another address
        redis_server.start_server(settings)
        assert reader.read_user("u").missing["spending"][0]
    finally:
        redis_server.stop_server(settings)


def test_a_server_that_hangs_is_given_up_after_the_timeout(
    shop: Settings, write: Callable[..., None]
) -> None:
    write("engagement", {"item_id": "a", "clicks": 4, "rate": 0.5})
    quick = shop.model_copy(
        update={"serving": shop.serving.model_copy(update={"feature_timeout_seconds": 1.0})}
    )
    reader = FeatureReader.open(quick, "narrow_v1")
    reader.read_items(["a"], now_us=NOON_US)
    pid = redis_server.server_status(shop).pid
    waker = threading.Timer(
        60.0, os.kill, (pid, signal.SIGCONT)
    )  # only a reader that never gives up needs it
    os.kill(pid, signal.SIGSTOP)
    waker.start()
    try:
        with pytest.raises(StoreUnavailableError) as caught:
            reader.read_items(["a"], now_us=NOON_US)
        assert waker.is_alive()
    finally:
        waker.cancel()
        os.kill(pid, signal.SIGCONT)
    assert caught.value.seconds == 1.0
    # The late reply belongs to nobody: the next read gets its own.
    assert reader.read_items(["?"], now_us=NOON_US).missing["engagement"].tolist() == [True]
    assert reader.read_items(["a"], now_us=NOON_US).columns["clicks"].tolist() == [4]
