"""Distillation: a small text encoder learns to give the vectors of a big one, on a shop's own texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import FloatArray, IntArray
from recsys.config import EncoderSettings
from recsys.errors import DataError
from recsys.models.encoders.text_encoder import TextEncoder
from recsys.progress import Progress, silent
from recsys.training.encoders.fine_tuning import choose_weights
from recsys.training.schedule import build_adamw, gradient_step, learning_rate, set_rate

CUT = 10
COMPARED = 1000  # held-out texts that are compared with each other


@dataclass(frozen=True)
class Distilled:
    """Agreement of student and teacher on texts that the student did not learn from, before and after."""

    before: dict[str, float]
    after: dict[str, float]
    texts: int


def distil_encoder(
    student: TextEncoder,
    texts: Sequence[str],
    teacher: FloatArray,
    settings: EncoderSettings,
    progress: Progress = silent,
) -> Distilled:
    """Trains `student` in place towards the teacher's vectors (n, E) of `texts`, and keeps its best epoch.

        loss = mean(1 - cos(W s_i, t_i)) + mean over i, j of (s_i . s_j - t_i . t_j)^2 / var(t . t)

    W is there only where the widths differ, and only while training: a shop uses the cosines of vectors with
    each other, and those are what the second term fits.

    Raises:
        DataError: there are fewer than 20 distinct texts.
    """
    kept = [place for place, text in enumerate(texts) if text.strip() and teacher[place].any()]
    if len(kept) < 20:
        raise DataError(f"{len(kept)} texts are too few to distil on. Import a catalog with texts.")
    torch.set_num_threads(settings.threads)
    rng = np.random.default_rng(settings.seed)
    order = rng.permutation(np.array(kept))
    held = order[: min(COMPARED, max(2, round(settings.held_out_share * len(order))))]
    train = order[len(held) :]
    held_texts = [texts[place] for place in held]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        before = encoder_agreement(student.encode(held_texts), teacher[held])
        choose_weights(student, None, None)
        width = teacher.shape[1]
        projection = nn.Linear(student.dimensions, width, bias=False).to(student.device)
        if student.dimensions == width:
            projection = nn.Linear(width, width, bias=False).to(student.device).requires_grad_(False)
            nn.init.eye_(projection.weight)
        best, reached = _fit(student, projection, texts, teacher, train, held, settings, before, progress)
        student.model.load_state_dict(best)
        student.model.eval().requires_grad_(False)
    return Distilled(before, reached, len(train))


def encoder_agreement(student: FloatArray, teacher: FloatArray) -> dict[str, float]:
    """Agreement of two encoders on the same texts: correlation of all cosines, and shared nearest ten."""
    mine, theirs = student @ student.T, teacher @ teacher.T
    upper = np.triu_indices(len(mine), 1)
    correlation = float(np.corrcoef(mine[upper], theirs[upper])[0, 1]) if len(upper[0]) > 1 else float("nan")
    count = min(CUT, len(mine) - 1)
    shared = [
        len(np.intersect1d(a, b)) / count
        for a, b in zip(_nearest(mine, count), _nearest(theirs, count), strict=True)
    ]
    return {"cosine correlation": correlation, f"shared nearest {CUT}": float(np.mean(shared))}


def distillation_loss(student: Tensor, projected: Tensor, teacher: Tensor) -> Tensor:
    """The loss above, of B unit rows each: student (B, S), projected (B, E), teacher (B, E)."""
    distance = (1 - nn.functional.cosine_similarity(projected, teacher, dim=-1)).mean()
    mine, theirs = student @ student.T, teacher @ teacher.T
    return distance + (mine - theirs).square().mean() / theirs.var().clamp(min=1e-4)


def _fit(
    student: TextEncoder,
    projection: nn.Linear,
    texts: Sequence[str],
    teacher: FloatArray,
    train: IntArray,
    held: IntArray,
    settings: EncoderSettings,
    before: dict[str, float],
    progress: Progress,
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The student's best weights and what they reach on the held-out texts."""
    model, key = student.model, "cosine correlation"
    moving = nn.ModuleList([model, projection])
    optimizer = build_adamw(moving, settings.learning_rate, settings.weight_decay)
    rng = np.random.default_rng(settings.seed)
    batches = -(-len(train) // settings.batch_size)
    steps, step = settings.epochs * batches, 0
    best, reached, waited = _copied(model), before, 0
    tokens = student.tokenize(texts)
    with progress("distil", steps) as advance:
        for _ in range(settings.epochs):
            model.train()
            for rows in np.array_split(rng.permutation(train), batches):
                set_rate(optimizer, learning_rate(step, steps, settings.learning_rate, settings.warmup_steps))
                vectors = student.embed([tokens[place] for place in rows])
                target = torch.from_numpy(teacher[rows]).to(student.device)
                loss = distillation_loss(vectors, projection(vectors), target)
                gradient_step(optimizer, loss, moving.parameters(), settings.clip_norm)
                step += 1
                advance(1)
            model.eval()
            now = encoder_agreement(student.encode([texts[place] for place in held]), teacher[held])
            waited += 1
            if not now[key] <= reached[key]:
                best, reached, waited = _copied(model), now, 0
            if waited >= settings.patience:
                break
    return best, reached


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _nearest(cosines: FloatArray, count: int) -> IntArray:
    others = cosines - 10 * np.eye(len(cosines), dtype=np.float32)
    found: IntArray = np.argsort(-others, axis=1, kind="stable")[:, :count]
    return found
