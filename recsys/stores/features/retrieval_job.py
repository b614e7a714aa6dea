"""What the offline store hands to Feast: a table that is ready."""

from collections.abc import Sequence

import ibis  # type: ignore[import-untyped]
import pandas as pd
import pyarrow as pa
from feast import RepoConfig
from feast.infra.offline_stores.duckdb import _write_data_source
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.saved_dataset import SavedDatasetStorage


class ArrowRetrievalJob(RetrievalJob):  # type: ignore[misc]
    """A retrieval that is done: Feast adds on-demand features and converts."""

    def __init__(
        self,
        config: RepoConfig,
        table: pa.Table,
        on_demand: Sequence[OnDemandFeatureView] = (),
        full_names: bool = False,
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        super().__init__()
        self._config = config
        self._table = table
        self._on_demand = list(on_demand)
        self._full_names = full_names
        self._metadata = metadata

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self._table.to_pandas()
        return frame

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._table

    @property
    def full_feature_names(self) -> bool:
        """Whether columns are named `view__feature`."""
        return self._full_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """Views that Feast computes from the joined table."""
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What Feast keeps about the join."""
        return self._metadata

    def persist(
        self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None
    ) -> None:
        """Writes the table where Feast's DuckDB store would write it."""
        _write_data_source(
            ibis.memtable(self.to_arrow(timeout=timeout)),
            storage.to_data_source(),
            str(self._config.repo_path),
            "overwrite",
            allow_overwrite,
        )
