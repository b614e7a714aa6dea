"""The networks on CUDA beside the same on the processor; skipped where there is no such device.

Run it on a machine with one: `pytest -m cuda tests/training/test_cuda.py`. It needs few packages; where
onnxruntime, Feast or Redis are missing it runs as well.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from recsys.config import RankerSettings, RetrieverSettings, TextSettings
from recsys.models.encoders.text_encoder import load_encoder
from recsys.models.retriever.retriever import Retriever
from recsys.training.ranker import train_ranker
from recsys.training.retriever.loop import train_retriever
from recsys.training.retriever.steps import Position, TrainingState, train_epoch
from tests.encoders.tiny_models import save_bert
from tests.training.retriever.circle import cycle, data_of, hit_rate, model_of, settings
from tests.training.test_train_ranker import RETRIEVAL, first_is_positive, world
from tests.training.test_train_ranker import data_of as requests_of

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

DEVICES = ("cpu", "cuda")
LOSSES = get_args(RetrieverSettings.model_fields["loss"].annotation)
Validate = Callable[[Retriever], Mapping[str, float]]


@contextmanager
def running_on(device: str) -> Iterator[None]:
    """Inside, the code chooses `device`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: device == "cuda")
        yield


@pytest.mark.parametrize("loss", LOSSES)
def test_an_epoch_in_bfloat16_costs_what_one_in_float32_does(loss: str) -> None:
    log, section = cycle(), settings(dropout=0.0, loss=loss)
    costs, vectors = {}, {}
    for device in DEVICES:
        with running_on(device):
            model = model_of(log, section, clock=True)
            state = TrainingState.of(model, data_of(log), section)
            costs[device] = train_epoch(state, Position(), lambda step, total: None)
            assert model.device.type == device
            vectors[device] = model.item_vectors()
    assert costs["cuda"] == pytest.approx(costs["cpu"], rel=0.03)
    assert np.einsum("nd,nd->n", vectors["cpu"], vectors["cuda"])[1:].min() > 0.98


@pytest.mark.parametrize(("first", "second"), [("cpu", "cuda"), ("cuda", "cpu"), ("cuda", "cuda")])
def test_a_run_goes_on_from_its_checkpoint_on_another_device(tmp_path: Path, first: str, second: str) -> None:
    log, section = cycle(), settings(dropout=0.0, epochs=3)
    data = data_of(log)
    with running_on("cpu"):
        whole = train_retriever(model_of(log, section), data, section, tmp_path / "whole", hit_rate(data))
    with running_on(first), pytest.raises(KeyboardInterrupt):
        train_retriever(
            model_of(log, section), data, section, tmp_path / "run", interrupted(hit_rate(data), after=2)
        )
    with running_on(second):
        model = model_of(log, section)
        curves = train_retriever(model, data, section, tmp_path / "run", hit_rate(data))
    assert [epoch.number for epoch in curves.epochs] == [1, 2, 3]
    for ours, theirs in zip(curves.epochs, whole.epochs, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=0.05)


def interrupted(validate: Validate, after: int) -> Validate:
    """`validate`, which breaks off after so many epochs."""
    left = iter(range(after - 1))

    def validate_or_stop(model: Retriever) -> Mapping[str, float]:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return validate(model)

    return validate_or_stop


def test_texts_have_the_same_vectors(tmp_path: Path) -> None:
    words = ["red", "blue", "shoe", "hat"]
    folder = save_bert(tmp_path / "model", words)
    texts = ["red shoe", "blue hat", "shoe", " ".join(words * 9), ""]
    found = {}
    for device in DEVICES:
        for precision in ("float32", "bfloat16"):
            with running_on(device):
                encoder = load_encoder(TextSettings(encoder=str(folder), precision=precision))
                assert encoder.device.type == device
                found[device, precision] = encoder.encode(texts)
    exact = found["cpu", "float32"]
    np.testing.assert_allclose(found["cuda", "float32"], exact, atol=1e-4)
    for vectors in found.values():
        assert not vectors[-1].any()
        assert np.einsum("ne,ne->n", exact, vectors)[:-1].min() > 0.99


def test_a_ranker_learns_and_scores_as_on_the_processor() -> None:
    section = RankerSettings(hidden=16, epochs=8, batch_size=32, learning_rate=1e-2)
    data = requests_of(world(effect=3.0))
    fresh, chosen, real = world(effect=3.0, seed=9)
    retrieved = first_is_positive(fresh[..., RETRIEVAL], chosen, real)
    for device in DEVICES:
        with running_on(device):
            ranker = train_ranker(data, section).ranker
        assert ranker.mean.device.type == "cpu"
        scores = ranker.score(fresh)
        assert first_is_positive(scores, chosen, real) > retrieved + 0.1
        if device == "cuda":
            np.testing.assert_allclose(ranker.to("cuda").score(fresh), scores, rtol=1e-3, atol=1e-3)
