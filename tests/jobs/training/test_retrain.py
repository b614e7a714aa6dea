"""With which settings a bundle is trained again, and which bundles are."""

from pathlib import Path

import pytest

from recsys.config import RetrieverSettings, Settings
from recsys.errors import ArtifactMismatchError, DataError
from recsys.jobs.training.retrain import check_retraining, settings_as_trained, shift_seeds
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.registry.records import BundleRecord
from tests.tiny_bundle import NOW, tiny_bundle


def test_settings_are_those_of_the_bundle_and_threads_those_of_the_machine() -> None:
    manifest = tiny_bundle().manifest.model_copy(
        update={"settings": {"retriever": {"width": 8, "seed": 5, "threads": 32}}}
    )
    today = Settings(retriever=RetrieverSettings(width=16, epochs=7, threads=1))
    found = settings_as_trained(manifest, today).retriever
    assert (found.width, found.seed, found.epochs, found.threads) == (8, 5, 7, 1)


def test_settings_that_are_gone_are_named() -> None:
    manifest = tiny_bundle().manifest.model_copy(update={"settings": {"fusion": {"experts": 3}}})
    with pytest.raises(ArtifactMismatchError, match="experts"):
        settings_as_trained(manifest, Settings())


def test_every_seed_moves_on() -> None:
    changed = shift_seeds(Settings(retriever=RetrieverSettings(seed=4)), 2)
    assert (changed.retriever.seed, changed.fusion.seed, changed.ranker.seed) == (6, 2, 2)


def test_a_bundle_that_goes_on_from_another_has_no_training_of_its_own_to_repeat(tmp_path: Path) -> None:
    """Where validation only chooses, all of the training is done again; with other seeds it may go on too."""
    manifest = tiny_bundle("b1").manifest.model_copy(update={"parent": "b0"})
    path = save_bundle(tiny_bundle("b1", manifest=manifest), tmp_path)
    record = BundleRecord("b1", path, "shop", "time-split", NOW, {}, "r1", "candidate", None)
    with pytest.raises(DataError, match="'b1' goes on from 'b0'"):
        check_retraining(Settings(), record, from_the_start=True)
    check_retraining(Settings(), record, from_the_start=False)
