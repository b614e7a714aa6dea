"""A Feast compute engine that materializes Arrow columns straight into the packed online store.

In `feature_store.yaml`:

    batch_engine:
      type: recsys.stores.packed.engine.PackedComputeEngine

It is Feast's local engine with three steps exchanged. Filtering without a filter no longer copies the
table through pandas (which turns whole numbers with gaps into floats on the way); of the rows of an entity
the latest is kept by sorting Arrow columns; and rows are packed from columns instead of a protobuf
value for each cell. With any other online store, and in dual mode, the last step is Feast's own.
"""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute
from feast import utils
from feast.infra.common.materialization_job import MaterializationJobStatus
from feast.infra.compute_engines.local.arrow_table_value import ArrowTableValue
from feast.infra.compute_engines.local.compute import LocalComputeEngine, LocalComputeEngineConfig
from feast.infra.compute_engines.local.feature_builder import LocalFeatureBuilder
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.compute_engines.local.nodes import LocalDedupNode, LocalFilterNode, LocalOutputNode
from feast.utils import _validate_vector_field_lengths

from recsys.instants import CLOCK_TOLERANCE, EPOCH, from_micros, now_micros
from recsys.stores.packed.connection import open_client
from recsys.stores.packed.online import PackedRedisOnlineStore
from recsys.stores.packed.rows import materialized_key
from recsys.stores.redis.client import redis_errors
from recsys.stores.redis.clock import ClockFaults, count_clock_faults, server_micros

BATCH_ROWS = 20_000  # packed at once: bounds the memory of views with long vectors

log = logging.getLogger(__name__)
pc: Any = pyarrow.compute  # its stubs do not know that a function of an array returns an array


class PackedComputeEngineConfig(LocalComputeEngineConfig):  # type: ignore[misc]
    """Settings of the engine: those of Feast's local engine."""

    type: Literal["recsys.stores.packed.engine.PackedComputeEngine"] = (
        "recsys.stores.packed.engine.PackedComputeEngine"
    )
    backend: str | None = "pandas"


class PackedComputeEngine(LocalComputeEngine):  # type: ignore[misc]
    """Feast's local engine, materializing by columns."""

    def __init__(self, backend: str | None = "pandas", **settings: Any) -> None:
        super().__init__(backend=backend, **settings)

    def _materialize_one(self, registry: Any, task: Any, **settings: Any) -> LocalMaterializationJob:
        job_id = f"{task.feature_view.name}-{task.start_time}-{task.end_time}"
        try:
            task = self._from_the_beginning_where_new(task)
            if isinstance(self.online_store, PackedRedisOnlineStore):
                task = _bounded(task, self.repo_config)
            context = self.get_execution_context(registry, task)
            builder = _ColumnarBuilder(registry, task, backend=self._get_backend(context))
            builder.build().execute(context)
            if isinstance(self.online_store, PackedRedisOnlineStore):
                _note_materialized(self.repo_config, task.feature_view)
        except Exception as error:  # Feast's contract: a job carries its error, the caller raises it
            return LocalMaterializationJob(job_id, MaterializationJobStatus.ERROR, error)
        return LocalMaterializationJob(job_id, MaterializationJobStatus.SUCCEEDED)

    def _from_the_beginning_where_new(self, task: Any) -> Any:
        """An incremental task for a server that has no row of the view begins where the rows do.

        Feast's registry knows how far a view was materialized, and not to which server: one that is new, was
        emptied or knows an earlier schema only would get the newest rows alone.
        """
        store, ends = self.online_store, [end for _, end in task.feature_view.materialization_intervals]
        incremental = bool(ends) and utils.make_tzaware(max(ends)) == utils.make_tzaware(task.start_time)
        if not incremental or not isinstance(store, PackedRedisOnlineStore):
            return task
        if store.has_rows(self.repo_config, task.feature_view):
            return task
        return replace(task, start_time=from_micros(0))


class _ColumnarBuilder(LocalFeatureBuilder):  # type: ignore[misc]
    def build_filter_node(self, view: Any, input_node: Any) -> Any:
        return self._added(
            _FilterNode(
                "filter",
                self.get_column_info(view),
                self.backend,
                getattr(view, "filter", None),
                getattr(view, "ttl", None),
                inputs=[input_node],
            )
        )

    def build_dedup_node(self, view: Any, input_node: Any) -> Any:
        return self._added(
            _LatestNode("dedup", self.get_column_info(view), self.backend, inputs=[input_node])
        )

    def build_output_nodes(self, view: Any, input_node: Any) -> Any:
        return self._added(_PackedOutputNode("output", self.dag_root.view, inputs=[input_node]))

    def _added(self, node: Any) -> Any:
        self.nodes.append(node)
        return node


class _FilterNode(LocalFilterNode):  # type: ignore[misc]
    def execute(self, context: Any) -> Any:
        if self.filter_expr or context.entity_df is not None:
            return super().execute(context)
        return _output(self, context, self.get_single_table(context).data)


class _LatestNode(LocalDedupNode):  # type: ignore[misc]
    def execute(self, context: Any) -> Any:
        info = self.column_info
        table = self.get_single_table(context).data
        stamps = [info.timestamp_column, info.created_timestamp_column]
        stamps = [name for name in stamps if name in table.column_names]
        if info.join_keys_columns and len(table):
            table = latest_rows(table, list(info.join_keys_columns), stamps)
        return _output(self, context, table)


class _PackedOutputNode(LocalOutputNode):  # type: ignore[misc]
    def execute(self, context: Any) -> Any:
        store, config = context.online_store, context.repo_config
        if not isinstance(store, PackedRedisOnlineStore) or config.online_store.dual:
            return super().execute(context)
        table = self.get_single_table(context).data
        if len(table) and self.feature_view.online:
            _validate_vector_field_lengths(table, self.feature_view)
            for batch in table.to_batches(max_chunksize=BATCH_ROWS):
                store.write_table(config, self.feature_view, batch)
        if len(table) and self.feature_view.offline:
            context.offline_store.offline_write_batch(
                config=config, feature_view=self.feature_view, table=table, progress=lambda rows: None
            )
        return _output(self, context, table)


def _note_materialized(config: Any, view: Any) -> None:
    """Notes on the server that a view was materialized now: Feast's registry does not say into which."""
    client = open_client(config)
    try:
        with redis_errors("note a materialization"):
            client.hset(materialized_key(config.project), view.name, now_micros())
    finally:
        client.close()


def _bounded(task: Any, config: Any) -> Any:
    """The task with instants that have come, by the online store's clock.

    Rows of midnights to come would hide those of now. And Feast notes an instant from the future as the one
    from which the next incremental run goes on: what came before it is then taken from the beginning.
    """
    client = open_client(config)
    try:
        now = from_micros(server_micros(client))
        latest = now + timedelta(microseconds=CLOCK_TOLERANCE)
        if task.start_time <= latest and task.end_time <= latest:
            return task
        count_clock_faults(client, ClockFaults(batches_ahead=1))
    finally:
        client.close()
    start = EPOCH if task.start_time > latest else task.start_time
    log.warning(
        "%s from %s to %s lies ahead of the online store's clock: taken from %s to %s",
        task.feature_view.name,
        *(f"{instant:%Y-%m-%d %H:%M}" for instant in (task.start_time, task.end_time, start, now)),
    )
    return replace(task, start_time=start, end_time=min(task.end_time, now))


def latest_rows(table: pa.Table, keys: list[str], stamps: list[str]) -> pa.Table:
    """The last row of each entity by `stamps`, in the order of the table; of equal rows the last one.

    Args:
        keys: join keys.
        stamps: event timestamp and, where there is one, created timestamp.
    """
    codes = np.zeros(len(table), np.int64)
    for name in keys:
        column = table.column(name).combine_chunks()
        encoded = pc.dictionary_encode(column, null_encoding="encode")
        codes = codes * len(encoded.dictionary) + encoded.indices.to_numpy(zero_copy_only=False)
    times = [pc.cast(table.column(name), pa.int64()).fill_null(0).to_numpy() for name in stamps]
    order = np.lexsort((*reversed(times), codes))
    last = np.append(codes[order][1:] != codes[order][:-1], True)
    kept = np.sort(order[last])
    return table if len(kept) == len(table) else table.take(pa.array(kept))


def _output(node: Any, context: Any, table: pa.Table) -> Any:
    value = ArrowTableValue(table)
    context.node_outputs[node.name] = value
    return value
