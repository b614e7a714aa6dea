"""What is estimated before a training is what the training then is."""

import json
from pathlib import Path

from recsys.training.curves import Curves
from recsys.training.estimate import probe_sizes, rough_sizes
from recsys.training.feature_reads import read_catalog
from recsys.training.pipeline import train_bundle
from tests.training.test_pipeline import NOW, SETTINGS, USERS, job, two_tastes


def test_steps_and_parameters_are_those_of_the_training(tmp_path: Path) -> None:
    work, features = job(two_tastes(), "time-split", tmp_path)
    shop, split = work.shop.interactions, work.split
    items, text = read_catalog(features, shop.items, int(shop.at.max()) + 1)
    sizes, seconds = probe_sizes(SETTINGS, split, shop, items, text.shape[1], clock=True)
    steps: list[int] = []

    class Bar:
        def __init__(self, label: str, total: int | None) -> None:
            if label == "train retriever":
                steps.append(total or 0)

        def __enter__(self):  # type: ignore[no-untyped-def]
            return lambda count: None

        def __exit__(self, *error: object) -> None: ...

    from dataclasses import replace

    bundle = train_bundle(replace(work, progress=Bar, with_ranker=False), "b", NOW)  # type: ignore[arg-type]
    assert sizes.steps_an_epoch * SETTINGS.retriever.epochs == steps[0]
    assert sizes.parameters == sum(weight.numel() for weight in bundle.retriever.parameters())
    assert sizes.users == USERS
    assert 0 < seconds < 5
    curves = Curves.rebuild(json.loads((tmp_path / "retriever" / "curves.json").read_text()))
    assert len(curves.epochs) <= SETTINGS.retriever.epochs


def test_rough_sizes_are_near_the_probed_ones(tmp_path: Path) -> None:
    work, _ = job(two_tastes(), "time-split", tmp_path)
    rough = rough_sizes(SETTINGS, work.split, work.shop.interactions, 12)
    assert (rough.users, rough.items, rough.events) == (USERS, 20, len(work.shop.interactions))
    assert rough.steps_an_epoch > 0
