"""Whether the networks say on a device what they say on the processor, and go on from a checkpoint."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from gpu.random_models import (
    SMALL,
    random_click_network,
    random_features,
    random_histories,
    random_impressions,
    random_ranker,
    random_retriever,
)
from recsys.arrays import FloatArray
from recsys.config import RetrieverSettings
from recsys.dataset.batches import TrainingData, batch_of, batch_rows
from recsys.models.encoders.text_encoder import TextEncoder
from recsys.models.losses import listwise_loss, pointwise_loss
from recsys.models.retriever.retriever import Retriever
from recsys.training.curves import Curves
from recsys.training.retriever.checkpoint import Checkpoint, tensors_of
from recsys.training.retriever.steps import Position, TrainingState, batch_loss, train_step
from recsys.training.schedule import weights_of

FLOAT32, BFLOAT16 = 1e-4, 2e-2  # relative
OVERLAP, TOP = 0.99, 10
CPU = torch.device("cpu")
LOSSES = ("sampled-softmax", "bce", "gbce")


@dataclass(frozen=True)
class Comparison:
    """One row of the check.

    Attributes:
        difference: |ours - expected| / |expected|. allowed: the most that it may be.
        overlap: the share of the ten best that both have; None where nothing is ranked.
    """

    name: str
    precision: str
    difference: float
    allowed: float
    overlap: float | None = None

    @property
    def ok(self) -> bool:
        """Whether it is near enough; not a number is not."""
        return self.difference <= self.allowed and (self.overlap is None or self.overlap >= OVERLAP)


def relative_difference(ours: FloatArray, expected: FloatArray) -> float:
    """The norm of the difference over the norm of what is expected."""
    return float(np.linalg.norm(ours - expected) / np.linalg.norm(expected))


def top_overlap(ours: FloatArray, expected: FloatArray) -> float:
    """The share of the TOP best columns of each row of scores (R, C) that both have."""
    best = [np.argpartition(-scores, TOP - 1, axis=1)[:, :TOP] for scores in (ours, expected)]
    shared = [len(np.intersect1d(a, b)) for a, b in zip(*best, strict=True)]
    return float(np.mean(shared) / TOP)


def compare_networks(device: torch.device) -> list[Comparison]:
    """Both towers, ranker and click model in both precisions.

    On a small shop: the more items, the more of them are nearly as good as the tenth.
    """
    settings, sizes = RetrieverSettings(), SMALL
    model = random_retriever(sizes, settings)
    histories = random_histories(sizes, settings, 256)
    features = torch.from_numpy(random_features(100 * sizes.candidates)).view(100, sizes.candidates, -1)
    ranker, click = random_ranker(), random_click_network(sizes, settings.width)
    vectors = model.item_vectors()
    impressions = random_impressions(sizes, vectors)
    users = model.user_vectors(histories)
    with torch.inference_mode():
        ranked, attraction = ranker(features).numpy(), click(impressions).attraction.numpy()
    model, ranker, click = model.to(device), ranker.to(device), click.to(device)
    rows: list[Comparison] = []
    for precision, allowed in (("float32", FLOAT32), ("bfloat16", BFLOAT16)):
        with in_precision(precision, device), torch.inference_mode():
            our_vectors, our_users = model.item_vectors(), model.user_vectors(histories)
            our_ranked = ranker(features.to(device)).float().cpu().numpy()
            our_attraction = click(impressions.to(device)).attraction.float().cpu().numpy()
        scores = top_overlap(our_users @ our_vectors[1:].T, users @ vectors[1:].T)
        rows += [
            Comparison("item tower", precision, relative_difference(our_vectors, vectors), allowed),
            Comparison("user tower", precision, relative_difference(our_users, users), allowed, scores),
            Comparison(
                *("ranker", precision, relative_difference(our_ranked, ranked), allowed),
                top_overlap(our_ranked, ranked),
            ),
            Comparison("click model", precision, relative_difference(our_attraction, attraction), allowed),
        ]
    return rows


def compare_losses(model: Retriever, data: TrainingData, device: torch.device) -> list[Comparison]:
    """Each loss; the retriever's with the gradient of all of its weights, by which it learns."""
    rows = [_compare_loss(model, data, loss, device) for loss in LOSSES]
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(64, 20, generator=generator)
    labels, mask = (torch.rand(64, 20, generator=generator) < share for share in (0.2, 0.9))
    for name, loss_of in (("listwise", listwise_loss), ("pointwise", pointwise_loss)):
        expected, ours = (
            float(loss_of(*(part.to(place) for part in (logits, labels, mask)))) for place in (CPU, device)
        )
        rows.append(Comparison(f"{name} loss", "float32", abs(ours - expected) / abs(expected), FLOAT32))
    return rows


def _compare_loss(model: Retriever, data: TrainingData, loss: str, device: torch.device) -> Comparison:
    settings = RetrieverSettings(loss=loss, batch_size=32, negatives=1_000)
    batch = batch_of(data, batch_rows(data, 32, np.random.default_rng(0))[0])
    negatives = np.random.default_rng(1).integers(1, data.items + 1, settings.negatives)

    def gradient(place: torch.device) -> FloatArray:
        own = copy.deepcopy(model).to(place).eval()  # without dropout
        frequency = torch.from_numpy(data.frequency).to(place)
        cost = batch_loss(own, batch, negatives, frequency, settings)
        weights = [weight for weight in own.parameters() if weight.requires_grad]
        found = torch.autograd.grad(cost, weights, allow_unused=True)
        parts = [part.float().flatten() for part in found if part is not None]
        return torch.cat([cost.detach().view(1), *parts]).cpu().numpy()

    precision, allowed = ("bfloat16", BFLOAT16) if device.type == "cuda" else ("float32", FLOAT32)
    difference = relative_difference(gradient(device), gradient(CPU))
    return Comparison(f"{loss} and gradient", precision, difference, allowed)


def compare_encoder(encoder: TextEncoder, texts: list[str], device: torch.device) -> list[Comparison]:
    """The text encoder in both precisions, and which texts are alike."""
    expected = encode_on(encoder, texts, CPU, torch.float32)
    rows = []
    for dtype, allowed in ((torch.float32, FLOAT32), (torch.bfloat16, BFLOAT16)):
        ours = encode_on(encoder, texts, device, dtype)
        overlap = top_overlap(ours @ ours.T, expected @ expected.T)
        name = str(dtype).removeprefix("torch.")
        rows.append(Comparison("text encoder", name, relative_difference(ours, expected), allowed, overlap))
    return rows


def encode_on(encoder: TextEncoder, texts: list[str], device: torch.device, dtype: torch.dtype) -> FloatArray:
    """(n, E) vectors of `texts`, made on `device`, where the encoder then stays."""
    encoder.model.to(device, dtype)
    encoder.device = device
    return encoder.encode(texts)


def compare_resumed(make: Callable[[], Retriever], data: TrainingData) -> Comparison:
    """Four steps at once beside two, a checkpoint, and two more by another model."""
    settings = RetrieverSettings(batch_size=32, negatives=500, epochs=1)
    rows = batch_rows(data, settings.batch_size, np.random.default_rng(0))[:4]

    def begin() -> TrainingState:
        state = TrainingState.of(make(), data, settings)
        state.model.train()
        return state

    def go_on(state: TrainingState, first: int, last: int) -> None:
        for step in range(first, last):
            train_step(state, rows[step], Position(step=step))

    whole, cut, again = begin(), begin(), begin()
    go_on(whole, 0, 4)
    go_on(cut, 0, 2)
    kept = {name: value.clone() for name, value in tensors_of(cut, weights_of(cut.model)).items()}
    Checkpoint(kept, Curves("check", "none")).restore(again)
    go_on(again, 2, 4)
    ours, expected = (_learned(state) for state in (again, whole))
    return Comparison("resumed training", "as trained", relative_difference(ours, expected), FLOAT32)


def _learned(state: TrainingState) -> FloatArray:
    state.residuals.settle()
    return torch.cat([weight.flatten() for weight in weights_of(state.model).values()]).numpy()


def in_precision(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Inside, products of matrices are made in this precision."""
    return nullcontext() if precision == "float32" else torch.autocast(device.type, torch.bfloat16)
