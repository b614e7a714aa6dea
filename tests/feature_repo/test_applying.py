"""The declarations applied within a process, beside `feast apply` in one of its own."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from feast.protos.feast.core.Registry_pb2 import Registry

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


def registry_of(home: Path) -> Registry:
    """What was applied; of data sources without when."""
    registry = Registry.FromString((home / "registry.db").read_bytes())
    for each in registry.data_sources:
        each.ClearField("meta")
    return registry


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
    theirs = registry_of(here)
    assert found.feature_views
    assert found.feature_services
    sources = [{each.name: each for each in one.data_sources} for one in (found, theirs)]
    assert sources[0] == sources[1]
    for kind in ("projects", "entities", "feature_views", "feature_services"):
        specs = [{each.spec.name: each.spec for each in getattr(one, kind)} for one in (found, theirs)]
        assert specs[0] == specs[1], kind
    (ours,), (other,) = found.on_demand_feature_views, theirs.on_demand_feature_views
    assert ours.spec.features == other.spec.features
    assert (
        ours.spec.feature_transformation.user_defined_function.body_text
        == other.spec.feature_transformation.user_defined_function.body_text
    )


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
    owner = registry_of(home).entities[0].spec.owner
    file.write_text(text.replace(f'owner="{owner}"', 'owner="another team"'), "utf-8")
    assert file.read_text("utf-8") != text
    apply_repository(repository, home)
    assert "another team" in {each.spec.owner for each in registry_of(home).entities}


@pytest.mark.slow
def test_a_refused_declaration_is_told_in_feasts_words(
    shop: Settings, repository: Path, tmp_path: Path
) -> None:
    (repository / "extra.py").write_text("from feast import Entity\n\nwrong = Entity(name=7)\n", "utf-8")
    with pytest.raises(
        ConfigError, match=r"`feast apply` failed in .*feature_repo: .*not an instance of str"
    ):
        apply_repository(repository, home_like(shop, tmp_path / "home"))
