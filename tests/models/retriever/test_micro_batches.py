"""Questions of several threads in one call, and users of a retriever by it."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from recsys.dataset.interactions import Histories
from recsys.jobs.recommend.loading import move_to_gpu
from recsys.models.retriever.micro_batches import MicroBatcher
from recsys.service_settings import ServingSettings
from tests.training.retriever.circle import ITEMS, cycle, data_of, model_of, settings

LONG = 30.0  # seconds; a test that waited for them would fail by its time


def doubled(calls: list[list[int]]):
    def compute(questions: Sequence[int]) -> list[int]:
        calls.append(list(questions))
        return [2 * question for question in questions]

    return compute


def test_as_many_as_fit_are_answered_by_one_call_before_the_wait_is_over():
    calls: list[list[int]] = []
    batcher = MicroBatcher(doubled(calls), LONG, most=4)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(batcher.ask, range(4))) == [0, 2, 4, 6]
    assert [sorted(call) for call in calls] == [[0, 1, 2, 3]]


def test_one_alone_is_answered_when_the_wait_is_over():
    calls: list[list[int]] = []
    assert MicroBatcher(doubled(calls), 0.0, most=4).ask(5) == 10
    assert MicroBatcher(doubled(calls), 0.01, most=4).ask(6) == 12
    assert calls == [[5], [6]]


def test_who_asks_while_others_are_computed_makes_the_next_batch():
    begun, go_on, calls = threading.Event(), threading.Event(), []

    def slow(questions: Sequence[int]) -> list[int]:
        calls.append(sorted(questions))
        begun.set()
        assert go_on.wait(LONG)
        return list(questions)

    batcher = MicroBatcher(slow, 0.0, most=3)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(batcher.ask, 1)
        assert begun.wait(LONG)
        others = [pool.submit(batcher.ask, question) for question in (2, 3, 4)]
        while len(batcher._waiting) < 3:
            pass
        go_on.set()
        assert [each.result(LONG) for each in (first, *others)] == [1, 2, 3, 4]
    assert calls == [[1], [2, 3, 4]]


@pytest.mark.parametrize("most", [1, 3, 8])
def test_each_gets_its_own_answer_and_no_batch_is_larger_than_it_may_be(most: int):
    calls: list[list[int]] = []
    batcher = MicroBatcher(doubled(calls), 0.001, most)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(batcher.ask, range(200))) == [2 * question for question in range(200)]
    assert sorted(question for call in calls for question in call) == list(range(200))
    assert max(map(len, calls)) <= most


def test_an_error_reaches_everyone_in_the_batch_and_the_next_one_is_answered():
    failing = iter([True])

    def compute(questions: Sequence[int]) -> list[int]:
        if next(failing, False):
            raise ValueError("no memory")
        return list(questions)

    batcher = MicroBatcher(compute, LONG, most=2)
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(batcher.ask, question) for question in (1, 2)]:
            with pytest.raises(ValueError, match="no memory"):
                future.result(LONG)
        assert list(pool.map(batcher.ask, (3, 4))) == [3, 4]


def test_users_of_several_threads_have_the_vectors_that_they_have_alone():
    """The device is a processor here: what is tested is that the batch is one call and changes nothing."""
    log = cycle()
    model, histories = model_of(log, settings(), clock=True).eval(), data_of(log).histories
    vectors, others = model.item_vectors(), model.item_vectors()[::-1].copy()
    assert len(vectors) == ITEMS + 1
    one_by_one = [histories.take(slice(row, row + 1)) for row in range(8)]
    catalogs = [vectors, vectors, others, vectors, others, vectors, vectors, others]
    expected = [model.user_vectors(*each) for each in zip(one_by_one, catalogs, strict=True)]
    move_to_gpu(model, ServingSettings(gpu_wait_seconds=0.1, workers=8), device="cpu")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(model.user_vectors, one_by_one, catalogs))
    np.testing.assert_allclose(np.stack(found), np.stack(expected), atol=1e-6)
    together = Histories.joined(one_by_one)
    np.testing.assert_allclose(model.user_vectors(together, vectors)[0], expected[0][0], atol=1e-6)
