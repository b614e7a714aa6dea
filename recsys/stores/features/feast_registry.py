"""Feast's registry in the work directory of the shop, found without an exported variable."""

from pathlib import Path

from feast import FeatureStore
from feast.infra.registry.file import FileRegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig, load_repo_config

from recsys.atomic import replacing
from recsys.config import Settings, load_settings
from recsys.errors import ConfigError

HOME_REGISTRIES = (
    "recsys.stores.features.feast_registry.HomeRegistryStore",
    "recsys.stores.feature_registry.HomeRegistryStore",  # as older feature_store.yaml files say
)


def open_repository(settings: Settings) -> FeatureStore:
    """Feast on the repository of `settings`, with the registry of their home, whatever the environment says.

    Raises:
        ConfigError: there is no feature repository at the root.
    """
    file = settings.feature_repo / "feature_store.yaml"
    if not file.exists():
        raise ConfigError(
            f"{file} does not exist. Run from a checkout (or below it) that holds feature_repo/."
        )
    config = load_repo_config(settings.feature_repo, file)
    registry = config.registry_config
    if not (isinstance(registry, dict) and registry.get("registry_store_type") in HOME_REGISTRIES):
        return FeatureStore(repo_path=str(settings.feature_repo))
    config.registry_config = {"path": str(settings.paths.feast_registry), **registry}
    store = FeatureStore(config=config)
    store.repo_path = settings.feature_repo
    return store


class HomeRegistryStore(FileRegistryStore):  # type: ignore[misc]
    """`registry.registry_store_type` of feature_store.yaml: the registry file of this shop's home.

    A path in the configuration is taken as it is; without one the home is found as every command finds it:
    RECSYS_HOME, else recsys.toml, else `.recsys/` at the root above the Feast repository.
    """

    _filepath: Path

    def __init__(self, registry_config: RegistryConfig, repo_path: Path | None) -> None:
        path = registry_config.path or str(load_settings(start=repo_path).paths.feast_registry)
        super().__init__(RegistryConfig(path=path), repo_path or Path.cwd())

    def _write_registry(self, registry_proto: RegistryProto) -> None:
        # Feast truncates the file and then writes it; a service that refreshes in between would see half.
        folder = self._filepath.parent
        folder.mkdir(parents=True, exist_ok=True)
        target = self._filepath
        with replacing(target) as partial:
            self._filepath = partial
            try:
                super()._write_registry(registry_proto)
            finally:
                self._filepath = target
