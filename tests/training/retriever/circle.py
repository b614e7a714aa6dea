"""People who walk a catalog in a circle: a world in which the next item is certain."""

from collections.abc import Callable, Mapping

import numpy as np

from recsys.config import RetrieverSettings
from recsys.dataset.batches import TrainingData, histories_of, training_data, training_windows
from recsys.dataset.interactions import Interactions, Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.instants import SECOND
from recsys.models.retriever.build import build_retriever
from recsys.models.retriever.retriever import Retriever

ITEMS, USERS, LENGTH = 12, 40, 6


def cycle(seed: int = 0, gap: int = 1) -> Interactions:
    """Each user walks the items in a circle, item k + 1 after item k, from a start of their own."""
    rng = np.random.default_rng(seed)
    rows = [(u, step, (start + step) % ITEMS + 1) for u in range(USERS) for start in rng.integers(0, ITEMS, 1)
            for step in range(9)]  # fmt: skip
    user, step, item = np.array(rows, np.int64).T
    return Interactions(
        users=Vocabulary(("", *(f"u{n:02}" for n in range(USERS)))),
        items=Vocabulary(("", *(f"i{n:02}" for n in range(ITEMS)))),
        user_index=user + 1,
        item_index=item,
        kind=np.full(len(rows), 8),
        weight=np.ones(len(rows), np.float32),
        at=(1_700_000_000 + step * gap) * SECOND,
    )


def data_of(log: Interactions) -> TrainingData:
    windows = training_windows(log, LENGTH)
    return training_data(histories_of(log, windows.user_index, windows.at, LENGTH), log, windows)


def settings(**changes: object) -> RetrieverSettings:
    small = RetrieverSettings(
        width=16, text_width=8, history_length=LENGTH, dropout=0.1, learning_rate=1e-2, weight_decay=0.01,
        batch_size=16, negatives=8, epochs=4, patience=9, warmup_steps=2, threads=1,
    )  # fmt: skip
    return small.model_copy(update=changes)


def model_of(log: Interactions, section: RetrieverSettings, clock: bool = False) -> Retriever:
    count = len(log.items)
    none = ("",) * count
    prices, available = np.full(count, -1), np.ones(count, bool)
    items = ItemTable(log.items, log.items.ids, none, none, prices, available, ("{}",) * count)
    text = np.random.default_rng(3).standard_normal((count, 8)).astype(np.float32)
    text[0] = 0
    return build_retriever(section, items, text, None, clock=clock)


def hit_rate(data: TrainingData) -> Callable[[Retriever], Mapping[str, float]]:
    """The share of windows whose last target is ranked first."""
    last = data.pair_offsets[data.state_offsets[1:] - 1]

    def validate(model: Retriever) -> Mapping[str, float]:
        scores = model.user_vectors(data.histories) @ model.item_vectors()[1:].T
        return {"ndcg@10": float((scores.argmax(1) + 1 == data.target[last]).mean())}

    return validate
