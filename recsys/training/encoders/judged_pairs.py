"""Fine-tunes a text encoder on judged pairs of queries and items: what is relevant points the same way."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.config import EncoderSettings
from recsys.errors import DataError
from recsys.models.encoders.text_encoder import TextEncoder
from recsys.progress import Progress, silent
from recsys.training.encoders.fine_tuning import choose_weights, in_batch_loss
from recsys.training.schedule import build_adamw, gradient_step, learning_rate, set_rate

SCALE = 20.0  # of cosines in both losses
ORDER_SHARE = 1.0  # of the loss that orders grades, beside the one that finds the partner
_FEWEST = 100


@dataclass(frozen=True)
class JudgedPair:
    """A query, an item's text and a grade: more is more relevant."""

    query: str
    text: str
    grade: float


def tune_on_judgments(
    encoder: TextEncoder,
    judged: Sequence[JudgedPair],
    settings: EncoderSettings,
    relevant: float,
    progress: Progress = silent,
) -> float:
    """Trains `encoder` in place for all epochs of the settings; the mean loss of the last.

    Two losses of each batch: softmax over the other texts for pairs of a grade of at least `relevant`, both
    ways (van den Oord et al. 2018, arXiv 1807.03748), and for each two pairs of different grades that the
    better one has the larger cosine (CoSENT, Su 2022), whatever their queries. Queries and texts get their
    prefixes. Nothing is held out: hold back queries before, and measure on them after.

    Raises:
        DataError: fewer than 100 pairs, or all of one grade.
        ConfigError: the encoder has no weights to train.
    """
    grades = np.array([pair.grade for pair in judged])
    if len(judged) < _FEWEST or grades.min() == grades.max():
        raise DataError(
            f"{len(judged)} judged pairs with {len(np.unique(grades))} grades are too few to tune an encoder "
            f"on. Bring {_FEWEST} or more, of two grades at least."
        )
    torch.set_num_threads(settings.threads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        choose_weights(encoder, None, None)
        loss = _fit(encoder, judged, grades, settings, relevant, progress)
    encoder.model.eval().requires_grad_(False)
    return loss


def order_loss(cosines: Tensor, grades: Tensor) -> Tensor:
    """log(1 + sum of exp(SCALE (c_j - c_i))) over all i, j where grade i is above grade j.

    Args:
        cosines, grades: (B,).
    """
    differences = SCALE * (cosines[None, :] - cosines[:, None])  # (B, B)
    wrong = differences.masked_fill(grades[:, None] <= grades[None, :], -torch.inf).flatten()
    return torch.logsumexp(torch.cat([torch.zeros(1, device=cosines.device), wrong]), 0)


def _fit(
    encoder: TextEncoder,
    judged: Sequence[JudgedPair],
    grades: DoubleArray,
    settings: EncoderSettings,
    relevant: float,
    progress: Progress,
) -> float:
    queries, query = np.unique([pair.query for pair in judged], return_inverse=True)
    texts, text = np.unique([pair.text for pair in judged], return_inverse=True)
    query_tokens = encoder.tokenize(queries.tolist(), encoder.query_prefix)
    text_tokens = encoder.tokenize(texts.tolist())
    filled = np.array([bool(query_tokens[q] and text_tokens[t]) for q, t in zip(query, text, strict=True)])
    rows = np.flatnonzero(filled)
    moving = nn.ModuleList([encoder.model])
    optimizer = build_adamw(moving, settings.learning_rate, settings.weight_decay)
    rng, device = np.random.default_rng(settings.seed), encoder.device
    batches = -(-len(rows) // settings.batch_size)
    steps, total = settings.epochs * batches, 0.0
    with progress("tune on judgments", steps) as advance:
        for step in range(steps):
            if step % batches == 0:
                encoder.model.train()
                order, total = np.array_split(rng.permutation(rows), batches), 0.0
            batch = order[step % batches]
            set_rate(optimizer, learning_rate(step, steps, settings.learning_rate, settings.warmup_steps))
            left = encoder.embed([query_tokens[place] for place in query[batch]])
            right = encoder.embed([text_tokens[place] for place in text[batch]])
            given = torch.from_numpy(grades[batch]).to(device)
            loss = ORDER_SHARE * order_loss((left * right).sum(1), given)
            good = grades[batch] >= relevant
            if good.sum() > 1:
                related = torch.from_numpy(_same(query[batch], text[batch], good)).to(device)
                loss = loss + _partner_loss(left, right, torch.from_numpy(good).to(device), related)
            gradient_step(optimizer, loss, moving.parameters(), settings.clip_norm)
            total += float(loss.detach())
            advance(1)
    return total / batches


def _partner_loss(left: Tensor, right: Tensor, good: Tensor, related: Tensor) -> Tensor:
    scale = torch.tensor(SCALE, device=left.device)
    return in_batch_loss(left[good], right[good], scale, related)


def _same(query: IntArray, text: IntArray, good: BoolArray) -> BoolArray:
    """(G, G) bool: which of the good pairs share their query or text, so that neither is a negative."""
    query, text = query[good], text[good]
    same: BoolArray = (query[:, None] == query) | (text[:, None] == text)
    return same
