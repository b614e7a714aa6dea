"""A Feast online store that keeps one packed byte string for each (view, entity) in Redis.

In `feature_store.yaml`:

    online_store:
      type: recsys.stores.packed.online.PackedRedisOnlineStore

Everything that Feast offers works as with its own Redis store: materialize, push, get_online_features,
their async forms, apply and teardown. What differs is listed in docs/online-store.md.

Keys are `project:view:fingerprint:{entity}`. The fingerprint is a hash of the view's schema: a changed
view never reads old bytes. After a replay it carries a number too, see `recsys.stores.packed.generations`.
The braces are a cluster hash tag: all views of one entity share a slot, and a read of many entities is
grouped by slot on the client's side.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
from feast import RepoConfig, utils
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig

from recsys.instants import from_micros, now_micros
from recsys.stores.packed.arrow import entity_ids_of_arrow, pack_arrow
from recsys.stores.packed.commands import (
    RowsDone,
    Values,
    delete_matching,
    delete_rows,
    read_rows,
    read_rows_async,
    retire_earlier_schemas,
    row_getter,
    sum_answers,
    write_rows,
    write_rows_async,
)
from recsys.stores.packed.connection import open_async_client, open_client
from recsys.stores.packed.generations import Generations, pointer_key, read_generations
from recsys.stores.packed.protos import entity_id, pack_protos, protos_of_rows
from recsys.stores.packed.rows import PackedRows, PackedView, packed_view, view_pattern
from recsys.stores.redis.client import redis_errors

Reading = tuple[datetime | None, dict[str, Any] | None]


class PackedRedisOnlineStoreConfig(RedisOnlineStoreConfig):  # type: ignore[misc]
    """Settings of the packed store; those of Feast's Redis store apply too, `client: glide` excepted."""

    type: Literal["recsys.stores.packed.online.PackedRedisOnlineStore"] = (
        "recsys.stores.packed.online.PackedRedisOnlineStore"
    )
    connection_string: str = ""
    """`redis://...`, or Feast's `host:port,db=0,...`. Empty: REDIS_URL, or the server of `recsys up`."""

    dual: bool = False
    """Write Feast's own hashes too, for clients in other languages; about doubles the memory."""


class PackedRedisOnlineStore(RedisOnlineStore):  # type: ignore[misc]
    """Feast's extension point: the methods that Feast calls, each in terms of packed rows.

    Attributes:
        now: the clock that decides which rows have expired, in microseconds; a test or a replay sets its own.
    """

    now: Callable[[], int] = staticmethod(now_micros)
    _row_getter: Any = None

    def __init__(self) -> None:
        super().__init__()
        self._announced: set[bytes] = set()  # heads of the schemas that this process has written
        self._generations = Generations()

    # -- writing ----------------------------------------------------------------------------------

    def online_write_batch(self, config: RepoConfig, table: Any, data: list[Any], progress: RowsDone) -> None:
        """Writes rows as Feast hands them over; an older row never replaces a newer one."""
        view = _view(config, table)
        self._announce(config, view)
        entities, rows = [entity_id(row[0]) for row in data], pack_protos(view.layout, data)
        self._write(config, view, entities, rows, progress)
        if config.online_store.dual:
            with redis_errors("write hashes"):
                super().online_write_batch(config, table, data, None)

    async def online_write_batch_async(
        self, config: RepoConfig, table: Any, data: list[Any], progress: RowsDone
    ) -> None:
        """The same without blocking the event loop."""
        client, view = await self._connected_async(config), _view(config, table)
        if view.head not in self._announced:  # once for each schema: worth a thread, not a second copy
            await asyncio.to_thread(self._announce, config, view)
        entities, rows = [entity_id(row[0]) for row in data], pack_protos(view.layout, data)
        generations = Generations.parse(await client.get(pointer_key(config.project)))
        while True:
            for each in generations.writing(view):
                keys = each.keys(entities)
                answers = await write_rows_async(client, keys, rows, _live_seconds(config), progress)
                await asyncio.to_thread(sum_answers, self._connected(config), answers)
                progress = None  # counted once, however many generations there are
            if (raw := await client.get(pointer_key(config.project))) == generations.raw:
                break
            generations = Generations.parse(raw)
        if config.online_store.dual:
            with redis_errors("write hashes"):
                await super().online_write_batch_async(config, table, data, None)

    def write_table(self, config: RepoConfig, table: Any, rows: pa.Table, progress: RowsDone = None) -> None:
        """Writes an Arrow table column by column: what our engine calls instead of online_write_batch.

        Raises:
            SchemaMismatchError: a column is missing or does not fit the view.
            StoreUnavailableError: Redis does not answer.
        """
        view, source = _view(config, table), table.batch_source
        self._announce(config, view)
        packed = pack_arrow(
            view.layout, rows, source.timestamp_field, source.created_timestamp_column or None
        )
        self._write(config, view, entity_ids_of_arrow(view.layout, rows), packed, progress)

    def _write(
        self,
        config: RepoConfig,
        view: PackedView,
        entities: list[bytes],
        rows: Sequence[bytes],
        progress: RowsDone,
    ) -> None:
        """Writes to the generation that is read and to one that is being built."""
        client = self._connected(config)
        generations = read_generations(client, config.project)
        while True:
            for each in generations.writing(view):
                write_rows(client, each.keys(entities), rows, _live_seconds(config), progress)
                progress = None  # counted once, however many generations there are
            if (now := read_generations(client, config.project)) == generations:
                return
            generations = now

    def _announce(self, config: RepoConfig, view: PackedView) -> None:
        if view.head not in self._announced:
            pattern = view_pattern(config.project, view.layout.view)
            retire_earlier_schemas(self._connected(config), view, pattern)
            self._announced.add(view.head)

    def has_rows(self, config: RepoConfig, table: Any) -> bool:
        """Whether the server was ever given rows of a view in its present schema."""
        view = _view(config, table)
        found: bytes | None = self._connected(config).get(view.schema_key)
        return found == view.layout.fingerprint.encode()

    # -- reading ----------------------------------------------------------------------------------

    def online_read(
        self,
        config: RepoConfig,
        table: Any,
        entity_keys: list[Any],
        requested_features: list[str] | None = None,
    ) -> list[Reading]:
        """Rows of one view as Feast's values; (None, None) where a row is missing or has expired."""
        view = _view(config, table)
        entities = [entity_id(key) for key in entity_keys]
        values = self._fetch(config, [(view, entities)])
        return self._readings(view, values, requested_features)

    async def online_read_async(
        self,
        config: RepoConfig,
        table: Any,
        entity_keys: list[Any],
        requested_features: list[str] | None = None,
    ) -> list[Reading]:
        """The same without blocking the event loop."""
        view = _view(config, table)
        entities = [entity_id(key) for key in entity_keys]
        values = await self._fetch_async(config, [(view, entities)])
        return self._readings(view, values, requested_features)

    def _fetch(self, config: RepoConfig, reads: Sequence[tuple[PackedView, list[bytes]]]) -> Values:
        """The rows of these entities, all of the generation that the pointer names at that instant."""
        while True:
            generations = self._generations
            values = read_rows(self._getter(config), generations.keys(config.project, reads))
            if values[0] == generations.raw:
                return values[1:]
            self._generations = Generations.parse(values[0])

    async def _fetch_async(
        self, config: RepoConfig, reads: Sequence[tuple[PackedView, list[bytes]]]
    ) -> Values:
        """The same without blocking the event loop."""
        client = await self._connected_async(config)
        while True:
            generations = self._generations
            values = await read_rows_async(client, generations.keys(config.project, reads))
            if values[0] == generations.raw:
                return values[1:]
            self._generations = Generations.parse(values[0])

    def _readings(
        self, view: PackedView, values: Sequence[bytes | None], requested: list[str] | None
    ) -> list[Reading]:
        rows = PackedRows(view.layout, values, view.oldest(self.now()))
        names = [name for name in requested or list(rows) if name in view.layout.kinds]
        columns = [protos_of_rows(rows, name) for name in names]
        event_at, missing = rows.event_at.tolist(), rows.missing.tolist()
        return [
            (None, None)
            if missing[place]
            else (
                from_micros(at),
                {n: c[place] for n, c in zip(names, columns, strict=True)},
            )
            for place, at in enumerate(event_at)
        ]

    def _read_features_per_fv(
        self,
        config: RepoConfig,
        grouped_refs: list[Any],
        join_key_values: Any,
        entity_name_to_join_key_map: Any,
        *response: Any,
    ) -> None:
        """All views of a request in one MGET."""
        reads = list(_planned_reads(config, grouped_refs, join_key_values, entity_name_to_join_key_map))
        values = self._fetch(config, [(view, entities) for view, _, _, entities, _ in reads])
        self._respond(reads, values, *response)

    async def _read_features_per_fv_async(
        self,
        config: RepoConfig,
        grouped_refs: list[Any],
        join_key_values: Any,
        entity_name_to_join_key_map: Any,
        *response: Any,
    ) -> None:
        reads = list(_planned_reads(config, grouped_refs, join_key_values, entity_name_to_join_key_map))
        values = await self._fetch_async(config, [(view, entities) for view, _, _, entities, _ in reads])
        self._respond(reads, values, *response)

    def _respond(
        self,
        reads: list[Any],
        values: Sequence[bytes | None],
        response: Any,
        full_names: bool,
        versions: bool,
    ) -> None:
        start = 0
        for view, table, features, entities, (places, count) in reads:
            rows = self._readings(view, values[start : start + len(entities)], features)
            start += len(entities)
            utils._populate_response_from_feature_data(
                features, rows, places, response, full_names, table, count, versions
            )

    # -- deleting ---------------------------------------------------------------------------------

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[Any],
        tables_to_keep: Sequence[Any],
        entities_to_delete: Sequence[Any],
        entities_to_keep: Sequence[Any],
        partial: bool,
    ) -> None:
        """Deletes the rows of views that `feast apply` removes, unless `full_scan_for_deletion` is off."""
        if config.online_store.full_scan_for_deletion:
            for table in tables_to_delete:
                self.delete_table(config, table)

    def delete_table(self, config: RepoConfig, table: Any) -> None:
        """Deletes all rows of a view, those of its earlier schemas too."""
        name = _view(config, table).layout.view
        self._announced.clear()
        delete_matching(self._connected(config), view_pattern(config.project, name))
        if config.online_store.dual:
            with redis_errors(f"delete hashes of {name}"):
                super().delete_table(config, table)

    def delete_rows(self, config: RepoConfig, table: Any, entity_keys: Sequence[Any]) -> int:
        """Deletes the rows of some entities of one view and returns how many there were."""
        client, view = self._connected(config), _view(config, table)
        entities = [entity_id(key) for key in entity_keys]
        places = read_generations(client, config.project).writing(view)
        deleted = [delete_rows(client, each.keys(entities)) for each in places]
        return deleted[0]

    def delete_entity_values(self, config: RepoConfig, join_keys: list[str]) -> None:
        """Deletes Feast's own hashes of an entity; packed rows are deleted by view."""
        self._connected(config)
        with redis_errors("delete hashes"):
            super().delete_entity_values(config, join_keys)

    def teardown(self, config: RepoConfig, tables: Sequence[Any], entities: Sequence[Any]) -> None:
        """Deletes all rows of these views."""
        for table in tables:
            self.delete_table(config, table)

    # -- connections ------------------------------------------------------------------------------

    def _connected(self, config: RepoConfig) -> Any:
        # The inherited methods find the client in the attribute that Feast's `_get_client` fills.
        if self._client is None:
            self._client: Any = open_client(config)
        return self._client

    def _getter(self, config: RepoConfig) -> Any:
        client = self._connected(config)
        if self._row_getter is None:
            self._row_getter = row_getter(client)
        return self._row_getter

    async def _connected_async(self, config: RepoConfig) -> Any:
        if self._client_async is None:
            self._client_async: Any = await open_async_client(config)
        return self._client_async

    async def close(self) -> None:
        """Closes both clients."""
        if self._client is not None:
            self._client.close()
        if self._client_async is not None:
            await self._client_async.aclose()
        self._client = self._client_async = self._row_getter = None


def _view(config: RepoConfig, table: Any) -> PackedView:
    return packed_view(config.project, table, config.registry.enable_online_feature_view_versioning)


def _planned_reads(config: RepoConfig, grouped_refs: list[Any], join_keys: Any, names: Any) -> Iterator[Any]:
    """For each view of a request: (packed view, Feast's view, features, entities, (output places, count))."""
    for table, features in grouped_refs:
        entities, places, count = utils._get_unique_entities(table, join_keys, names)
        view = _view(config, table)
        ids = [entity_id(key) for key in utils._get_entity_key_protos(entities)]
        yield view, table, features, ids, (places, count)


def _live_seconds(config: RepoConfig) -> int:
    return int(config.online_store.key_ttl_seconds or 0)
