"""The sizes of a training before it starts, and the time of a step by a short probe; `memory` has bytes."""

import time
from dataclasses import replace

import numpy as np
import torch

from recsys.arrays import FloatArray
from recsys.config import Settings
from recsys.dataset.batches import (
    TrainingData,
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
from recsys.training.memory import Sizes
from recsys.training.requests import ranking_cases
from recsys.training.retriever.steps import Position, TrainingState, train_step

WARM_UP_STEPS, PROBED_STEPS = 2, 8


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
        cases=len(ranking_cases(interactions, split, np.random.default_rng(0), len(interactions))),
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
    sizes = replace(
        rough_sizes(settings, split, interactions, text_dimensions),
        windows=rows,
        targets=len(data.target),
        steps_an_epoch=-(-rows // section.batch_size),
        parameters=sum(weight.numel() for weight in model.parameters()),
        buffers=sum(buffer.numel() for buffer in model.buffers()),
    )
    return sizes, _seconds_per_step(model, data, settings)


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
            float(train_step(state, rows, Position()))  # waits for the device
            seconds.append(time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return float(np.median(seconds[WARM_UP_STEPS:] or seconds))
