"""Two Feast repositories with the same views, one on Feast's own Redis store and one on the packed store.

Both share a throwaway server, DuckDB files and, unless told otherwise, the engine that materializes.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.config import Settings, load_settings
from recsys.stores.redis import server as redis_server

AT = datetime(2026, 3, 1, tzinfo=UTC)
SCALARS = 10
VECTOR = 384
PACKED_ENGINE = "recsys.stores.packed.engine.PackedComputeEngine"
FEAST_ENGINE = "local"


@dataclass(frozen=True)
class Pair:
    """The two stores under test, opened and applied; `settings` are those of the packed one."""

    folder: Path
    settings: Settings
    ours: Any
    peer: Any


@contextmanager
def pair(
    users: int,
    items: int,
    vectors: bool = False,
    engine: str = PACKED_ENGINE,
    peer_engine: str = FEAST_ENGINE,
) -> Iterator[Pair]:
    """Opens both repositories over fresh files; the server stops and the folder goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as name:
        folder = Path(name)
        write_features(folder / "users.parquet", "user_id", users, vectors=False)
        write_features(folder / "items.parquet", "item_id", items, vectors=vectors)
        settings = load_settings({"RECSYS_HOME": str(folder / "home")}, start=folder)
        redis_server.start_server(settings)
        try:
            url = redis_server.redis_url(settings)
            ours = _repository(folder / "ours" / "feature_repo", engine, _packed(url), vectors)
            peer = _repository(folder / "peer" / "feature_repo", peer_engine, _redis(url), vectors)
            root = load_settings({"RECSYS_HOME": str(folder / "home")}, start=folder / "ours")
            yield Pair(folder, root, ours, peer)
        finally:
            redis_server.stop_server(settings)


def materialize(store: Any, views: list[str] | None = None) -> None:
    """Materializes everything; what Feast prints goes to stderr, stdout is for the table."""
    with redirect_stdout(sys.stderr):
        store.materialize(AT - timedelta(days=1), AT + timedelta(days=1), feature_views=views)


def write_features(path: Path, key: str, count: int, vectors: bool) -> None:
    """`count` rows of ten numbers, five of them whole, with a vector if asked for."""
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {key: [f"{key[0]}{place:07d}" for place in range(count)]}
    for place in range(SCALARS):
        whole = place % 2 == 0
        numbers = rng.integers(0, 1000, count) if whole else rng.random(count, np.float32)
        columns[f"{key[0]}{place}"] = numbers
    if vectors:
        flat: Any = pa.array(rng.random(count * VECTOR, np.float32))
        offsets: Any = pa.array(np.arange(count + 1) * VECTOR, pa.int32())
        columns["vector"] = pa.ListArray.from_arrays(offsets, flat)
    columns["event_timestamp"] = pa.array([AT] * count, pa.timestamp("us", "UTC"))
    columns["created_timestamp"] = columns["event_timestamp"]
    pq.write_table(pa.table(columns), path)


def feast_address(url: str) -> str:
    """The embedded server's address in Feast's own form."""
    password, _, address = url.removeprefix("redis://:").removesuffix("/0").partition("@")
    return f"{address},password={password}"


def _packed(url: str) -> str:
    return f"type: recsys.stores.packed.online.PackedRedisOnlineStore\n  connection_string: {url}"


def _redis(url: str) -> str:
    return f"type: redis\n  connection_string: {feast_address(url)}"


def _repository(path: Path, engine: str, online: str, vectors: bool) -> Any:
    from feast import FeatureStore

    path.mkdir(parents=True)
    (path / "feature_store.yaml").write_text(
        f"project: {path.parent.name}\nprovider: local\nregistry: registry.db\n"
        f"offline_store:\n  type: duckdb\nbatch_engine:\n  type: {engine}\nonline_store:\n  {online}\n"
        "materialization:\n  online_write_batch_size: 10000\nentity_key_serialization_version: 3\n"
    )
    store = FeatureStore(repo_path=str(path))
    store.apply(_definitions(path.parents[1], vectors))
    return store


def _definitions(folder: Path, vectors: bool) -> list[Any]:
    from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType, types

    declared: list[Any] = []
    views = []
    for key in ("user_id", "item_id"):
        entity = Entity(name=key.removesuffix("_id"), join_keys=[key], value_type=ValueType.STRING)
        source = FileSource(
            name=f"{key}_source",
            path=str(folder / f"{entity.name}s.parquet"),
            timestamp_field="event_timestamp",
            created_timestamp_column="created_timestamp",
        )
        kinds = [types.Float32 if place % 2 else types.Int64 for place in range(SCALARS)]
        schema = [Field(name=f"{key[0]}{place}", dtype=kind) for place, kind in enumerate(kinds)]
        if vectors and key == "item_id":
            schema.append(Field(name="vector", dtype=types.Array(types.Float32)))
        schema.append(Field(name=key, dtype=types.String))
        view = FeatureView(
            name=f"{entity.name}_numbers", entities=[entity], schema=schema, source=source, ttl=timedelta(0)
        )
        declared += [entity, source, view]
        views.append(view)
    services = [FeatureService(name=f"{view.entities[0]}_v1", features=[view]) for view in views]
    return [*declared, *services, FeatureService(name="ranking_v1", features=views)]
