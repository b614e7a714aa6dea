"""`recsys models promote-if-better`: which bundle is compared, and what is rejected."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recsys.cli.models import models
from recsys.config import load_settings
from recsys.errors import ArtifactError, ArtifactNotFoundError, DataError
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.lake.dataset_files import save_text
from recsys.stores.registry.registry import Registry
from tests.tiny_bundle import tiny_bundle


def run(*arguments: str) -> Any:
    command = ["promote-if-better", *arguments, "--json"]
    result = CliRunner().invoke(models.app, command, catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


@pytest.fixture
def trained(home: Path) -> Callable[..., None]:
    def train(bundle_id: str, promote: bool = False) -> None:
        settings, bundle = load_settings(), tiny_bundle(bundle_id, services={})
        with Registry.open(settings) as registry:
            registry.register(bundle.manifest, save_bundle(bundle, settings.paths.bundles))
            if promote:
                registry.promote(bundle_id)

    return train


def test_the_first_bundle_has_nothing_to_beat(trained: Callable[..., None]) -> None:
    trained("one")
    found = run()
    assert (found["candidate_id"], found["promoted"]) == ("one", True)
    assert found["reason"] == "nothing was in production"
    with Registry.open(load_settings()) as registry:
        assert registry.history("one")[-1].changed_by.endswith("(if better)")


def test_without_a_candidate_and_for_what_serves_already_there_is_nothing_to_compare(
    trained: Callable[..., None],
) -> None:
    trained("one", promote=True)
    with pytest.raises(ArtifactNotFoundError, match="no candidate"):
        run()
    with pytest.raises(DataError, match="'one' is in production already"):
        run("one")


def test_a_failed_audit_stops_it_before_any_work(trained: Callable[..., None]) -> None:
    trained("one")
    worst = {"feature": "active_days_90d", "share": 0.5}
    report = {"passed": False, "at": "2025-05-01T00:00:00+00:00", "mismatched": 1, "compared": 2}
    paths = load_settings().paths
    save_text(paths.reports / "audit.json", json.dumps({**report, "features": [worst]}))
    with pytest.raises(ArtifactError, match=r"audit of 2025-05-01 00:00 failed: 1 of 2.*\(50\.0%\)"):
        run()
    assert run("--skip-audit", "known")["promoted"]
