"""A card says what a model was made of, what it is worth where that was measured, and what it cannot do."""

from pathlib import Path

import pytest

from recsys.config import EvaluationSettings, Settings
from recsys.dataset.info import DatasetInfo
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import leave_one_out
from recsys.errors import ArtifactMismatchError
from recsys.evaluation.baselines import build_baselines
from recsys.evaluation.compare import evaluate_scorers
from recsys.evaluation.model_card import card_of, card_with_test, render_card
from recsys.home import HomePaths
from recsys.models.encoders.encoder_licence import encoder_licence, stated_licence
from recsys.stores.bundles.bundles import load_bundle, save_bundle
from recsys.stores.bundles.model_cards import CARD, card_files, load_card, save_evaluated_card
from recsys.stores.lake.dataset_files import save_info, save_report
from tests.tiny_bundle import NOW, tiny_bundle

INFO = DatasetInfo(
    name="corner-shop",
    clock="time",
    repeats=True,
    label_kinds=("purchase", "view"),
    events=70,
    users=2,
    items=4,
    start=NOW,
    end=NOW,
    imported_at=NOW,
    mapping_sha256="abc",
)
CLEANING = {
    "events": {
        "rows": 80,
        "kept": 70,
        "duplicates": 4,
        "cancelled": 1,
        "quarantined": 5,
        "reasons": {"no item": 5, "same event twice": 4, "cancelled": 1},
    }
}


def test_a_card_tells_data_cleaning_settings_features_and_licence() -> None:
    text = render_card(card_of(tiny_bundle().manifest, info=INFO, cleaning=CLEANING, encoder_licence="mit"))
    for line in (
        "- shop: corner-shop",
        "- what is predicted: purchase, view",
        "| events | 80 | 70 | 4 | 1 | 5 | no item 5, same event twice 4, cancelled 1 |",
        "| retriever.width | 8 |",
        "- ranking_v1: b2",
        "- text encoder: minilm: mit",
        "| ndcg@10 | 0.2500 |",
        "Test: not evaluated yet: run `recsys evaluate`.",
    ):
        assert line in text


def test_limits_fit_the_model() -> None:
    manifest = tiny_bundle().manifest
    ordered = INFO.model_copy(update={"clock": "order"})
    with_time = " ".join(card_of(manifest, info=INFO, ranker=True)["limits"])
    without = " ".join(card_of(manifest, info=ordered, ranker=False)["limits"])
    assert "feedback loop" in with_time
    assert "calibrated" in with_time
    assert "calibrated" not in without
    assert "no clock" in without
    reason = "only 3 requests have an order"
    small = " ".join(card_of(manifest.model_copy(update={"no_ranker": reason}), ranker=False)["limits"])
    assert f"There is no ranker: {reason}." in small
    assert "stood in for clicks" not in with_time
    viewed = " ".join(card_of(manifest.model_copy(update={"shown_labels": "view"}))["limits"])
    assert "so views stood in for clicks" in viewed
    child = manifest.model_copy(update={"parent": "older", "protocol": "all"})
    limits = " ".join(card_of(child)["limits"])
    assert "another bundle" in limits
    assert "cannot be tested" in limits


@pytest.fixture
def paths(tmp_path: Path) -> HomePaths:
    found = Settings(home=tmp_path / "home").paths
    save_info(found, INFO)
    save_report(found, CLEANING)
    return found


def test_a_bundle_carries_its_card_and_still_loads(paths: HomePaths) -> None:
    bundle = tiny_bundle()
    path = save_bundle(bundle, paths.bundles, card_files(bundle, paths))
    assert load_bundle(path).manifest.files.keys() >= {"card.json", "model-card.md"}
    card = load_card(path, None)
    assert card["data"]["cleaning"]["events"]["kept"] == 70
    assert (path / "model-card.md").read_text() == render_card(card)


def test_a_bundle_without_a_card_gets_one_of_its_manifest(paths: HomePaths) -> None:
    path = save_bundle(tiny_bundle(), paths.bundles)
    assert load_card(path, None)["data"]["items"] == 4


def test_a_card_that_was_changed_is_named(paths: HomePaths) -> None:
    path = save_bundle(tiny_bundle(), paths.bundles)
    report = paths.reports / "shop-1"
    report.mkdir(parents=True)
    (report / CARD).write_text("half")
    with pytest.raises(ArtifactMismatchError, match=r"card\.json cannot be read"):
        load_card(path, report)


def test_the_licence_is_what_the_encoders_readme_says(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text('---\ntags: [x]\nlicense: "mit"\n---\n# Encoder\n')
    assert encoder_licence(str(tmp_path)) == "mit"
    assert encoder_licence("some/encoder-on-a-hub") == "unknown"
    assert stated_licence("# No front matter\nlicense: mit\n") is None


def test_an_evaluation_completes_the_card_beside_the_report(paths: HomePaths, shop: Interactions) -> None:
    split = leave_one_out(shop)
    scorers = build_baselines(split.train, shop, clock=True, repeats=True)
    settings = EvaluationSettings(cutoffs=(2, 3), bootstrap_samples=20)
    found = evaluate_scorers(scorers, split, shop, settings, seen="keep")
    bundle = tiny_bundle()
    path = save_bundle(bundle, paths.bundles, card_files(bundle, paths))
    before = (path / "model-card.md").read_bytes()
    report = paths.reports / "shop-1"
    text = save_evaluated_card(path, found, report).read_text()
    assert (path / "model-card.md").read_bytes() == before
    test = load_card(path, report)["test"]
    assert test["cases"] == len(found.cases)
    assert {row["metric"] for row in test["metrics"]} >= {"hr@2", "ndcg@2", "coverage@2"}
    row = found.row(found.models[-1], "ndcg@2")
    assert row is not None
    assert f"{row.value:.4f} [{row.low:.4f}, {row.high:.4f}]" in text
    assert "By slice:" in text
    assert found.verdict is not None
    assert found.verdict.text in text
    assert card_with_test(load_card(path, None), found)["test"] == test
