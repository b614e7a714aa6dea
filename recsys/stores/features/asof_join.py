"""Feast's DuckDB offline store with as-of joins.

Feast joins every entity row with ALL earlier feature rows of its entity and keeps the last one. Where an item
has thousands of rows, a training set of 100 k rows takes minutes and gigabytes. DuckDB's ASOF JOIN finds the
last one at once. Rules and results are Feast's: a row counts at its own instant, a time to live includes its
end, of equal event timestamps the later created row wins, an entity row without features stays.

In `feature_store.yaml`:

    offline_store:
      type: recsys.stores.features.asof_join.AsofDuckDBOfflineStore
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import duckdb
import pandas as pd
import pyarrow as pa
from feast import FeatureView, RepoConfig
from feast.infra.offline_stores.duckdb import (
    DuckDBOfflineStore,
    DuckDBOfflineStoreConfig,
)
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.infra.offline_stores.offline_utils import infer_event_timestamp_from_entity_df
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView

from recsys.errors import DataError, SchemaMismatchError
from recsys.instants import NEVER, to_micros
from recsys.stores.features.action_files import holds_actions
from recsys.stores.features.file_sources import (
    feasts_own_history,
    feasts_own_rows,
    files_of,
    is_parquet,
    path_of,
    path_of_actions,
)
from recsys.stores.features.history_rows import (
    all_history,
    history_as_of,
    latest_history,
)
from recsys.stores.features.retrieval_job import ArrowRetrievalJob

ROW = "__row"
INSTANT = "__instant"
PICKED = "__picked"


class AsofDuckDBOfflineStoreConfig(DuckDBOfflineStoreConfig):  # type: ignore[misc]
    """Settings of Feast's DuckDB store; there are no others."""

    type: Literal[
        "recsys.stores.features.asof_join.AsofDuckDBOfflineStore",
        "recsys.stores.asof_offline.AsofDuckDBOfflineStore",  # as older feature_store.yaml files say
    ] = "recsys.stores.features.asof_join.AsofDuckDBOfflineStore"


class AsofDuckDBOfflineStore(DuckDBOfflineStore):  # type: ignore[misc]
    """Feast's extension point; sources other than Parquet files take Feast's own way."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        **options: Any,
    ) -> RetrievalJob:
        """Features of each row of `entity_df` as they were at its timestamp; rows keep their order."""
        known = all(is_parquet(view.batch_source) for view in feature_views) and not any(options.values())
        if isinstance(entity_df, str) or not known:
            return feasts_own_history(
                config, feature_views, feature_refs, entity_df, registry, project, full_feature_names, options
            )
        at = infer_event_timestamp_from_entity_df(dict(entity_df.dtypes))
        instants = pd.Series(pd.to_datetime(entity_df[at], utc=True)).astype("datetime64[us, UTC]")
        joins = [_join_of(view, config, feature_refs, full_feature_names) for view in feature_views]
        table = _join_features(entity_df.assign(**{at: instants}), at, joins)
        requested = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        metadata = RetrievalMetadata(
            features=feature_refs,
            keys=[name for name in entity_df.columns if name != at],
            min_event_timestamp=instants.min().to_pydatetime(),
            max_event_timestamp=instants.max().to_pydatetime(),
        )
        computed = [view for view in requested if view.mode != "substrait"]
        return ArrowRetrievalJob(config, table, computed, full_feature_names, metadata)

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: Any,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """The last row of each entity within [start_date, end_date]: what is to be materialized."""
        stamps = (timestamp_field, created_timestamp_column)
        if not is_parquet(data_source):
            asked = (config, data_source, join_key_columns, feature_name_columns, *stamps)
            return DuckDBOfflineStore.pull_latest_from_table_or_query(*asked, start_date, end_date)
        names = [*join_key_columns, *feature_name_columns, *filter(None, stamps)]
        path = path_of(data_source, config)
        if holds_actions(path):
            found = latest_history(path, names, _micros(start_date), _micros(end_date))
        else:
            found = _latest(_Rows(path, *stamps), join_key_columns, names, start_date, end_date)
        return ArrowRetrievalJob(config, found)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: Any,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """All rows within [start_date, end_date]; no bound where there is none."""
        stamps = (timestamp_field, created_timestamp_column)
        path = path_of_actions(data_source, config)
        if path is None:
            asked = (config, data_source, join_key_columns, feature_name_columns)
            return feasts_own_rows(*asked, *stamps, start_date, end_date)
        names = [*join_key_columns, *feature_name_columns, *filter(None, stamps)]
        start = -NEVER if start_date is None else _micros(start_date)
        end = NEVER if end_date is None else _micros(end_date)
        return ArrowRetrievalJob(config, all_history(path, names, start, end))


@dataclass(frozen=True)
class _Rows:
    """Feature rows in Parquet."""

    path: str
    at: str
    created: str | None

    @property
    def source(self) -> str:
        """The files one behind the other; `place` says which row it is, to fetch it once it is wanted."""
        files = (
            f"SELECT *, {number << 40} + file_row_number AS place "
            f"FROM read_parquet({_text(file)}, file_row_number = true)"
            for number, file in enumerate(files_of(self.path))
        )
        return f"({' UNION ALL BY NAME '.join(files)}) AS stored"

    @property
    def instant(self) -> str:
        """One number that orders rows by event timestamp and then by created timestamp."""
        created = f"coalesce(epoch_us({_stored(self.created)}), -1)" if self.created else "0"
        return f"epoch_us({_stored(self.at)})::HUGEINT * {1 << 62} + {created}"


@dataclass(frozen=True)
class _Join:
    """One view's part of a point-in-time join; `keys` and `features` map its columns to the result's."""

    rows: _Rows
    keys: dict[str, str]
    features: dict[str, str]
    ttl: timedelta | None


def _join_features(entities: pd.DataFrame, at: str, joins: Sequence[_Join]) -> pa.Table:
    wanted = pa.Table.from_pandas(entities, preserve_index=False)
    with _connection() as connection:
        connection.register("entities", wanted.append_column(ROW, pa.array(range(len(wanted)))))
        # The last created row of an event timestamp: 2^62 microseconds lie beyond any created timestamp.
        connection.execute(
            "CREATE TABLE wanted AS SELECT *, "
            f"epoch_us({_name(at)})::HUGEINT * {1 << 62} + {(1 << 62) - 1} AS {INSTANT} FROM entities"
        )
        for join in joins:
            if holds_actions(join.rows.path):
                found = _history(join, wanted, at)
            else:
                once = not entities.duplicated([*join.keys.values()]).any()
                found = _joined(connection, join, at, once)
            for name in found.column_names:
                wanted = wanted.append_column(name, found[name])
    return wanted


def _history(join: _Join, wanted: pa.Table, at: str) -> pa.Table:
    """The features of user_history, cut from its actions."""
    (key,) = join.keys.values()
    instants = wanted[at].cast(pa.int64()).to_numpy()
    found = history_as_of(join.rows.path, list(join.features), wanted[key], instants, _ttl(join))
    return found.rename_columns(list(join.features.values()))


def _joined(connection: duckdb.DuckDBPyConnection, join: _Join, at: str, once: bool) -> pa.Table:
    """The features of a view of rows, from the table `wanted`, which has each entity `once` or more often."""
    picked = _last_of_each(join, at) if once else _asof(join, at)
    features = ", ".join(f"{_stored(name)} AS {_name(alias)}" for name, alias in join.features.items())
    with _reading(join.rows):
        connection.execute(
            f"CREATE OR REPLACE TABLE found AS WITH picked AS ({picked}) "
            f"SELECT {ROW}, {features} FROM {join.rows.source} JOIN picked ON stored.place = {PICKED}"
        )
    names = ", ".join(f"found.{_name(name)}" for name in join.features.values())
    query = f"SELECT {names} FROM wanted LEFT JOIN found USING ({ROW}) ORDER BY wanted.{ROW}"
    return _in_utc(connection.sql(query).to_arrow_table())


def _ttl(join: _Join) -> int:
    return (join.ttl or timedelta()) // timedelta(microseconds=1)


def _micros(bound: datetime) -> int:
    return to_micros(bound.astimezone(UTC))


def _in_utc(table: pa.Table) -> pa.Table:
    """`table` with its instants in UTC by the name that everybody uses; DuckDB calls it Etc/UTC."""
    fields = [
        field.with_type(pa.timestamp("us", "UTC")) if getattr(field.type, "tz", None) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _same(join: _Join) -> str:
    """SQL: whether a stored row is of a wanted row's entity."""
    return " AND ".join(
        f"wanted.{_name(ours)} = stored.{_name(theirs)}" for theirs, ours in join.keys.items()
    )


def _last_of_each(join: _Join, at: str) -> str:
    """SQL: the number of each wanted row that has features, and their place; each stored row is read once.

    Where an entity is wanted a second time its rows would be paired with it again: `_asof` does without.
    """
    rows, ttl = join.rows, _ttl(join)
    asked = f"max(epoch_us(wanted.{_name(at)}))"
    fresh = f"HAVING max(epoch_us({_stored(rows.at)})) + {ttl} >= {asked}" if ttl else ""
    return f"""
        SELECT wanted.{ROW}, arg_max(stored.place, {rows.instant}) AS {PICKED}
        FROM {rows.source} JOIN wanted ON {_same(join)} AND wanted.{INSTANT} >= {rows.instant}
        GROUP BY wanted.{ROW} {fresh}"""


def _asof(join: _Join, at: str) -> str:
    """SQL: as `_last_of_each`, however often an entity is wanted."""
    rows, same, ttl = join.rows, _same(join), _ttl(join)
    keys = ", ".join(_stored(name) for name in join.keys)
    fresh = f"WHERE stored.fresh_until >= epoch_us(wanted.{_name(at)})" if ttl else ""
    return f"""
        WITH stamps AS (
            SELECT {keys}, stored.place, {rows.instant} AS instant,
                   epoch_us({_stored(rows.at)}) + {ttl} AS fresh_until
            FROM {rows.source} SEMI JOIN wanted ON {same}
        )
        SELECT wanted.{ROW}, stored.place AS {PICKED}
        FROM wanted ASOF JOIN stamps AS stored ON {same} AND wanted.{INSTANT} >= stored.instant {fresh}"""


def _latest(
    rows: _Rows, keys: Sequence[str], names: Sequence[str], start: datetime, end: datetime
) -> pa.Table:
    with _connection() as connection, _reading(rows):
        within = _within(connection, rows, start, end)
        query = f"""
            WITH last AS (
                SELECT arg_max(stored.place, {rows.instant}) AS {PICKED} FROM {rows.source}
                WHERE {within}
                GROUP BY {", ".join(_stored(key) for key in keys)}
            )
            SELECT {", ".join(_stored(name) for name in names)}
            FROM {rows.source} JOIN last ON stored.place = {PICKED} WHERE {within}"""
        return _in_utc(connection.sql(query).to_arrow_table())


def _within(connection: duckdb.DuckDBPyConnection, rows: _Rows, start: datetime, end: datetime) -> str:
    """SQL: whether a row is of that time, the bounds included.

    The column stands there by itself and beside constants of its own type: so parts of the files whose
    statistics say that they are of another time are not read.
    """
    described = connection.execute(f"DESCRIBE SELECT {_stored(rows.at)} FROM {rows.source}").fetchall()
    zoned = described[0][1] == "TIMESTAMP WITH TIME ZONE"
    bounds = (bound.astimezone(UTC) for bound in (start, end))
    low, high = (
        f"TIMESTAMPTZ '{bound.isoformat()}'"
        if zoned
        else f"TIMESTAMP '{bound.replace(tzinfo=None).isoformat()}'"
        for bound in bounds
    )
    return f"{_stored(rows.at)} BETWEEN {low} AND {high}"


@contextmanager
def _reading(rows: _Rows) -> Iterator[None]:
    """DuckDB's errors about a file of feature rows, as ours."""
    try:
        yield
    except duckdb.IOException as error:
        raise DataError(f"cannot read feature rows: {error}. Run `recsys features build`.") from error
    except duckdb.BinderException as error:
        raise SchemaMismatchError(
            f"{rows.path} holds other columns than feature_repo declares: {error}. "
            "Run `recsys features build`."
        ) from error


def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"preserve_insertion_order": False})


def _join_of(view: FeatureView, config: RepoConfig, refs: Sequence[str], full_names: bool) -> _Join:
    source = view.batch_source
    prefix = f"{view.projection.name_to_use()}:"
    wanted = [ref.removeprefix(prefix) for ref in refs if ref.startswith(prefix)]
    shown = f"{view.projection.name_alias or view.name}__" if full_names else ""
    return _Join(
        rows=_Rows(path_of(source, config), source.timestamp_field, source.created_timestamp_column or None),
        keys=view.projection.join_key_map or {column.name: column.name for column in view.entity_columns},
        features={name: f"{shown}{name}" for name in wanted},
        ttl=view.ttl or None,
    )


def _name(name: str | None) -> str:
    return '"' + str(name).replace('"', '""') + '"'


def _stored(column: str | None) -> str:
    return f"stored.{_name(column)}"


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
