"""A bundle keeps its click model, and one without it, of today or before, loads."""

import json
from pathlib import Path

import numpy as np
import pytest

from recsys.errors import ArtifactMismatchError
from recsys.stores.bundles.bundles import CLICK_MODEL, load_bundle, load_manifest, save_bundle
from recsys.stores.bundles.files import file_sha256
from recsys.training.stages.click_stage import with_click_model
from tests.models.ctr.test_shop_model import shop_model
from tests.tiny_bundle import tiny_bundle


def test_the_model_comes_back_with_its_service(tmp_path: Path):
    model = shop_model()
    path = save_bundle(with_click_model(tiny_bundle(), model, {"ads_v1": "c3"}), tmp_path)
    assert load_manifest(path).services["ads_v1"] == "c3"
    again = load_bundle(path).click_model
    assert again is not None
    assert again.codes == model.codes
    item, odds = np.array([1, 2, 5]), np.array([0.5, -1.0, 0.0])
    np.testing.assert_allclose(again.model.attraction(1, item, odds), model.model.attraction(1, item, odds))
    np.testing.assert_allclose(again.examination("home", 3), model.examination("home", 3))


def test_a_bundle_of_before_there_were_click_models_loads(tmp_path: Path):
    path = save_bundle(tiny_bundle(), tmp_path)
    assert "click_model" not in json.loads((path / "description.json").read_text("utf-8"))
    assert not (path / CLICK_MODEL).exists()
    assert load_bundle(path).click_model is None


def test_another_schema_of_the_ads_service_is_refused(tmp_path: Path):
    path = save_bundle(with_click_model(tiny_bundle(), shop_model(), {"ads_v1": "c3"}), tmp_path)
    today = {"retrieval_v1": "a1", "ranking_v1": "b2", "ads_v1": "other"}
    with pytest.raises(ArtifactMismatchError, match="'ads_v1'"):
        load_bundle(path, today)


def test_weights_of_another_model_are_refused(tmp_path: Path):
    bundle = with_click_model(tiny_bundle(), shop_model(), {"ads_v1": "c3"})
    path = save_bundle(bundle, tmp_path)
    (path / CLICK_MODEL).write_bytes((path / "fusion.safetensors").read_bytes())
    manifest = load_manifest(path)
    files = {**manifest.files, CLICK_MODEL: file_sha256(path / CLICK_MODEL)}
    (path / "manifest.json").write_text(
        manifest.model_copy(update={"files": files}).model_dump_json(), "utf-8"
    )
    with pytest.raises(ArtifactMismatchError):
        load_bundle(path)
