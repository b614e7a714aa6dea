"""Texts, training steps and requests a second on a device, and the most memory they took of it."""

import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from gpu.random_models import Sizes, random_features, random_histories, random_ranker
from recsys.config import RetrieverSettings
from recsys.dataset.batches import TrainingData, batch_rows
from recsys.models.encoders.text_encoder import TextEncoder
from recsys.models.retriever.retriever import Retriever
from recsys.training.retriever.steps import Position, TrainingState, train_step

BATCHES = (1, 8, 64)


@dataclass(frozen=True)
class Rate:
    """So many of something a second."""

    name: str
    per_second: float


def text_rate(encoder: TextEncoder, texts: list[str]) -> Rate:
    """Texts encoded, where the encoder is and in its precision."""
    encoder.encode(texts[: encoder.settings.batch_size])
    return Rate("texts", len(texts) / _seconds(lambda: encoder.encode(texts)))


def step_rate(model: Retriever, data: TrainingData, sizes: Sizes) -> Rate:
    """Steps of the retriever's training with the settings that we ship."""
    settings = RetrieverSettings(epochs=1)
    state = TrainingState.of(model, data, settings)
    model.train()
    groups = batch_rows(data, settings.batch_size, np.random.default_rng(0))[: sizes.steps]

    def train() -> None:
        for step, rows in enumerate(groups[1:], 1):
            loss = train_step(state, rows, Position(step=step))
        float(loss)  # waits for the device

    float(train_step(state, groups[0], Position()))
    seconds = _seconds(train)
    state.residuals.settle()
    model.eval()
    return Rate("training steps", (len(groups) - 1) / seconds)


def request_rates(model: Retriever, sizes: Sizes, device: torch.device) -> list[Rate]:
    """Requests answered at each batch size: user vectors, the best of all items, their ranking."""
    ranker = random_ranker().to(device)
    model.to(device)
    item_vectors = model.item_vectors()
    items = torch.from_numpy(item_vectors).to(device)
    rates = []
    for batch in BATCHES:
        histories = random_histories(sizes, RetrieverSettings(), batch)
        features = random_features(batch * sizes.candidates)

        def answer(histories=histories, features=features, batch=batch) -> None:  # type: ignore[no-untyped-def]
            users = torch.from_numpy(model.user_vectors(histories, item_vectors)).to(device)  # (B, D)
            with torch.inference_mode():
                (users @ items.T).topk(sizes.candidates).indices.cpu()  # (B, K)
            ranker.score(features.reshape(batch, sizes.candidates, -1))

        answer()
        seconds = _seconds(lambda answer=answer: [answer() for _ in range(sizes.rounds)])  # type: ignore[misc]
        rates.append(Rate(f"requests, {batch} at a time", batch * sizes.rounds / seconds))
    return rates


def memory_share(device: torch.device) -> tuple[int, float]:
    """The most bytes taken so far, and their share of the card's memory; of the machine's on a processor."""
    if device.type == "cuda":
        taken, whole = torch.cuda.max_memory_allocated(device), torch.cuda.mem_get_info(device)[1]
    else:
        unit = 1 if sys.platform == "darwin" else 1024
        taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return taken, taken / whole


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
