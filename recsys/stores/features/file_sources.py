"""Feast's file sources: which are Parquet, where they lie, and Feast's own joins where one holds actions."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import ibis  # type: ignore[import-untyped]
import pandas as pd
from feast import FeatureView, FileSource, RepoConfig
from feast.data_format import ParquetFormat
from feast.infra.offline_stores.duckdb import (
    DuckDBOfflineStore,
    _read_data_source,
    _write_data_source,
)
from feast.infra.offline_stores.ibis import get_historical_features_ibis, pull_all_from_table_or_query_ibis
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.infra.registry.base_registry import BaseRegistry

from recsys import columns
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.home import HomePaths
from recsys.instants import NEVER
from recsys.stores.features.action_files import holds_actions
from recsys.stores.features.history_rows import all_history


def is_parquet(source: Any) -> bool:
    """Whether `source` is Parquet on this machine, in the columns that a view names."""
    return (
        isinstance(source, FileSource)
        and not source.field_mapping
        and "://" not in source.path
        and (source.file_format is None or isinstance(source.file_format, ParquetFormat))
    )


def path_of_actions(source: Any, config: RepoConfig) -> str | None:
    """Where `source` lies if it holds the actions that user_history is cut from, else None."""
    path = path_of(source, config) if is_parquet(source) else ""
    return path if holds_actions(path) else None


def path_of(source: FileSource, config: RepoConfig) -> str:
    """Where the rows of `source` lie."""
    return str(FileSource.get_uri_for_file_path(config.repo_path, source.path))


def files_of(path: str) -> list[str]:
    """The files with the rows of a view: that at `path`, and that of rows which a build added since."""
    rows = Path(path)
    view = HomePaths(rows.parent.parent.parent)
    added = view.changed_rows(rows.parent.name)
    return [path, str(added)] if view.feature_rows(rows.parent.name) == rows and added.exists() else [path]


def needs_reader(source: Any, config: RepoConfig) -> bool:
    """Whether more than the file at the path of `source`, or another form of it, are its rows."""
    if not is_parquet(source):
        return False
    path = path_of(source, config)
    return holds_actions(path) or len(files_of(path)) > 1


def reader(config: RepoConfig) -> Callable[[Any, str], Any]:
    """What Feast's own joins read sources with: each row of a view once, as it counts."""

    def read(source: Any, repo_path: str) -> Any:
        if not needs_reader(source, config):
            return _read_data_source(source, repo_path)
        path = path_of(source, config)
        if holds_actions(path):
            return ibis.memtable(all_history(path, VIEW_SCHEMAS[columns.USER_HISTORY].names, -NEVER, NEVER))
        rows = ibis.read_parquet(files_of(path))
        key = VIEW_SCHEMAS[Path(path).parent.name].names[0]
        same = [rows[key], rows[columns.EVENT_TIMESTAMP]]
        created = ibis.window(group_by=same, order_by=ibis.desc(rows[columns.CREATED_TIMESTAMP]))
        return (
            rows.mutate(__place=ibis.row_number().over(created))
            .filter(ibis._["__place"] == 0)
            .drop("__place")
        )

    return read


def feasts_own_history(
    config: RepoConfig,
    feature_views: list[FeatureView],
    feature_refs: list[str],
    entity_df: pd.DataFrame | str,
    registry: BaseRegistry,
    project: str,
    full_feature_names: bool,
    options: dict[str, Any],
) -> RetrievalJob:
    """What Feast's own store answers, on all rows of user_history where its file holds actions."""
    asked = (config, feature_views, feature_refs, entity_df, registry, project)
    if not any(needs_reader(view.batch_source, config) for view in feature_views):
        return DuckDBOfflineStore.get_historical_features(*asked, full_feature_names, **options)

    read = reader(config)
    return get_historical_features_ibis(*asked, read, _write_data_source, full_feature_names, **options)


def feasts_own_rows(
    config: RepoConfig,
    source: Any,
    keys: list[str],
    features: list[str],
    at: str,
    created: str | None,
    start: datetime | None,
    end: datetime | None,
) -> RetrievalJob:
    """What Feast's own store answers when asked for all rows of a view within [start, end]."""
    asked = (config, source, keys, features, at)
    if not needs_reader(source, config):
        return DuckDBOfflineStore.pull_all_from_table_or_query(*asked, created, start, end)
    return pull_all_from_table_or_query_ibis(*asked, reader(config), _write_data_source, created, start, end)
