"""Whether a bundle may serve: it loads, unchanged, and fits the features of today."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.config import Settings
from recsys.models.bundle import Bundle
from recsys.stores.bundles.bundles import load_bundle, load_manifest

if TYPE_CHECKING:
    from recsys.stores.features.offline import OfflineFeatures

SchemaHashes = Callable[[Settings, Collection[str]], dict[str, str] | None]


def schema_hashes(settings: Settings, services: Collection[str]) -> dict[str, str] | None:
    """Schema hash of each of today's feature services; None if none were applied yet."""
    if not settings.paths.feast_registry.exists():
        return None
    from recsys.stores.features.offline import OfflineFeatures  # Feast, which a home without it need not load

    features = OfflineFeatures(settings)
    return {service: features.schema_hash(service) for service in services}


def load_fitting(path: Path, features: "OfflineFeatures") -> Bundle:
    """The bundle at `path`.

    Raises:
        ArtifactError: it cannot be loaded, or was trained on other features than those of today.
    """
    services = load_manifest(path).services
    return load_bundle(path, {service: features.schema_hash(service) for service in services})


def check_bundle(
    path: Path, settings: Settings, *, schemas: bool = True, hashes: SchemaHashes = schema_hashes
) -> list[str]:
    """Loads the bundle at `path` and compares its feature services; returns what could not be checked.

    Args:
        schemas: whether the services must fit.
        hashes: where the schema hashes of today come from.

    Raises:
        ArtifactNotFoundError: no bundle there.
        ArtifactMismatchError: it was changed, cannot be loaded or was trained on other features.
    """
    services = load_manifest(path).services
    today = hashes(settings, services) if schemas and services else None
    load_bundle(path, today)
    if today is not None or not services:
        return []
    reason = "its feature repository is not applied yet" if schemas else "as asked"
    return [f"the feature schema of {path.name!r} was not checked: {reason}"]
