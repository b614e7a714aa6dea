"""With which settings a bundle is trained again, and for how many epochs."""

from pathlib import Path

import pytest

from recsys.config import RetrieverSettings, Settings
from recsys.errors import ArtifactMismatchError, DataError
from recsys.jobs.training.retrain import best_epoch, settings_as_trained, shift_seeds
from recsys.stores.registry.records import BundleRecord
from recsys.training.curves import Curves, Epoch
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


def record(run_id: str | None) -> BundleRecord:
    return BundleRecord("b1", Path("b1"), "shop", "time-split", NOW, {}, run_id, "candidate", None)


def test_the_epochs_are_read_from_the_runs_learning_curves(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    curves = Curves("retriever", "ndcg@10")
    for number, value in enumerate((0.1, 0.3, 0.2), 1):
        curves = curves.add(Epoch(number, 1.0, 1e-3, 1.0, {"ndcg@10": value}))
    curves.save(settings.paths.runs / "r1" / "retriever")
    assert best_epoch(settings, record("r1")) == 2


@pytest.mark.parametrize("run_id", ["r1", None])
def test_without_learning_curves_the_remedy_is_named(tmp_path: Path, run_id: str | None) -> None:
    with pytest.raises(DataError, match=r"curves\.json .*recsys train"):
        best_epoch(Settings(home=tmp_path), record(run_id))
