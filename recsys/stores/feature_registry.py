"""Feast's registry in the work directory of the shop, found without an exported variable."""

import os
import uuid
from pathlib import Path

from feast.infra.registry.file import FileRegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig

from recsys.config import load_settings


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
        self._filepath = folder / f".{target.name}.{uuid.uuid4().hex}"
        try:
            super()._write_registry(registry_proto)
            os.replace(self._filepath, target)
        finally:
            self._filepath.unlink(missing_ok=True)
            self._filepath = target
