import importlib.util
import json

import pytest

from recsys.config import TextSettings
from recsys.errors import ArtifactMismatchError
from recsys.models.encoders.query_encoder import TorchQueries
from recsys.stores.encoders import query_encoder_files
from recsys.stores.encoders.query_encoder_files import (
    FACTS,
    FILES,
    load_query_encoder,
    query_encoder_extras,
    write_query_encoder,
)
from tests.models.encoders.test_text_encoder import TEXTS, load, save_bert, save_gpt2

needs_onnx = pytest.mark.skipif(
    not (importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime")),
    reason="the extra `encoder` is not installed",
)


@needs_onnx
@pytest.mark.parametrize("save", [save_bert, save_gpt2])
@pytest.mark.parametrize("prefix", ["", "red "])
def test_the_network_in_a_bundle_gives_nearly_the_encoders_vectors(tmp_path, save, prefix):
    encoder = load(save(tmp_path / "model"), query_prefix=prefix)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    facts = write_query_encoder(encoder, bundle, TEXTS)
    assert facts.cosine > 0.99
    assert (facts.encoder, facts.prefix) == (encoder.name, prefix)
    queries = load_query_encoder(bundle, FILES, encoder.name, encoder.settings)
    assert queries.engine == "onnxruntime int8 on cpu"
    exact = TorchQueries(encoder)
    for text in [*TEXTS, "red " * 500]:
        assert queries.encode(text) @ exact.vector(text) > 0.98


@needs_onnx
def test_extras_copy_the_files(tmp_path):
    encoder = load(save_bert(tmp_path / "model"))
    write_query_encoder(encoder, tmp_path, TEXTS)
    target = tmp_path / "target"
    target.mkdir()
    for name, write in query_encoder_extras(tmp_path).items():
        write(target / name)
    assert load_query_encoder(target, FILES, encoder.name, encoder.settings).dimensions == 16
    assert query_encoder_extras(tmp_path / "model") == {}


@needs_onnx
def test_a_network_of_another_encoder_is_refused(tmp_path):
    encoder = load(save_bert(tmp_path / "model"))
    write_query_encoder(encoder, tmp_path, TEXTS)
    with pytest.raises(ArtifactMismatchError, match="the text vectors are of 'another'"):
        load_query_encoder(tmp_path, FILES, "another", encoder.settings)
    (tmp_path / FACTS).write_text(json.dumps({"encoder": 5}))
    with pytest.raises(ArtifactMismatchError, match="cannot be read"):
        load_query_encoder(tmp_path, FILES, encoder.name, encoder.settings)


def test_without_onnx_torch_encodes_and_says_so(tmp_path, monkeypatch):
    encoder = load(save_bert(tmp_path / "model"))
    monkeypatch.setattr(query_encoder_files, "_installed", lambda package: False)
    assert write_query_encoder(encoder, tmp_path, TEXTS) is None
    queries = load_query_encoder(tmp_path, (), encoder.name, encoder.settings)
    assert queries.engine == "torch float32 on cpu"
    with pytest.raises(ArtifactMismatchError, match="Bring that encoder here"):
        load_query_encoder(tmp_path, (), "another", TextSettings(encoder=encoder.settings.encoder))
