"""Feast, offline: what a FeatureService holds, and its values at past instants."""

import contextlib
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import feast
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from feast import FeatureService, FeatureStore
from feast.errors import FeastObjectNotFoundException
from feast.feature_view_projection import FeatureViewProjection
from feast.on_demand_feature_view import OnDemandFeatureView

from recsys import columns
from recsys.arrays import IntArray
from recsys.config import Settings
from recsys.errors import DataError
from recsys.features import cross
from recsys.features.history_windows import WindowsPart, windows_of_lists
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.stores.features.action_files import holds_actions
from recsys.stores.features.feast_registry import keeps_registry_at_home, open_repository
from recsys.stores.features.history_rows import HISTORY_FEATURES, windows_as_of
from recsys.stores.features.join_columns import EntityValues, check_rows, column_of, cross_columns
from recsys.stores.redis.server import redis_url

_ORDER = "__order"
APPLIED_FILE = "applied.sha256"
BUILD = "Run `recsys features build`."


@dataclass(frozen=True)
class FeatureSpec:
    """One feature of a service.

    Attributes:
        dtype: in Feast's words, for example `Int64` or `Array(Float32)`.
        entity: the join key of its view; "" where it is computed from other views at request time.
    """

    view: str
    name: str
    dtype: str
    entity: str


@dataclass(frozen=True)
class ServiceSchema:
    """The features of one FeatureService, in its order."""

    service: str
    features: tuple[FeatureSpec, ...]

    def of_entity(self, entity: str) -> tuple[FeatureSpec, ...]:
        """The features that are read by `entity`'s id."""
        return tuple(feature for feature in self.features if feature.entity == entity)

    @property
    def schema_hash(self) -> str:
        """Equal for equal services: what a bundle remembers of the features it was trained on.

        What `catalog_v1` only carries for filters and search is left out: no model was trained on it, so that
        bundles from before it was there serve on.
        """
        schema = asdict(self)
        if self.service == columns.CATALOG_SERVICE:
            carried = columns.CARRIED_CONTENT
            schema["features"] = [each for each in schema["features"] if each["name"] not in carried]
        return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()


def open_feast(settings: Settings) -> FeatureStore:
    """Feast on the feature repository and the home of `settings`, whatever the environment says.

    Raises:
        ConfigError: there is no feature repository at the root.
        DataError: it was never applied to this home.
    """
    registry = settings.paths.feast_registry
    if settings.feature_repo.exists() and not registry.exists():
        raise DataError(f"{registry} does not exist: no features yet. {BUILD}")
    store = open_repository(settings)
    for source in store.list_data_sources():
        view = source.name.removesuffix("_rows")
        # Feast keeps absolute paths: a copied home would silently read the rows of the old one.
        if view in VIEW_SCHEMAS and source.path != str(settings.paths.feature_rows(view)):
            raise DataError(f"{registry} reads {source.path}, of another home. {BUILD}")
    return store


class OfflineFeatures:
    """The offline side of the feature store of one shop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: FeatureStore | None = None

    @property
    def _store(self) -> FeatureStore:
        if self._opened is None:
            self._opened = open_feast(self._settings)
        return self._opened

    def apply(self) -> None:
        """Does what `feast apply` does in the feature repository, for this home, unless nothing changed.

        Raises:
            ConfigError: Feast refused the repository; the message ends with its own.
        """
        repo, paths = self._settings.feature_repo, self._settings.paths
        done_before, wanted = paths.features / APPLIED_FILE, self._declarations()
        if paths.feast_registry.exists() and _text_of(done_before) == wanted:
            return
        from recsys.stores.features.applying import apply_repository  # only where something changed

        apply_repository(repo, paths.home)
        self._opened = None
        done_before.parent.mkdir(parents=True, exist_ok=True)
        done_before.write_text(wanted, "utf-8")

    def _declarations(self) -> str:
        """A hash of all that an apply depends on."""
        seen = hashlib.sha256(feast.__version__.encode())
        if not keeps_registry_at_home(self._settings):
            seen.update(str(self._settings.paths.home).encode())
        files = sorted(self._settings.feature_repo.glob("*.*"))
        for file in [*files, Path(columns.__file__), Path(cross.__file__)]:
            seen.update(file.read_bytes())
        return seen.hexdigest()

    def materialize(self, end: datetime) -> None:
        """Brings online what is new up to `end`, as `feast materialize-incremental` does.

        Raises:
            StoreUnavailableError: this home has no Redis running.
        """
        online = self._store.config.online_store
        online.connection_string = online.connection_string or redis_url(self._settings)
        with contextlib.redirect_stdout(sys.stderr):
            self._store.materialize_incremental(end_date=end)

    def schema(self, service: str) -> ServiceSchema:
        """The features of `service`.

        Raises:
            DataError: there is no such service; the message names those that there are.
        """
        return ServiceSchema(service, self._specs(self._service(service).feature_view_projections))

    def schema_hash(self, service: str) -> str:
        """See `ServiceSchema.schema_hash`."""
        return self.schema(service).schema_hash

    def training_set(self, rows: pd.DataFrame, service: str) -> pd.DataFrame:
        """`rows` with one more column for each feature of `service`, as known strictly before `at`.

        Order and number of rows stay, duplicates included. Each distinct (user, at) and (item, at) is joined
        once and then spread over the rows, so a request of many candidates costs its user once.

        Numbers are float64 (float32 where the feature is), NaN where the view has no row. Stable keys are
        int64, 0 where missing. Texts are "", arrays empty numpy arrays where missing.

        Args:
            rows: user_id, item_id or both as the service asks, and `at` (aware).

        Raises:
            SchemaMismatchError: a column is missing or `at` has no zone.
            DataError: no such service, or its rows were never built.
        """
        schema = self.schema(service)
        entities = [entity for entity in (columns.USER_ID, columns.ITEM_ID) if self._asked(schema, entity)]
        check_rows(rows, service, entities)
        values = {entity: self._values_at(rows, entity, self._asked(schema, entity)) for entity in entities}
        added: dict[str, npt.NDArray[Any]] = {}
        for spec in schema.features:
            if spec.entity:
                added[spec.name] = values[spec.entity].spread(spec.name)
            elif spec.view == columns.USER_ITEM_CROSS and spec.name not in added:
                added |= cross_columns(values[columns.USER_ID], values[columns.ITEM_ID], rows[columns.AT])
        wanted = {spec.name: added[spec.name] for spec in schema.features}
        return pd.concat([rows, pd.DataFrame(wanted, index=rows.index)], axis=1)

    def history_windows(
        self, users: npt.NDArray[np.object_], at: IntArray, service: str
    ) -> Iterator[WindowsPart]:
        """The windows of user_history of `users` (R,) strictly before `at` (R,) microseconds, in parts.

        What `training_set` says of the same rows. Windows are cut from actions, as a build writes them; the
        rows of the view that an earlier version wrote go through the join.

        Raises:
            DataError: no such service, no rows were asked for, or the view's rows were never built.
        """
        asked = {spec.name for spec in self.schema(service).features if spec.view == columns.USER_HISTORY}
        path = self._settings.paths.feature_rows(columns.USER_HISTORY)
        if len(users) and asked >= set(HISTORY_FEATURES) and holds_actions(path):
            ttl = self._store.get_feature_view(columns.USER_HISTORY).ttl or timedelta()
            yield from windows_as_of(path, users, at - 1, ttl // timedelta(microseconds=1))
            return
        instants = pd.Series(pd.to_datetime(at, unit="us", utc=True)).astype("datetime64[us, UTC]")
        found = self.training_set(pd.DataFrame({columns.USER_ID: users, columns.AT: instants}), service)
        lists = (found[name].tolist() for name in HISTORY_FEATURES)
        yield WindowsPart(np.arange(len(found)), windows_of_lists(*lists))

    def values_as_of(self, view: str, ids: Sequence[str], at: IntArray, names: Sequence[str]) -> pa.Table:
        """Features `names` of one view, row i of `ids[i]` as known at `at[i]`, that instant included.

        For an audit, which compares a row with itself. A training set must not see its own instant: see
        `training_set`.

        Args:
            at: (R,) microseconds. No (id, instant) twice.

        Raises:
            DataError: no rows were asked for, or the view's rows were never built.
        """
        entity = VIEW_SCHEMAS[view].names[0]
        instants = pd.Series(pd.to_datetime(at, unit="us", utc=True)).astype("datetime64[us, UTC]")
        wanted = pd.DataFrame({entity: list(ids), columns.EVENT_TIMESTAMP: instants})
        return self._historical(wanted, [f"{view}:{name}" for name in names]).select(list(names))

    def _asked(self, schema: ServiceSchema, entity: str) -> tuple[FeatureSpec, ...]:
        """The features of `entity` in `schema`, and those that its cross features are computed from."""
        wanted = schema.of_entity(entity)
        if any(spec.view == columns.USER_ITEM_CROSS for spec in schema.features):
            view = self._store.get_on_demand_feature_view(columns.USER_ITEM_CROSS)
            sources = self._specs(view.source_feature_view_projections.values())
            wanted += tuple(spec for spec in sources if spec.entity == entity and spec not in wanted)
        return wanted

    def _specs(self, projections: Iterable[FeatureViewProjection]) -> tuple[FeatureSpec, ...]:
        specs = []
        for projection in projections:
            view = self._store.registry.get_any_feature_view(projection.name, self._store.project)
            # An on-demand view has a stand-in for an entity, which is not a key to join by.
            computed = isinstance(view, OnDemandFeatureView)
            entity = "" if computed else view.entity_columns[0].name
            specs += [
                FeatureSpec(projection.name, field.name, str(field.dtype), entity)
                for field in projection.features
            ]
        return tuple(specs)

    def _values_at(self, rows: pd.DataFrame, entity: str, specs: Sequence[FeatureSpec]) -> EntityValues:
        """`specs` at each distinct (entity, at) of `rows`."""
        # A feature row holds the events at its own instant, the label among them: look a moment earlier.
        before = rows[columns.AT].astype("datetime64[us, UTC]") - pd.Timedelta(1, unit="us")
        wanted = pd.DataFrame({entity: rows[entity].astype(str), columns.EVENT_TIMESTAMP: before})
        groups = wanted.groupby([entity, columns.EVENT_TIMESTAMP], sort=False).ngroup()
        place = np.asarray(groups, np.int64)
        table = self._historical(wanted.drop_duplicates(), [f"{spec.view}:{spec.name}" for spec in specs])
        return EntityValues({spec.name: column_of(table[spec.name], spec.name) for spec in specs}, place)

    def _historical(self, entities: pd.DataFrame, features: list[str]) -> pa.Table:
        """Feature values in the order of `entities`."""
        if not len(entities):
            raise DataError("a training set of no rows was asked for. Check what selected the rows.")
        numbered = entities.assign(**{_ORDER: np.arange(len(entities))})
        table = self._store.get_historical_features(entity_df=numbered, features=features).to_arrow()
        if len(table) != len(entities):
            raise DataError(
                f"Feast returned {len(table)} rows for {len(entities)}. Do two rows of one view and entity "
                f"share both timestamps? {BUILD}"
            )
        return table.sort_by(_ORDER)

    def _service(self, name: str) -> FeatureService:
        try:
            return self._store.get_feature_service(name)
        except FeastObjectNotFoundException as error:
            known = ", ".join(sorted(service.name for service in self._store.list_feature_services()))
            raise DataError(f"no feature service {name!r}. There are: {known or 'none'}. {BUILD}") from error


def _text_of(file: Path) -> str | None:
    return file.read_text("utf-8") if file.exists() else None
