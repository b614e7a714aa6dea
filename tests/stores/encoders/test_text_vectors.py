import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import recsys.stores.encoders.text_vectors as text_vectors
from recsys.config import Settings
from recsys.models.encoders import text_encoder
from recsys.progress import Progress, silent
from recsys.stores.encoders.text_vectors import TextVectors, content_hash
from recsys.stores.encoders.upsert_texts import UpsertTexts


class LengthEncoder:
    """A text's vector is its length and its first letter; remembers what it was asked."""

    dimensions = 2

    def __init__(self, name: str = "length") -> None:
        self.name = name
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], progress: Progress = silent) -> np.ndarray:
        self.asked += texts
        with progress("encode", len(texts)) as advance:
            advance(len(texts))
        return np.array([[len(text), ord(text[:1] or " ")] for text in texts], np.float32)


TEXTS = ["bread", "milk", "bread", "", "cheese"]
EXPECTED = [[5, 98], [4, 109], [5, 98], [0, 0], [6, 99]]


def test_each_distinct_text_is_encoded_once(tmp_path):
    encoder = LengthEncoder()
    assert TextVectors(tmp_path).vectors(encoder, TEXTS).tolist() == EXPECTED
    assert sorted(encoder.asked) == ["bread", "cheese", "milk"]


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_a_blank_text_has_a_zero_vector_and_is_never_encoded(tmp_path, monkeypatch, blank):
    encoder = LengthEncoder()
    monkeypatch.setattr(text_encoder, "load_encoder", lambda settings: encoder)
    upserts = UpsertTexts(Settings(home=tmp_path))
    for vectors in (TextVectors(tmp_path).vectors(encoder, ["tea", blank]), upserts.vectors(["tea", blank])):
        assert vectors.tolist() == [[3, 116], [0, 0]]
    assert upserts.vectors([blank] * 300).tolist() == [[0, 0]] * 300
    assert encoder.asked == ["tea", "tea"]


def test_a_second_run_encodes_only_what_is_new(tmp_path):
    TextVectors(tmp_path).vectors(LengthEncoder(), TEXTS)
    encoder = LengthEncoder()
    rows = TextVectors(tmp_path).vectors(encoder, ["apple", *TEXTS])
    assert rows.tolist() == [[5, 97], *EXPECTED]
    assert encoder.asked == ["apple"]


def test_encoders_do_not_share_vectors(tmp_path):
    TextVectors(tmp_path).vectors(LengthEncoder("one"), TEXTS)
    other = LengthEncoder("two")
    TextVectors(tmp_path).vectors(other, TEXTS)
    assert len(other.asked) == 3


def only_shard(root: Path) -> Path:
    (path,) = root.rglob("*.safetensors")
    return path


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty"])
def test_a_damaged_file_is_set_aside_and_encoded_again(tmp_path, caplog, harm):
    TextVectors(tmp_path).vectors(LengthEncoder(), TEXTS)
    path = only_shard(tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.write_bytes({"cut": content[: len(content) // 2], "flipped": content, "empty": b""}[harm])
    encoder = LengthEncoder()
    with caplog.at_level(logging.WARNING):
        assert TextVectors(tmp_path).vectors(encoder, TEXTS).tolist() == EXPECTED
    assert len(encoder.asked) == 3
    assert "is damaged" in caplog.text
    assert len(list(tmp_path.rglob("*.damaged"))) == 1
    assert only_shard(tmp_path).read_bytes()


def test_an_interrupted_run_keeps_what_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr(text_vectors, "SHARD_ROWS", 2)

    class Failing(LengthEncoder):
        def encode(self, texts: Sequence[str], progress: Progress = silent) -> np.ndarray:
            if self.asked:
                raise KeyboardInterrupt
            return super().encode(texts, progress)

    with pytest.raises(KeyboardInterrupt):
        TextVectors(tmp_path).vectors(Failing(), TEXTS)
    encoder = LengthEncoder()
    assert TextVectors(tmp_path).vectors(encoder, TEXTS).tolist() == EXPECTED
    assert encoder.asked == ["cheese"]
    assert not list(tmp_path.rglob("*.partial"))


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(partial: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            TextVectors(tmp_path).vectors(LengthEncoder(), TEXTS)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_texts_give_no_rows(tmp_path):
    assert TextVectors(tmp_path).vectors(LengthEncoder(), []).shape == (0, 2)


def test_a_hash_is_of_the_content():
    assert content_hash("a") == content_hash("a") != content_hash("b")
    assert len(content_hash("")) == 16
