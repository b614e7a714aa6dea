"""Feast's registry in the work directory of the shop, found without an exported variable."""

import logging
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from feast import FeatureStore
from feast.infra.registry.file import FileRegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import FeastConfigError, RegistryConfig, RepoConfig, load_repo_config
from pydantic import ValidationError

from recsys.atomic import replacing
from recsys.config import Settings, load_settings
from recsys.errors import ConfigError
from recsys.home import HomePaths
from recsys.instants import from_micros

log = logging.getLogger(__name__)

HOME_REGISTRIES = (
    "recsys.stores.features.feast_registry.HomeRegistryStore",
    "recsys.stores.feature_registry.HomeRegistryStore",  # as older feature_store.yaml files say
)


def keeps_registry_at_home(settings: Settings) -> bool:
    """Whether the registry of this root's feature repository goes along where the home is moved."""
    file = settings.feature_repo / "feature_store.yaml"
    return not file.exists() or is_home_registry(load_configuration(settings, offline=False).registry_config)


def load_configuration(settings: Settings, offline: bool = True) -> RepoConfig:
    """What feature_store.yaml says.

    Args:
        offline: whether the offline store is imported at once, and so is known to be there, or when it is
            used. Ours takes a second and 60 MB, and who reads online has no use for it.

    Raises:
        ConfigError: there is no feature repository at the root, or the file is broken.
    """
    file = settings.feature_repo / "feature_store.yaml"
    if not file.exists():
        raise ConfigError(
            f"{file} does not exist. Run in a shop's folder (or below it) that holds feature_repo/, as "
            "`recsys init DIR` makes it, or in a checkout."
        )
    read = load_repo_config if offline else _load_without_offline_store
    try:
        return read(settings.feature_repo, file)
    except (FeastConfigError, yaml.YAMLError, OSError, TypeError) as error:
        raise ConfigError(f"{file} cannot be read: {' '.join(str(error).split())}. Mend it.") from error


def _load_without_offline_store(repo: Path, file: Path) -> RepoConfig:
    """As `load_repo_config`; of an offline store without settings the configuration holds the name only."""
    document = yaml.safe_load(os.path.expandvars(file.read_text()))
    match document:
        case {"offline_store": {"type": str(name), **others}} if not others:
            document["offline_store"] = name
        case _:
            return load_repo_config(repo, file)
    try:
        config = RepoConfig(**document)
    except ValidationError as error:
        raise FeastConfigError(error, file) from error
    config.repo_path = repo
    return config


def open_repository(settings: Settings) -> FeatureStore:
    """Feast on the repository of `settings`, with the registry of their home, whatever the environment says.

    Raises:
        ConfigError: there is no feature repository at the root.
    """
    config = load_configuration(settings, offline=False)
    registry = config.registry_config
    if not is_home_registry(registry):
        return FeatureStore(repo_path=str(settings.feature_repo))
    config.registry_config = {"path": str(settings.paths.feast_registry), **registry}
    store = FeatureStore(config=config)
    store.repo_path = settings.feature_repo
    return store


def is_home_registry(registry: Any) -> bool:
    """Whether the `registry` of a feature_store.yaml is the file of the home."""
    return isinstance(registry, dict) and registry.get("registry_store_type") in HOME_REGISTRIES


class HomeRegistryStore(FileRegistryStore):  # type: ignore[misc]
    """`registry.registry_store_type` of feature_store.yaml: the registry file of this shop's home.

    A path in the configuration is taken as it is; without one the home is found as every command finds it:
    RECSYS_HOME, else recsys.toml, else `.recsys/` at the root above the Feast repository.
    """

    _filepath: Path

    def __init__(self, registry_config: RegistryConfig, repo_path: Path | None) -> None:
        path = registry_config.path or str(load_settings(start=repo_path).paths.feast_registry)
        super().__init__(RegistryConfig(path=path), repo_path or Path.cwd())

    def get_registry_proto(self) -> RegistryProto:
        """What the file says, with the rows of this home: Feast keeps absolute paths, and homes are moved."""
        registry: RegistryProto = super().get_registry_proto()
        home = HomePaths(self._filepath.parent)
        if self._filepath != home.feast_registry:
            return registry
        for source in _file_sources(registry):
            rows = home.feature_rows(source.name.removesuffix("_rows"))
            if source.file_options.uri.endswith(f"/{rows.relative_to(home.home)}"):
                source.file_options.uri = str(rows)
        return registry

    def _write_registry(self, registry_proto: RegistryProto) -> None:
        # Feast truncates the file and then writes it; a service that refreshes in between would see half.
        folder = self._filepath.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = self._filepath
        with replacing(target) as partial:
            self._filepath = partial
            try:
                super()._write_registry(registry_proto)
                partial.chmod(0o600)  # `feast` as typed is no entry point of ours
            finally:
                self._filepath = target


def _file_sources(registry: RegistryProto) -> Iterator[Any]:
    """Every mention of a data source in a registry."""
    given = list(registry.data_sources)
    for view in registry.feature_views:
        given += [view.spec.batch_source, view.spec.stream_source]
    for source in given:
        yield source
        if source.HasField("batch_source"):  # of a push source
            yield source.batch_source


def rewind_materialization(settings: Settings, since: Mapping[str, int]) -> None:
    """Makes views count as materialized up to just before an instant, whatever was done before.

    Feast's registry knows intervals only, and `feast materialize-incremental` begins at the end of the last.

    Args:
        since: view -> microseconds.
    """
    config = open_repository(settings).config
    if not is_home_registry(config.registry_config):
        log.warning(
            "rows from before the last materialization changed, and this registry is not the home's own: run "
            "`feast materialize %s NOW` once",
            from_micros(min(since.values())).isoformat(),
        )
        return
    store = HomeRegistryStore(config.registry, settings.feature_repo)
    registry = store.get_registry_proto()
    for view in registry.feature_views:
        if (until := since.get(view.spec.name)) is not None:
            _cut_intervals(view.meta.materialization_intervals, from_micros(max(until - 1, 0)))
    store.update_registry_proto(registry)


def _cut_intervals(intervals: Any, until: datetime) -> None:
    kept = []
    for interval in intervals:
        if interval.start_time.ToDatetime(UTC) < until:
            if interval.end_time.ToDatetime(UTC) > until:
                interval.end_time.FromDatetime(until)
            kept.append(interval)
    kept = [type(each).FromString(each.SerializeToString()) for each in kept]
    del intervals[:]
    intervals.extend(kept)
