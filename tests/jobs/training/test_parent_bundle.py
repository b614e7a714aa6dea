"""What incremental training rejects before it does any work."""

from pathlib import Path

import pytest

from recsys.config import EvaluationSettings, IncrementalSettings, Settings
from recsys.errors import ArtifactMismatchError, ArtifactNotFoundError, DataError
from recsys.jobs.training.parent_bundle import incremental_protocol, open_parent
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.registry.records import BundleRecord
from recsys.stores.registry.registry import Registry
from tests.tiny_bundle import tiny_bundle
from tests.training.test_pipeline import two_tastes

EVALUATION = EvaluationSettings(test_days=14, validation_days=21)


def settings_of(folder: Path, **sections: object) -> Settings:
    return Settings(home=folder, evaluation=EVALUATION, **sections)


def production(settings: Settings, dataset: str) -> BundleRecord:
    bundle = tiny_bundle("parent", services={})
    manifest = bundle.manifest.model_copy(update={"dataset": dataset})
    path = save_bundle(type(bundle)(**{**vars(bundle), "manifest": manifest}), settings.paths.bundles)
    with Registry.open(settings) as registry:
        registry.register(manifest, path)
        return registry.promote("parent")


def opened(settings: Settings, record: BundleRecord | None) -> None:
    shop = two_tastes()
    split = shop.split("time-split", settings.evaluation)
    open_parent(settings, record, shop, split, OfflineFeatures(settings))


def test_without_a_bundle_in_production_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"no bundle is in production.*`recsys train` first"):
        opened(settings_of(tmp_path), None)


def test_a_bundle_of_another_shop_is_named(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with pytest.raises(ArtifactMismatchError, match="data set 'corner-shop', not 'two-tastes'"):
        opened(settings, production(settings, "corner-shop"))


def test_a_bundle_of_another_encoder_is_named(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, text={"encoder": "other"})
    with pytest.raises(ArtifactMismatchError, match=r"encoder 'minilm', not 'other'.*without --incremental"):
        opened(settings, production(settings, "two-tastes"))


def test_a_bundle_that_knows_everything_already_is_rejected_with_the_instants(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with pytest.raises(DataError, match=r"nothing new to learn.*learned until 2025-03-01.*1970-04-1"):
        opened(settings, production(settings, "two-tastes"))


def test_fewer_days_are_held_back_than_for_a_report(tmp_path: Path) -> None:
    info = two_tastes().info
    settings, protocol = incremental_protocol(settings_of(tmp_path), None, info)
    assert protocol == "time-split"
    assert (settings.evaluation.test_days, settings.evaluation.validation_days) == (7, 7)
    nothing_held = settings_of(tmp_path, incremental=IncrementalSettings(test_days=0, validation_days=3))
    settings, protocol = incremental_protocol(nothing_held, None, info)
    assert (protocol, settings.evaluation.validation_days) == ("all", 3)


def test_data_without_a_clock_has_nothing_that_is_new(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="clock 'order'"):
        incremental_protocol(settings_of(tmp_path), None, two_tastes("order").info)
    with pytest.raises(DataError, match="protocol 'leave-one-out'"):
        incremental_protocol(settings_of(tmp_path), "leave-one-out", two_tastes().info)
