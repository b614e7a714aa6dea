"""Writes feature rows online as they come: all views of a batch in one round trip."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
from redis.exceptions import NoScriptError

from recsys import columns
from recsys.config import Settings
from recsys.errors import ConfigError
from recsys.stores.features.feast_registry import open_repository
from recsys.stores.packed.arrow import entity_ids_of_arrow, pack_arrow
from recsys.stores.packed.commands import (
    WRITE_SCRIPT,
    WRITE_SHA,
    is_cluster,
    retire_earlier_schemas,
    split_keys,
    sum_answers,
    write_rows,
)
from recsys.stores.packed.connection import open_client
from recsys.stores.packed.generations import Generations, pointer_key, read_generations
from recsys.stores.packed.online import PackedRedisOnlineStore, PackedRedisOnlineStoreConfig
from recsys.stores.packed.rows import PackedView, packed_view, view_pattern
from recsys.stores.redis.client import redis_errors

WRITE_SECONDS = 10.0
BUILD = "Run `recsys features build`."


@dataclass(frozen=True)
class _Packed:
    """Rows of one view, ready to be written under the keys of any generation."""

    view: PackedView
    entities: list[bytes]
    rows: list[bytes]


def _pack(view: PackedView, table: pa.Table) -> _Packed:
    rows = pack_arrow(view.layout, table, columns.EVENT_TIMESTAMP, columns.CREATED_TIMESTAMP)
    return _Packed(view, entity_ids_of_arrow(view.layout, table), rows)


class OnlineRows:
    """The online store as a worker writes it. A row wins by its event, then by its created timestamp."""

    def __init__(self, settings: Settings, shadow: bool = False) -> None:
        """Reads Feast's registry and connects.

        Args:
            shadow: write to the generation that is being built, and to no other.

        Raises:
            ConfigError: the repository was never applied, or has another online store.
            StoreUnavailableError: no Redis runs.
        """
        self._store = open_repository(settings)
        self._shadow = shadow
        config = self._store.config
        if not isinstance(config.online_store, PackedRedisOnlineStoreConfig):
            raise ConfigError(
                f"{settings.feature_repo}/feature_store.yaml: online_store is {config.online_store.type!r}. "
                f"Set `type: {PackedRedisOnlineStore.__module__}.{PackedRedisOnlineStore.__name__}`."
            )
        self._client = open_client(config, settings, WRITE_SECONDS)
        self._live_seconds = int(config.online_store.key_ttl_seconds or 0)
        self._dual = bool(config.online_store.dual)
        versions = config.registry.enable_online_feature_view_versioning
        self._views = {
            view.name: packed_view(config.project, view, versions)
            for view in self._store.list_feature_views()
        }
        if not self._views:
            raise ConfigError(f"the feature registry of {settings.paths.home} is empty. {BUILD}")
        self._announced: set[str] = set()
        self._generations: Generations | None = None

    def write(self, tables: Mapping[str, pa.Table]) -> None:
        """Writes rows by view, each a table of `VIEW_SCHEMAS`.

        Raises:
            ConfigError: the registry has no such view.
            StoreUnavailableError: Redis does not answer; part of the rows may be written.
        """
        rows = {name: table for name, table in tables.items() if len(table)}
        if self._dual:  # Feast's own hashes as well, by Feast's own way
            for name, table in rows.items():
                self._store.write_to_online_store(name, table.to_pandas())
            return
        packed = [_pack(self._view(name), table) for name, table in rows.items()]
        generations = self._generations or read_generations(self._client, self._store.project)
        while packed:
            raw = self._send([part for each in packed for part in self._parts(each, generations)])
            if raw == generations.raw:
                break
            generations = Generations.parse(raw)  # a replay began or ended meanwhile: the same rows again
        self._generations = generations

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _parts(self, rows: "_Packed", generations: Generations) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Keys and packed rows of each generation that gets them, as many as one command takes."""
        places = generations.shadow if self._shadow else generations.writing
        for view in places(rows.view):
            keys = view.keys(rows.entities)
            for part in split_keys(self._client, keys):
                yield [keys[row] for row in part], [rows.rows[row] for row in part]

    def _send(self, commands: list[tuple[list[bytes], list[bytes]]]) -> bytes | None:
        """Writes, and returns what the pointer to generations says afterwards."""
        if is_cluster(self._client):
            for keys, packed in commands:
                write_rows(self._client, keys, packed, self._live_seconds, None)
            return read_generations(self._client, self._store.project).raw
        with redis_errors("write rows", WRITE_SECONDS):
            try:
                return self._pipelined(commands)
            except NoScriptError:  # a server that has not seen the script since it started
                self._client.script_load(WRITE_SCRIPT)
                return self._pipelined(commands)

    def _pipelined(self, commands: list[tuple[list[bytes], list[bytes]]]) -> bytes | None:
        with self._client.pipeline(transaction=False) as pipe:
            for keys, packed in commands:
                pipe.evalsha(WRITE_SHA, len(keys), *keys, self._live_seconds, *packed)
            pipe.get(pointer_key(self._store.project))
            *answers, raw = pipe.execute()
        sum_answers(self._client, answers)
        pointer: bytes | None = raw
        return pointer

    def _view(self, name: str) -> PackedView:
        view = self._views.get(name)
        if view is None:
            raise ConfigError(f"the feature registry has no view {name!r}. {BUILD}")
        if name not in self._announced:
            retire_earlier_schemas(self._client, view, view_pattern(self._store.project, view.layout.view))
            self._announced.add(name)
        return view
