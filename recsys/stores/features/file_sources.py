"""Feast's file sources: which are Parquet, where they lie, and Feast's own joins where one holds actions."""

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
from feast.infra.offline_stores.ibis import get_historical_features_ibis
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.infra.registry.base_registry import BaseRegistry

from recsys import columns
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.instants import NEVER
from recsys.stores.features.history_rows import all_history, holds_actions


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
    if not any(path_of_actions(view.batch_source, config) for view in feature_views):
        return DuckDBOfflineStore.get_historical_features(*asked, full_feature_names, **options)

    def read(source: Any, repo_path: str) -> Any:
        path = path_of_actions(source, config)
        if path is None:
            return _read_data_source(source, repo_path)
        return ibis.memtable(all_history(path, VIEW_SCHEMAS[columns.USER_HISTORY].names, -NEVER, NEVER))

    return get_historical_features_ibis(*asked, read, _write_data_source, full_feature_names, **options)
