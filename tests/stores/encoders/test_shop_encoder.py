import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys import columns
from recsys.config import Settings, TextSettings
from recsys.errors import ArtifactMismatchError
from recsys.models.encoders.query_encoder import TorchQueries
from recsys.models.encoders.text_encoder import load_encoder
from recsys.stores.encoders import shop_encoder
from recsys.stores.encoders.query_encoder_files import FILES, load_query_encoder, write_query_encoder
from recsys.stores.encoders.shop_encoder import compare_precisions, open_shop_encoder, shop_precision
from recsys.stores.encoders.text_precision import FILE, read_precision, shop_text_settings, write_precision
from recsys.stores.encoders.upsert_texts import UpsertTexts
from tests.models.encoders.test_text_encoder import TEXTS, WORDS, save_bert

SHOP_TEXTS = [f"{one} {two} {three}" for one in WORDS[5:] for two in WORDS[5:] for three in WORDS[5:]]


@pytest.fixture
def shop(tmp_path, monkeypatch) -> Settings:
    """A home whose processor has neither tiles nor a GPU and is fast in int8."""
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(shop_encoder, "int8_is_fast", lambda: True)
    monkeypatch.setattr(shop_encoder, "FEWEST", 100)
    monkeypatch.setattr(shop_encoder, "COMPARED", 60)
    monkeypatch.setattr(shop_encoder, "LEAST_SHARED", 0.5)  # texts of seven words have many that are as near
    folder = save_bert(tmp_path / "model")
    return Settings(home=tmp_path / "home", text=TextSettings(encoder=str(folder)))


def test_int8_is_taken_where_the_texts_allow_it_and_stays(shop):
    encoder = open_shop_encoder(shop, SHOP_TEXTS)
    found = read_precision(shop.paths)
    assert (encoder.precision, found.precision, found.texts) == ("int8", "int8", 60)
    assert found.cosine_mean >= 0.99
    assert open_shop_encoder(shop).name == encoder.name
    assert shop_precision(shop) == "int8"


def test_float32_is_kept_where_neighbours_differ(shop, monkeypatch):
    monkeypatch.setattr(shop_encoder, "LEAST_SHARED", 1.01)
    assert open_shop_encoder(shop, SHOP_TEXTS).precision == "float32"
    assert read_precision(shop.paths).precision == "float32"
    monkeypatch.setattr(shop_encoder, "LEAST_SHARED", 0.0)
    assert open_shop_encoder(shop, SHOP_TEXTS).precision == "float32"  # found once


def test_few_texts_a_slow_processor_and_a_stated_precision_are_not_looked_at(shop, monkeypatch):
    assert open_shop_encoder(shop, SHOP_TEXTS[:99]).precision == "float32"
    assert open_shop_encoder(shop).precision == "float32"
    stated = shop.model_copy(update={"text": shop.text.model_copy(update={"precision": "float32"})})
    assert open_shop_encoder(stated, SHOP_TEXTS).precision == "float32"
    monkeypatch.setattr(shop_encoder, "int8_is_fast", lambda: False)
    assert open_shop_encoder(shop, SHOP_TEXTS).precision == "float32"
    assert read_precision(shop.paths) is None


def test_rows_of_a_version_before_stay_in_float32(shop):
    file = shop.paths.feature_rows(columns.ITEM_TEXT)
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"item_id": ["lamp"]}), file)
    assert open_shop_encoder(shop, SHOP_TEXTS).precision == "float32"
    pq.write_table(pa.table({"item_id": pa.array([], pa.string())}), file)  # built without texts
    assert open_shop_encoder(shop, SHOP_TEXTS).precision == "int8"


def test_other_weights_are_looked_at_anew(shop):
    open_shop_encoder(shop, SHOP_TEXTS)
    found = read_precision(shop.paths)
    write_precision(shop.paths, type(found)(**{**vars(found), "encoder": "of other weights"}))
    assert open_shop_encoder(shop).precision == "float32"
    assert open_shop_encoder(shop, SHOP_TEXTS).precision == "int8"
    assert read_precision(shop.paths) == found


def test_a_file_that_cannot_be_read_is_refused(shop):
    shop.paths.features.mkdir(parents=True)
    (shop.paths.features / FILE).write_text(json.dumps({"precision": "int8"}))
    with pytest.raises(ArtifactMismatchError, match=r"Delete .* and run `recsys features build`"):
        shop_text_settings(shop)


def test_a_changed_text_has_the_vector_and_the_label_of_what_was_found(shop):
    upserts = UpsertTexts(shop)
    before = upserts.vectors(TEXTS)
    assert upserts.encoder == shop.text.encoder
    encoder = open_shop_encoder(shop, SHOP_TEXTS)
    assert upserts.encoder == f"{shop.text.encoder} int8"
    after = upserts.vectors(TEXTS)
    assert np.allclose(after, encoder.encode(TEXTS), atol=1e-5)
    assert not np.array_equal(before, after)


def test_shared_neighbours_and_cosines_are_counted():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    same = compare_precisions("minilm", rows, rows)
    assert (same.precision, same.cosine_mean, same.cosine_min, same.neighbours_shared) == ("int8", 1, 1, 1)
    opposite = compare_precisions("minilm", rows, -rows)
    assert (opposite.precision, opposite.cosine_mean, opposite.neighbours_shared) == ("float32", -1, 1)


def test_queries_by_torch_are_in_the_precision_of_the_items(shop, tmp_path):
    small = open_shop_encoder(shop, SHOP_TEXTS)
    queries = load_query_encoder(tmp_path, (), small.name, shop.text)
    assert queries.engine == "torch int8 on cpu"
    assert np.allclose(queries.encode(TEXTS[0]), TorchQueries(small).vector(TEXTS[0]), atol=1e-5)
    exact = load_encoder(shop.text)
    assert load_query_encoder(tmp_path, (), exact.name, shop.text).engine == "torch float32 on cpu"


def test_the_network_of_queries_is_made_of_the_weights_of_an_encoder_in_int8(shop, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    small = open_shop_encoder(shop, SHOP_TEXTS)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    facts = write_query_encoder(small, bundle, TEXTS)
    assert (facts.encoder, facts.precision) == (small.name, "int8")
    assert facts.cosine > 0.98
    assert load_query_encoder(bundle, FILES, small.name, shop.text).engine == "onnxruntime int8 on cpu"
