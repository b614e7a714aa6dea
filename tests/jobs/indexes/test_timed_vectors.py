import threading

import numpy as np
import pytest

from recsys.arrays import FloatArray
from recsys.errors import StoreUnavailableError
from recsys.jobs.indexes.timed_vectors import TimedVectors
from recsys.models.encoders.query_encoder import QueryEncoder


class Network:
    """Answers when `ready` is set; fails on the query `bad`."""

    dimensions, engine = 2, "fake"

    def __init__(self) -> None:
        self.ready = threading.Event()

    def vector(self, text: str) -> FloatArray:
        if text == "bad":
            raise RuntimeError("out of memory")
        self.ready.wait()
        return np.array([1, 0], np.float32)


def test_a_vector_that_comes_in_time_is_given() -> None:
    network = Network()
    network.ready.set()
    assert TimedVectors(QueryEncoder(network), 60).encode("tea").tolist() == [1, 0]


def test_a_slow_encoder_is_away_and_its_vector_is_remembered_when_it_comes() -> None:
    network = Network()
    encoder = QueryEncoder(network)
    vectors = TimedVectors(encoder, 0.05)
    with pytest.raises(StoreUnavailableError, match="encode a query"):
        vectors.encode("tea")
    network.ready.set()
    assert TimedVectors(encoder, 60).encode("tea").tolist() == [1, 0]


def test_an_encoder_that_fails_is_away() -> None:
    with pytest.raises(StoreUnavailableError, match="out of memory"):
        TimedVectors(QueryEncoder(Network()), 60).encode("bad")
