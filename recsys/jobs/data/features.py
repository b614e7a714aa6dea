"""The rows of the feature views, and what a feature service holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.jobs.preconditions import check_feature_repository, check_folder_writable
from recsys.progress import Progress, silent
from recsys.stores.features.build import build_features
from recsys.stores.features.offline import OfflineFeatures, ServiceSchema


@dataclass(frozen=True)
class FeatureRows:
    """How many rows each feature view has."""

    rows: Mapping[str, int]

    def to_json(self) -> JsonObject:
        """What `recsys features build --json` prints."""
        return self.rows


@dataclass(frozen=True)
class ServiceDescription:
    """The features of a service in their order, with the hash that a bundle remembers."""

    schema: ServiceSchema

    def to_json(self) -> JsonObject:
        """What `recsys features show --json` prints."""
        return {**asdict(self.schema), "schema_hash": self.schema.schema_hash}


def build_feature_rows(
    settings: Settings, progress: Progress = silent, with_text: bool = True
) -> FeatureRows:
    """Builds the rows of every view whose inputs changed, then applies the feature repository.

    Raises:
        ConfigError: there is no feature repository, Feast rejected it, or the home cannot be written.
        DataError: nothing was imported.
        StoreUnavailableError: the disk refused.
    """
    check_feature_repository(settings)
    check_folder_writable(settings.paths.features)
    rows = build_features(settings, progress, with_text=with_text)
    with progress("feast apply", None):
        OfflineFeatures(settings).apply()
    return FeatureRows(rows)


def describe_service(settings: Settings, service: str) -> ServiceDescription:
    """Looks a feature service up.

    Raises:
        ConfigError: there is no such service.
        DataError: the feature repository was never applied to this home.
    """
    return ServiceDescription(OfflineFeatures(settings).schema(service))
