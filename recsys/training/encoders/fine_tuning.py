"""Fine-tunes a text encoder on behaviour: texts that belong together come to point the same way."""

import copy
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from recsys.arrays import IntArray
from recsys.config import EncoderSettings
from recsys.distribution import install_command
from recsys.errors import ConfigError
from recsys.models.encoders.text_encoder import TextEncoder
from recsys.progress import Progress, silent
from recsys.training.encoders.text_pairs import TextPairs
from recsys.training.schedule import build_adamw, gradient_step, learning_rate, set_rate

FIRST_SCALE = 20.0
CUT = 10  # recall at
CANDIDATES = 2000  # of the catalog, among which the partner is looked for
HELD_OUT_PAIRS = 2000


@dataclass(frozen=True)
class FineTuned:
    """What fine-tuning did, on held-out pairs.

    Attributes:
        before, after: metric -> value. epochs: metrics after each epoch.
        trained, total: parameters.
    """

    before: dict[str, float]
    after: dict[str, float]
    epochs: tuple[dict[str, float], ...]
    trained: int
    total: int


def train_text_encoder(
    encoder: TextEncoder,
    pairs: TextPairs,
    settings: EncoderSettings,
    layers: int | None = None,
    lora: bool = False,
    progress: Progress = silent,
) -> FineTuned:
    """Trains `encoder` in place and leaves it with the weights of its best epoch.

    Softmax over the other texts of a batch, both ways, with a learned scale; pairs that are known to belong
    together are left out of the negatives. Paper: van den Oord et al. 2018, arXiv 1807.03748.

    Args:
        layers: how many of the last blocks move, and nothing else; None = all weights.
        lora: train low-rank additions instead of the weights themselves, and add them in at the end.
            Paper: Hu et al. 2021, arXiv 2106.09685.

    Raises:
        ConfigError: the encoder has no such layers, or peft is not installed.
    """
    torch.set_num_threads(settings.threads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        before = held_out_metrics(encoder, pairs, settings.seed)
        base = encoder.model
        trained = choose_weights(encoder, layers, settings.lora_rank if lora else None)
        total = sum(weight.numel() for weight in encoder.model.parameters())
        rate = settings.lora_learning_rate if lora else settings.learning_rate
        best, epochs = _fit(encoder, pairs, settings, rate, before, progress)
        encoder.model.load_state_dict(best, strict=False)
        if lora:
            merged: Any = encoder.model
            encoder.model = merged.merge_and_unload()
        else:
            encoder.model = base
        encoder.model.eval().requires_grad_(False)
        after = held_out_metrics(encoder, pairs, settings.seed)
    return FineTuned(before, after, tuple(epochs), trained, total)


def check_trainable(encoder: TextEncoder, layers: int | None) -> None:
    """Makes sure that the encoder has weights to train, and that many layers.

    Raises:
        ConfigError: it has not.
    """
    _, blocks = transformer_blocks(encoder.model)
    if layers is not None and not 1 <= layers <= len(blocks):
        raise ConfigError(
            f"--layers {layers}: the encoder has {len(blocks)} layers. Choose 1 to {len(blocks)}."
        )


def choose_weights(encoder: TextEncoder, layers: int | None, lora_rank: int | None) -> int:
    """Makes the chosen weights of `encoder.model` trainable and returns how many numbers they are."""
    check_trainable(encoder, layers)
    model = encoder.model
    prefix, blocks = transformer_blocks(model)
    chosen = list(range(len(blocks)))[-(layers or len(blocks)) :]
    if lora_rank is not None:
        encoder.model = _with_lora(model, prefix, chosen, lora_rank)
    elif layers is None:
        model.requires_grad_(True)
    else:
        for block in chosen:
            blocks[block].requires_grad_(True)
    # A pooler behind the last state is not used, so it would get no gradient.
    pooler = getattr(model, "pooler", None)
    if isinstance(pooler, nn.Module) and lora_rank is None:
        pooler.requires_grad_(False)
    return sum(weight.numel() for weight in encoder.model.parameters() if weight.requires_grad)


def transformer_blocks(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """Name and list of the model's blocks: its longest list of modules.

    Raises:
        ConfigError: there is none, as in an ONNX encoder.
    """
    lists = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.ModuleList)]
    if not lists:
        raise ConfigError("this encoder has no layers to train. Train the one it was exported from.")
    return max(lists, key=lambda pair: len(pair[1]))


def held_out_metrics(encoder: TextEncoder, pairs: TextPairs, seed: int) -> dict[str, float]:
    """Recall@10 and MRR of the partner of held-out texts, looked for among a sample of the catalog.

    Every other text that is known to belong to the query text is left out of the sample.
    """
    rng = np.random.default_rng(seed)
    held = _sample(pairs.held_out, HELD_OUT_PAIRS, rng)
    candidates = np.unique(np.concatenate([_sample(pairs.candidates, CANDIDATES, rng), held[:, 1]]))
    queries, place = np.unique(held[:, 0], return_inverse=True)
    vectors = encoder.encode([pairs.texts[text] for text in (*queries, *candidates)])
    scores = vectors[: len(queries)] @ vectors[len(queries) :].T  # (Q, C)
    scores[pairs.related[queries][:, candidates].toarray() | (queries[:, None] == candidates)] = -np.inf
    partners = np.searchsorted(candidates, held[:, 1])
    cosines = np.einsum("ae,ae->a", vectors[place], vectors[len(queries) + partners])
    ranks = 1 + (scores[place] > cosines[:, None]).sum(1)
    return {f"recall@{CUT}": float((ranks <= CUT).mean()), "mrr": float((1 / ranks).mean())}


def in_batch_loss(left: Tensor, right: Tensor, scale: Tensor, related: Tensor) -> Tensor:
    """Mean cross-entropy of B pairs of unit rows (B, E), both ways; row i belongs to row i.

    Args:
        related: (B, B) bool, left i and right j are known to belong together: not negatives.
    """
    logits = scale * left @ right.T  # (B, B)
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(related & ~own, -math.inf)
    target = torch.arange(len(logits), device=logits.device)
    both: Tensor = nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target)
    return both / 2


def _fit(
    encoder: TextEncoder,
    pairs: TextPairs,
    settings: EncoderSettings,
    rate: float,
    before: dict[str, float],
    progress: Progress,
) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    """The trainable weights of the best epoch, those from before included, and what each epoch reached."""
    model, key = encoder.model, f"recall@{CUT}"
    log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE), device=encoder.device))
    moving = nn.ModuleDict({"model": _Moving(model), "scale": nn.ParameterList([log_scale])})
    optimizer = build_adamw(moving, rate, settings.weight_decay)
    rng = np.random.default_rng(settings.seed)
    tokens = encoder.tokenize(pairs.texts)
    count = min(settings.pairs, len(pairs.pairs))
    steps, step = settings.epochs * -(-count // settings.batch_size), 0
    best, found, reached, waited = _trainable(model), before[key], [], 0
    with progress("fine-tune", steps) as advance:
        for _ in range(settings.epochs):
            model.train()
            order = rng.permutation(len(pairs.pairs))[:count]
            for rows in np.array_split(order, -(-count // settings.batch_size)):
                set_rate(optimizer, learning_rate(step, steps, rate, settings.warmup_steps))
                batch = pairs.pairs[rows]
                left, right = (encoder.embed([tokens[text] for text in side]) for side in batch.T)
                scale = log_scale.exp().clamp(max=100.0)
                loss = in_batch_loss(left, right, scale, _related(pairs.related, batch).to(encoder.device))
                gradient_step(optimizer, loss, moving.parameters(), settings.clip_norm)
                step += 1
                advance(1)
            model.eval()
            reached.append(held_out_metrics(encoder, pairs, settings.seed))
            waited += 1
            if reached[-1][key] > found:
                best, found, waited = _trainable(model), reached[-1][key], 0
            if waited >= settings.patience:
                break
    return best, reached


class _Moving(nn.Module):
    """The weights of a model that training moves."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.weights = nn.ParameterList([each for each in model.parameters() if each.requires_grad])


def _related(known: sparse.csr_matrix, batch: IntArray) -> Tensor:
    """(B, B) bool: left i and right j are related, or the same text."""
    left, right = batch.T
    same = (left[:, None] == right) | (right[:, None] == right) | (left[:, None] == left)
    return torch.from_numpy(known[left][:, right].toarray() | same)


def _trainable(model: nn.Module) -> dict[str, Tensor]:
    return {
        name: copy.deepcopy(weight.detach())
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


def _sample(rows: IntArray, most: int, rng: np.random.Generator) -> IntArray:
    if len(rows) <= most:
        return rows
    chosen: IntArray = rows[np.sort(rng.choice(len(rows), most, replace=False))]
    return chosen


def _with_lora(model: nn.Module, prefix: str, chosen: list[int], rank: int) -> nn.Module:
    try:
        from peft import LoraConfig, get_peft_model
        from transformers.pytorch_utils import Conv1D
    except ImportError as error:
        raise ConfigError(f"--lora needs peft. Run `{install_command('encoder')}`.") from error
    inside = tuple(f"{prefix}.{block}." for block in chosen)
    targets = [
        name
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear | Conv1D) and name.startswith(inside)
    ]
    turned = any(isinstance(part, Conv1D) for part in model.modules())  # GPT-2's weights lie the other way
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets, fan_in_fan_out=turned)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name of before
        adapted: nn.Module = get_peft_model(model, config)
    return adapted
