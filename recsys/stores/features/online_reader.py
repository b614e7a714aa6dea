"""Reads the online features of one feature service: what the funnel asks for on every request.

The Feast registry is read once, when the reader is opened. A request then costs one MGET and a few
numpy views: no registry, no protobuf, no Python loop over features.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt
import redis
from feast import FeatureStore
from feast.errors import FeastObjectNotFoundException
from feast.on_demand_feature_view import OnDemandFeatureView

from recsys.arrays import BoolArray
from recsys.columns import ITEM_ID, USER_ID
from recsys.config import Settings
from recsys.errors import ConfigError, StoreUnavailableError
from recsys.funnel.online_features import FeatureRows
from recsys.instants import now_micros
from recsys.stores.features.feast_registry import open_repository
from recsys.stores.packed.commands import read_rows, row_getter
from recsys.stores.packed.connection import open_client
from recsys.stores.packed.generations import Generations, pointer_key
from recsys.stores.packed.layout import ARRAYS, SCALARS, TEXT_LISTS, TEXTS
from recsys.stores.packed.online import PackedRedisOnlineStore, PackedRedisOnlineStoreConfig
from recsys.stores.packed.rows import PackedRows, PackedView, packed_view


@dataclass(frozen=True)
class ServiceView:
    """One view of a feature service: which of its features the service takes."""

    packed: PackedView
    name: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class _Placed:
    """The views of a service with the keys of the generations that are read."""

    generations: Generations
    user_views: tuple[ServiceView, ...]
    item_views: tuple[ServiceView, ...]


def _of_generations(views: Sequence[ServiceView], generations: Generations) -> tuple[ServiceView, ...]:
    return tuple(replace(view, packed=generations.reading(view.packed)) for view in views)


class PackedColumns(Mapping[str, npt.NDArray[Any]]):
    """Columns of several views; texts and arrays are decoded when they are first asked for."""

    def __init__(self, owner: Mapping[str, str], rows: Mapping[str, PackedRows]) -> None:
        """Args:
        owner: feature -> its view, of the features to show.
        rows: view -> its rows.
        """
        self._owner, self._rows = owner, rows
        self._decoded: dict[str, npt.NDArray[Any]] = {}

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        column = self._decoded.get(name)
        if column is None:
            column = self._decoded[name] = self._rows[self._owner[name]][name]
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._owner)

    def __len__(self) -> int:
        return len(self._owner)

    def vectors(self, name: str, width: int) -> npt.NDArray[Any]:
        """(K, width) matrix of an array feature, a row of zeros where it is missing.

        It is a view on what came from the store where every row is there.
        """
        return self._rows[self._owner[name]].vectors(name, width)


class FeatureReader:
    """Online features of one service. Safe to use from many threads.

    Attributes:
        service: name of the feature service.
        user_views, item_views: its views by their join key; on-demand views are left to the caller.
    """

    def __init__(
        self,
        service: str,
        user_views: Sequence[ServiceView],
        item_views: Sequence[ServiceView],
        open_redis: Callable[[], Any],
        timeout_seconds: float,
        project: str,
    ) -> None:
        self.service = service
        self.user_views = tuple(user_views)
        self.item_views = tuple(item_views)
        self._user_owner = _owner(self.user_views)
        self._item_owner = _owner(self.item_views)
        self._pointer = pointer_key(project)
        self._placed = _Placed(Generations(), self.user_views, self.item_views)
        self._open_redis = open_redis
        self._timeout = timeout_seconds
        self._get: Callable[[Sequence[bytes]], list[bytes | None]] | None = None

    @classmethod
    def open(cls, settings: Settings, service: str, also_of_users: str | None = None) -> "FeatureReader":
        """A reader of a service of this root's feature repository. Redis need not be up yet.

        Args:
            also_of_users: a service whose views of users are read along, those that `service` lacks.

        Raises:
            ConfigError: the repository lacks the service, has another online store, or the service has a
                view that is neither of users nor of items.
        """
        store = open_repository(settings)
        config = store.config
        if not isinstance(config.online_store, PackedRedisOnlineStoreConfig):
            raise ConfigError(
                f"{settings.feature_repo}/feature_store.yaml: online_store is {config.online_store.type!r}. "
                f"Set `type: {PackedRedisOnlineStore.__module__}.{PackedRedisOnlineStore.__name__}`."
            )
        timeout = settings.serving.feature_timeout_seconds
        views = _service_views(store, service)
        users = [view for view in views if _join_keys(view) == (USER_ID,)]
        if also_of_users is not None:
            known = {view.name for view in users}
            others = _service_views(store, also_of_users)
            users += [view for view in others if _join_keys(view) == (USER_ID,) and view.name not in known]
        return cls(
            service,
            users,
            [view for view in views if _join_keys(view) == (ITEM_ID,)],
            lambda: open_client(config, settings, timeout),
            timeout,
            store.project,
        )

    def read_user(self, user_id: str, now_us: int | None = None) -> FeatureRows:
        """The user's features (K = 1), all views in one round trip.

        Args:
            now_us: microseconds; rows older than their view's TTL at that instant count as missing.

        Raises:
            StoreUnavailableError: Redis does not answer in time.
        """
        values = self._fetch(lambda placed: _keys(placed.user_views, [user_id]))
        return _decoded(self.user_views, self._user_owner, values, 1, now_us)

    def read_items(self, item_ids: Sequence[str], now_us: int | None = None) -> FeatureRows:
        """Features of K items, in their order, all views in one round trip.

        Raises:
            StoreUnavailableError: Redis does not answer in time.
        """
        values = self._fetch(lambda placed: _keys(placed.item_views, item_ids))
        return _decoded(self.item_views, self._item_owner, values, len(item_ids), now_us)

    def read(
        self, user_id: str, item_ids: Sequence[str], now_us: int | None = None
    ) -> tuple[FeatureRows, FeatureRows]:
        """The user's features and those of K items, together in one round trip.

        Raises:
            StoreUnavailableError: Redis does not answer in time.
        """
        values = self._fetch(
            lambda placed: _keys(placed.user_views, [user_id]) + _keys(placed.item_views, item_ids)
        )
        border = len(self.user_views)
        return (
            _decoded(self.user_views, self._user_owner, values[:border], 1, now_us),
            _decoded(self.item_views, self._item_owner, values[border:], len(item_ids), now_us),
        )

    def _fetch(self, keys_of: Callable[["_Placed"], list[bytes]]) -> list[bytes | None]:
        """The rows under the keys, all of the generation that the pointer names at that instant."""
        while True:
            placed = self._placed
            raw, *rows = self._get_values([self._pointer, *keys_of(placed)])
            if raw == placed.generations.raw:
                return rows
            generations = Generations.parse(raw)
            self._placed = _Placed(
                generations,
                _of_generations(self.user_views, generations),
                _of_generations(self.item_views, generations),
            )

    def _get_values(self, keys: list[bytes]) -> list[bytes | None]:
        get = self._get
        if get is None:
            get = self._get = row_getter(self._open_redis())
        try:
            return read_rows(get, keys, self._timeout)
        except StoreUnavailableError as error:
            # The embedded server may come back elsewhere: the next request asks anew where it is.
            if isinstance(error.__cause__, redis.ConnectionError):
                self._get = None
            raise


def _service_views(store: FeatureStore, service: str) -> list[ServiceView]:
    try:
        projections = store.get_feature_service(service).feature_view_projections
    except FeastObjectNotFoundException as error:
        raise ConfigError(
            f"the feature registry has no service {service!r}. Run `feast apply` in {store.repo_path}."
        ) from error
    versions = store.config.registry.enable_online_feature_view_versioning
    views, seen = [], set[str]()
    for projection in projections:
        declared = store.registry.get_any_feature_view(projection.name, store.project)
        if isinstance(declared, OnDemandFeatureView):
            continue
        packed = packed_view(store.project, declared, versions)
        names = [field.name for field in projection.features]
        view = ServiceView(packed, projection.name, tuple(sorted(names, key=_rank(packed))))
        _check(service, view, seen)
        seen.update(names)
        views.append(view)
    return views


def _rank(packed: PackedView) -> Callable[[str], tuple[bool, str]]:
    # Numbers first: a caller that looks at one column to count the rows decodes no texts.
    return lambda name: (packed.layout.kinds[name] not in SCALARS, name)


def _check(service: str, view: ServiceView, seen: set[str]) -> None:
    keys = _join_keys(view)
    if keys not in ((USER_ID,), (ITEM_ID,)):
        raise ConfigError(
            f"service {service!r}: view {view.name!r} has the join keys {', '.join(keys) or 'none'}. "
            f"Views read while serving have exactly {USER_ID!r} or {ITEM_ID!r}."
        )
    for name in view.features:
        kind = view.packed.layout.kinds[name]
        if kind not in SCALARS and kind not in ARRAYS and kind not in (*TEXTS, *TEXT_LISTS):
            raise ConfigError(
                f"service {service!r}: feature {name!r} of view {view.name!r} is of type {kind}, which no "
                "model takes. Use numbers, texts or arrays of them."
            )
        if name in seen:
            raise ConfigError(
                f"service {service!r} has two features named {name!r}. Rename one of them in its view."
            )


def _join_keys(view: ServiceView) -> tuple[str, ...]:
    return tuple(name for name, _ in view.packed.layout.keys)


def _keys(views: Sequence[ServiceView], ids: Sequence[str]) -> list[bytes]:
    keys: list[bytes] = []
    for view in views:
        keys += view.packed.keys_of_texts(ids)
    return keys


def _owner(views: Sequence[ServiceView]) -> dict[str, str]:
    return {name: view.name for view in views for name in view.features}


def _decoded(
    views: Sequence[ServiceView],
    owner: Mapping[str, str],
    values: Sequence[bytes | None],
    count: int,
    now_us: int | None,
) -> FeatureRows:
    now = now_micros() if now_us is None else now_us
    rows: dict[str, PackedRows] = {}
    null: dict[str, BoolArray] = {}
    for place, view in enumerate(views):
        part = values[place * count : (place + 1) * count]
        found = rows[view.name] = PackedRows(view.packed.layout, part, view.packed.oldest(now))
        if found.has_nulls:
            null |= {name: mask for name in view.features if (mask := found.null(name)) is not None}
    missing = {name: each.missing for name, each in rows.items()}
    event_at = {name: each.event_at for name, each in rows.items()}
    return FeatureRows(PackedColumns(owner, rows), missing, event_at, owner, null)
