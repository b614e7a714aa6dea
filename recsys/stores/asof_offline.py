"""The old path of `recsys.stores.features.asof_join`, which feature_store.yaml files may name."""

from recsys.stores.features.asof_join import AsofDuckDBOfflineStore, AsofDuckDBOfflineStoreConfig

__all__ = ["AsofDuckDBOfflineStore", "AsofDuckDBOfflineStoreConfig"]
