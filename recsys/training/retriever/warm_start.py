"""Going on from a bundle: its weights for the items it knows, its content vectors for those it does not."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from recsys.arrays import FloatArray, IntArray
from recsys.config import IncrementalSettings, RetrieverSettings
from recsys.dataset.batches import TrainingWindows
from recsys.dataset.interactions import Interactions
from recsys.dataset.item_table import ItemTable, in_layout
from recsys.errors import ArtifactMismatchError, DataError
from recsys.instants import from_micros, to_micros
from recsys.models.bundle import Bundle
from recsys.models.manifest import Manifest
from recsys.models.retriever.attributes import attribute_rows
from recsys.models.retriever.build import fill_item_tower
from recsys.models.retriever.retriever import Retriever

RESIDUAL = "item_tower.residual"  # e_m: moved by item id, 0 for an item that the bundle does not know
CONTENT = ("item_tower.text", "item_tower.tokens", "item_tower.numbers")  # made anew for all items


def warm_start(parent: Bundle, items: ItemTable, text_vectors: FloatArray) -> Retriever:
    """The parent's retriever over the catalog of today, whatever its order.

    Text projection and attribute vocabulary stay the parent's, so that its weights keep their meaning; a
    new item, and an item whose text or attributes changed, gets the vector of its content plus what
    the parent learned of it.

    Args:
        text_vectors: (N + 1, E) of the same encoder as the parent's.

    Raises:
        ArtifactMismatchError: the text vectors are of another width.
    """
    old = parent.retriever
    if text_vectors.shape[1] == 1:  # nobody has a text: see `text_matrix`
        text_vectors = np.zeros((len(text_vectors), old.shape.text_dimensions), np.float32)
    if text_vectors.shape[1] != old.shape.text_dimensions:
        raise ArtifactMismatchError(
            f"bundle {parent.manifest.bundle_id!r} reads text vectors of {old.shape.text_dimensions} "
            f"numbers, the shop has {text_vectors.shape[1]}. Run `recsys train` without --incremental."
        )
    tokens, numbers = old.attributes.encode(attribute_rows(items))
    shape = replace(old.shape, items=len(items) - 1, tokens=tokens.shape[1])
    retriever = Retriever(shape, old.attributes)
    known = parent.items.vocabulary.indexes(items.vocabulary.ids[1:])
    _copy(old.state_dict(), retriever.state_dict(), np.concatenate([[0], known]))
    with torch.no_grad():
        vectors = in_layout(items, old.vector_layout).vectors
        fill_item_tower(retriever, text_vectors, tokens, numbers, vectors)
    return retriever


def _copy(old: Mapping[str, Tensor], new: Mapping[str, Tensor], known: IntArray) -> None:
    """Fills the tensors `new` from `old`; `known` (N + 1,) is each item's row in the old ones, 0 = none."""
    for name, value in new.items():
        if name == RESIDUAL:
            rows = old[name].cpu()[torch.from_numpy(known)]
            value.copy_(rows * torch.from_numpy(known > 0).unsqueeze(1))
        elif name not in CONTENT:
            value.copy_(old[name])


def trained_until(manifest: Manifest) -> int:
    """Microseconds: the last action that the bundle's retriever learned from."""
    return to_micros(manifest.trained_until or manifest.data_end)


def has_new_actions(train: Interactions, parent: Manifest) -> bool:
    """Whether some of `train` came after all that the bundle of `parent` learned from."""
    return bool(len(train)) and int(train.at.max()) > trained_until(parent)


def incremental_settings(
    settings: RetrieverSettings, incremental: IncrementalSettings, parent: Bundle
) -> RetrieverSettings:
    """How to go on: few epochs at a lower rate, histories as long as the parent's."""
    return settings.model_copy(
        update={
            "epochs": incremental.epochs,
            "learning_rate": settings.learning_rate * incremental.learning_rate_share,
            "history_length": parent.retriever.shape.history_length,
        }
    )


def choose_windows(
    windows: TrainingWindows, train: Interactions, since: int, replay: float, rng: np.random.Generator
) -> TrainingWindows:
    """The windows with an action after `since` (microseconds), and `replay` times as many of the others.

    What came before is replayed because a network that sees only the last days forgets the rest.

    Raises:
        DataError: nothing came after.
    """
    new = train.at[windows.stop - 1] > since
    if not new.any():
        raise DataError(nothing_new_message(since, int(train.at.max())))
    others = np.flatnonzero(~new)
    count = min(len(others), round(replay * int(new.sum())))
    rows = np.sort(np.concatenate([np.flatnonzero(new), rng.choice(others, count, replace=False)]))
    return TrainingWindows(
        windows.user_index[rows], windows.at[rows], windows.start[rows], windows.stop[rows]
    )


def nothing_new_message(since: int, until: int) -> str:
    """Why there is nothing to go on with, for an error."""
    learned, last = (f"{from_micros(at):%Y-%m-%d %H:%M}" for at in (since, until))
    return (
        f"nothing new to learn: the bundle in production learned until {learned}, and what is left after "
        f"holding back days to validate and to test ends at {last}. Wait for more events, or lower "
        "incremental.test_days or incremental.validation_days."
    )
