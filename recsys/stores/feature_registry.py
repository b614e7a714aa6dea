"""The old path of `recsys.stores.features.feast_registry`, which feature_store.yaml files may name."""

from recsys.stores.features.feast_registry import HomeRegistryStore

__all__ = ["HomeRegistryStore"]
