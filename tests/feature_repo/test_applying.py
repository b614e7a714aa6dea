"""The declarations applied within a process, beside `feast apply` in one of its own."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from feast.protos.feast.core.Registry_pb2 import Registry
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

from recsys.config import Settings
from recsys.errors import ConfigError
from recsys.stores.features import applying
from recsys.stores.features.applying import apply_repository

ROOT = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the feature repository."""
    folder = tmp_path / "shop" / "feature_repo"
    shutil.copytree(ROOT / "feature_repo", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def registry_of(home: Path) -> Any:
    """What was applied, without when; of functions the text, and no history, which has views as bytes."""
    registry = Registry()
    registry.ParseFromString((home / "registry.db").read_bytes())
    return _timeless(MessageToDict(registry))


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        when = ("createdTimestamp", "lastUpdatedTimestamp", "lastUpdated", "versionId")
        left_out = (*when, "body", "featureViewVersionHistory")
        return {name: _timeless(each) for name, each in value.items() if name not in left_out}
    if isinstance(value, list):
        return sorted((_timeless(each) for each in value), key=json.dumps)
    return value


def home_like(shop: Settings, home: Path) -> Path:
    """A home with the feature rows of `shop`, and no registry."""
    shutil.copytree(shop.paths.features, home / "features")
    return home


@pytest.mark.slow
def test_applied_here_is_what_feasts_own_command_applies(
    shop: Settings, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = home_like(shop, tmp_path / "home")
    apply_repository(repository, here)
    found = registry_of(here)
    (here / "registry.db").unlink()
    monkeypatch.setattr(applying, "apply_total", None)  # as where it fails
    apply_repository(repository, here)
    assert found == registry_of(here)
    assert {each["spec"]["name"] for each in found["featureServices"]} >= {"ranking_v1", "retrieval_v1"}


def test_the_process_is_as_it_was_after_an_apply(shop: Settings, repository: Path, tmp_path: Path) -> None:
    before = (Path.cwd(), dict(os.environ), list(sys.path), sys.dont_write_bytecode)
    apply_repository(repository, home_like(shop, tmp_path / "home"))
    assert (Path.cwd(), dict(os.environ), list(sys.path), sys.dont_write_bytecode) == before
    assert not {"entities", "sources", "feature_views", "feature_services"} & set(sys.modules)


def test_a_declaration_that_changed_is_applied_by_the_same_process(
    shop: Settings, repository: Path, tmp_path: Path
) -> None:
    home = home_like(shop, tmp_path / "home")
    apply_repository(repository, home)
    file = repository / "entities.py"
    text = file.read_text("utf-8")
    assert 'owner="recsys"' in text
    file.write_text(text.replace('owner="recsys"', 'owner="another team"'), "utf-8")
    apply_repository(repository, home)
    assert "another team" in {each["spec"].get("owner") for each in registry_of(home)["entities"]}


@pytest.mark.slow
def test_a_refused_declaration_is_told_in_feasts_words(
    shop: Settings, repository: Path, tmp_path: Path
) -> None:
    (repository / "extra.py").write_text("from feast import Entity\n\nwrong = Entity(name=7)\n", "utf-8")
    with pytest.raises(
        ConfigError, match=r"`feast apply` failed in .*feature_repo: .*not an instance of str"
    ):
        apply_repository(repository, home_like(shop, tmp_path / "home"))


def test_a_repository_named_from_the_folder_one_is_in_is_applied_as_well(
    shop: Settings, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = home_like(shop, tmp_path / "home")
    monkeypatch.chdir(repository.parent)
    apply_repository(Path(repository.name), here)
    assert registry_of(here)["featureServices"]
