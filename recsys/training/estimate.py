"""An estimate of what a training will need: steps, parameters, memory, and time by a short probe."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from recsys.arrays import FloatArray
from recsys.columns import RANKING_FEATURES
from recsys.config import Settings
from recsys.dataset.batches import (
    TrainingData,
    batch_of,
    batch_rows,
    histories_of,
    training_data,
    training_windows,
)
from recsys.dataset.interactions import Interactions
from recsys.dataset.item_table import ItemTable
from recsys.dataset.split import Split
from recsys.errors import DataError
from recsys.models.retriever.build import build_retriever
from recsys.models.retriever.retriever import Retriever
from recsys.models.signals import SIGNALS
from recsys.training.retriever.steps import TrainingState, batch_loss
from recsys.training.stages.first_stage import GRAPH_NEIGHBOURS

WARM_UP_STEPS, PROBED_STEPS = 2, 8
_FLOAT, _INDEX = 4, 8  # bytes


@dataclass(frozen=True)
class Sizes:
    """What memory depends on.

    Attributes:
        events: all actions. windows: R, rows to train on. targets: P, pairs to learn.
        parameters: of the retriever. buffers: its numbers that are not learned.
    """

    users: int
    items: int
    events: int
    windows: int
    targets: int
    steps_an_epoch: int
    text_dimensions: int
    parameters: int
    buffers: int


def rough_sizes(settings: Settings, split: Split, interactions: Interactions, text_dimensions: int) -> Sizes:
    """Sizes without building a model: its parameters are taken for those of the item table."""
    train, retriever = split.train, settings.retriever
    windows = len(training_windows(train, retriever.history_length))
    items = len(interactions.items) - 1
    return Sizes(
        users=len(np.unique(train.user_index)),
        items=items,
        events=len(interactions),
        windows=windows,
        targets=len(train),
        steps_an_epoch=-(-windows // retriever.batch_size),
        text_dimensions=text_dimensions,
        parameters=items * retriever.width,
        buffers=items * min(retriever.text_width, text_dimensions),
    )


def probe_sizes(
    settings: Settings,
    split: Split,
    interactions: Interactions,
    items: ItemTable,
    text_dimensions: int,
    *,
    clock: bool,
) -> tuple[Sizes, float]:
    """Sizes by the real retriever on the real data, and the seconds of a step, the median of a few.

    The text vectors are random, because encoding them comes later; nothing is kept.

    Raises:
        DataError: there is nothing to learn from.
    """
    train, section = split.train, settings.retriever
    windows = training_windows(train, section.history_length)
    histories = histories_of(train, windows.user_index, windows.at, section.history_length)
    data = training_data(histories, train, windows)
    if not len(data.target):
        raise DataError(
            "no user acted at two instants, so there is no next action to learn. Import more events."
        )
    text = _random_text(len(items), text_dimensions)
    model = build_retriever(section, items, text, None, clock=clock)
    rows = int((np.diff(data.state_offsets) > 0).sum())
    sizes = Sizes(
        users=len(np.unique(train.user_index)),
        items=len(items) - 1,
        events=len(interactions),
        windows=rows,
        targets=len(data.target),
        steps_an_epoch=-(-rows // section.batch_size),
        text_dimensions=text_dimensions,
        parameters=sum(weight.numel() for weight in model.parameters()),
        buffers=sum(buffer.numel() for buffer in model.buffers()),
    )
    return sizes, _seconds_per_step(model, data, settings)


def memory_bytes(settings: Settings, sizes: Sizes, *, ranker: bool) -> dict[str, int]:
    """Part of a training -> bytes that it holds; `peak_bytes` adds up those that are held at once.

    Args:
        ranker: whether there will be a second stage.
    """
    section, fusion = settings.retriever, settings.fusion
    length, items = section.history_length, sizes.items + 1
    graph = items * GRAPH_NEIGHBOURS * (_INDEX + _FLOAT) * 2  # neighbours, and the same as a sparse matrix
    kept = items * fusion.neighbours * (_INDEX + _FLOAT) * 2  # by text and by words
    signals = min(fusion.requests, 3 * sizes.users) * fusion.candidates * len(SIGNALS) * _FLOAT
    ranked = min(settings.ranker.requests, 3 * sizes.users) * settings.ranker.candidates
    return {
        "events": 2 * sizes.events * 36,  # all of them and those to train on: four integers and a float
        "text vectors": items * sizes.text_dimensions * _FLOAT,
        "graph": graph + kept,
        # Histories as they come from the feature store and as arrays; states and targets.
        "training arrays": 2 * sizes.windows * length * 3 * _INDEX + sizes.targets * 5 * _INDEX,
        "model": (sizes.parameters + sizes.buffers) * _FLOAT,
        # Gradients, two moments, the best weights so far, and a copy of all of it in the checkpoint.
        "optimizer and checkpoint": 8 * sizes.parameters * _FLOAT,
        "a step": _step_bytes(settings, sizes),
        "fusion's lessons": 3 * signals,  # as they are made, joined, and split into two parts
        "ranker's lessons": ranked * len(RANKING_FEATURES) * (3 * _FLOAT + _INDEX) if ranker else 0,
    }


def peak_bytes(parts: Mapping[str, int], process: int) -> int:
    """The most that is held at once: the stages come one after the other.

    Args:
        process: what the process takes before it begins, libraries included.
    """
    always = sum(parts[name] for name in ("events", "text vectors", "graph", "model"))
    first = sum(parts[name] for name in ("training arrays", "optimizer and checkpoint", "a step"))
    return process + always + max(first, parts["fusion's lessons"], parts["ranker's lessons"])


def _step_bytes(settings: Settings, sizes: Sizes) -> int:
    """Activations and gradients of one batch."""
    section = settings.retriever
    batch, length, width = section.batch_size, section.history_length, section.width
    touched = min(sizes.items, section.negatives + 2 * batch * length)
    if section.loss == "full-softmax":
        touched = sizes.items
    tower = touched * (sizes.text_dimensions + 6 * width)
    states = batch * length * width * (8 + 16 * section.layers)
    attention = 4 * batch * section.heads * length * length * section.layers
    return (tower + states + attention) * _FLOAT


def _random_text(rows: int, dimensions: int) -> FloatArray:
    text = np.random.default_rng(0).standard_normal((rows, dimensions), np.float32)
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    text[0] = 0
    return text


def _seconds_per_step(model: Retriever, data: TrainingData, settings: Settings) -> float:
    section = settings.retriever
    threads = torch.get_num_threads()
    state = TrainingState.of(model.train(), data, section)
    rng, seconds = np.random.default_rng(0), []
    try:
        for rows in batch_rows(data, section.batch_size, rng)[: WARM_UP_STEPS + PROBED_STEPS]:
            started = time.perf_counter()
            negatives = rng.integers(1, data.items + 1, section.negatives)
            loss = batch_loss(model, batch_of(data, rows), negatives, state.frequency, section)
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), section.clip_norm)
            state.optimizer.step()
            float(loss.detach())  # waits for the device
            seconds.append(time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return float(np.median(seconds[WARM_UP_STEPS:] or seconds))
