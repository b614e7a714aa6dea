"""Only a bundle that loads and fits today's features may serve."""

from collections.abc import Collection
from pathlib import Path

import pytest

from recsys.config import Settings
from recsys.errors import ArtifactMismatchError, ArtifactNotFoundError
from recsys.jobs.promotion.bundle_check import SchemaHashes, check_bundle, schema_hashes
from recsys.stores.bundles.bundles import save_bundle
from tests.tiny_bundle import SERVICES, tiny_bundle


def today(hashes: dict[str, str] | None) -> SchemaHashes:
    def answer(settings: Settings, services: Collection[str]) -> dict[str, str] | None:
        return None if hashes is None else {name: hashes[name] for name in services}

    return answer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save_bundle(tiny_bundle(), tmp_path / "bundles")


def test_a_bundle_that_fits_passes_without_a_word(path: Path) -> None:
    assert check_bundle(path, Settings(), hashes=today(SERVICES)) == []


def test_a_bundle_of_another_schema_is_rejected(path: Path) -> None:
    with pytest.raises(ArtifactMismatchError, match=r"'ranking_v1'.*b2.*c3.*recsys train"):
        check_bundle(path, Settings(), hashes=today(SERVICES | {"ranking_v1": "c3"}))


def test_force_passes_over_the_schema_and_says_so(path: Path) -> None:
    hashes = today(SERVICES | {"ranking_v1": "c3"})
    assert check_bundle(path, Settings(), schemas=False, hashes=hashes) == [
        "the feature schema of 'shop-1' was not checked: as asked"
    ]


def test_force_does_not_pass_over_a_damaged_file(path: Path) -> None:
    (path / "items.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtifactMismatchError, match=r"items\.parquet was changed"):
        check_bundle(path, Settings(), schemas=False, hashes=today(SERVICES))


def test_features_that_were_never_applied_are_noted(path: Path, tmp_path: Path) -> None:
    notes = check_bundle(path, Settings(home=tmp_path / "empty"))
    assert notes == [
        "the feature schema of 'shop-1' was not checked: its feature repository is not applied yet"
    ]


def test_asking_for_schemas_before_they_are_applied_makes_nothing(tmp_path: Path) -> None:
    assert schema_hashes(Settings(home=tmp_path / "empty"), SERVICES) is None
    assert not (tmp_path / "empty").exists()


def test_a_bundle_without_feature_services_has_nothing_to_compare(tmp_path: Path) -> None:
    path = save_bundle(tiny_bundle(services={}), tmp_path)
    assert check_bundle(path, Settings(), hashes=today(None)) == []


def test_a_folder_that_went_away_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFoundError):
        check_bundle(tmp_path / "gone", Settings(), hashes=today(SERVICES))
