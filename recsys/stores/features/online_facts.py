"""What the online store of a home says of itself: whose it is, whether it was given rows, and when."""

from typing import Any

from feast import FeatureStore
from feast.utils import make_tzaware

from recsys.columns import USER_ID
from recsys.config import Settings
from recsys.health.facts import StoreFacts
from recsys.instants import to_micros
from recsys.stores.features.feast_registry import keeps_registry_at_home, open_repository
from recsys.stores.lake.dataset_files import INFO_FILE
from recsys.stores.packed.connection import open_client, repository_url
from recsys.stores.packed.rows import PackedView, materialized_key, packed_view
from recsys.stores.redis.client import open_url, redis_errors
from recsys.stores.redis.memory import memory_of
from recsys.stores.redis.shop_claim import MARK
from recsys.stores.shop_identity import known_shop_id, short_id

TIMEOUT_SECONDS = 1.0


class OnlineStoreProbe:
    """Looks at the online store of a home, again and again; writes nothing there, no shop's mark either."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._applied_at: float | None = None
        self._store: FeatureStore | None = None
        self._views: list[tuple[PackedView, bool]] = []
        self._registered_at: int | None = None

    def look(self) -> StoreFacts:
        """What is there now; without an applied feature repository the server has no rows.

        Raises:
            ConfigError: the feature repository cannot be read, or the home's shop.json is damaged.
            StoreUnavailableError: the store does not answer.
        """
        store, shop = self._repository(), known_shop_id(self._settings)
        with self._client(store) as client, redis_errors("look at the online store", TIMEOUT_SECONDS):
            owner: bytes | None = client.get(MARK)
            if owner is not None and shop is not None and owner.decode() != shop:
                return StoreFacts(owner=short_id(owner.decode()), is_ours=False)
            filled = {
                of_users
                for view, of_users in self._views
                if client.get(view.schema_key) == view.layout.fingerprint.encode()
            }
            noted = client.hgetall(materialized_key(store.project)).values()
            memory = memory_of(client)
        # A server that was filled by an earlier version, or by another engine of Feast, has no note.
        materialized_at = max(map(int, noted)) if noted else self._registered_at if filled else None
        return StoreFacts(
            is_ours=owner is not None or not (self._settings.paths.data / INFO_FILE).exists(),
            has_user_rows=True in filled,
            has_item_rows=False in filled,
            materialized_at=materialized_at,
            memory_bytes=memory.used,
            memory_bound_bytes=memory.bound,
        )

    def _repository(self) -> FeatureStore:
        """The repository; opened again where its registry has changed since."""
        registry = self._settings.paths.feast_registry
        applied_at: float | None = registry.stat().st_mtime if registry.exists() else 0.0
        if not applied_at and keeps_registry_at_home(self._settings):
            applied_at = None  # Feast makes a registry that is not there, and whoever only looks must not
        if self._store is None or applied_at != self._applied_at:
            store, self._views, self._registered_at = open_repository(self._settings), [], None
            if applied_at is not None:
                views = store.list_feature_views()
                versions = store.config.registry.enable_online_feature_view_versioning
                self._views = [_packed(store.project, view, versions) for view in views]
                ends = [
                    to_micros(make_tzaware(end))
                    for view in views
                    for _, end in view.materialization_intervals
                ]
                self._registered_at = max(ends, default=None)
            self._store, self._applied_at = store, applied_at
        return self._store

    def _client(self, store: FeatureStore) -> Any:
        url = repository_url(store.config, self._settings)
        if url:
            return open_url(url, TIMEOUT_SECONDS)
        return open_client(store.config, self._settings, TIMEOUT_SECONDS)


def _packed(project: str, view: Any, versions: bool) -> tuple[PackedView, bool]:
    """(view, whether it is of users)."""
    packed = packed_view(project, view, versions)
    return packed, [name for name, _ in packed.layout.keys] == [USER_ID]
