"""Encoders that learn from a shop: fine-tuned on what people did, or taught by a larger encoder."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys.config import Settings
from recsys.distribution import install_command
from recsys.documents import JsonObject
from recsys.jobs.encoders.data import shop_pairs, shop_texts
from recsys.jobs.encoders.loading import check_name_is_free, licence_of, load_named_encoder
from recsys.jobs.preconditions import check_package
from recsys.progress import Progress, silent
from recsys.stores.encoders.encoder_files import save_encoder
from recsys.stores.encoders.text_vectors import TextVectors
from recsys.training.encoders import distillation
from recsys.training.encoders.fine_tuning import check_trainable, train_text_encoder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedEncoder:
    """An encoder that was trained and saved.

    Attributes:
        folder: what `text.encoder` takes.
        facts: what its card tells: what it was made from, how, and what was measured.
        before, after: the same metrics of the encoder that it began with, and of it.
    """

    folder: Path
    facts: JsonObject
    before: Mapping[str, float]
    after: Mapping[str, float]

    def to_json(self) -> JsonObject:
        """What `recsys encoder train --json` and `distil --json` print."""
        return {"folder": str(self.folder), **self.facts}


def train_shop_encoder(
    settings: Settings,
    name: str,
    *,
    base: str | None = None,
    layers: int | None = None,
    lora: bool = False,
    protocol: str | None = None,
    progress: Progress = silent,
) -> TrainedEncoder:
    """Fine-tunes an encoder on the pairs of the shop's training part, and saves it as `name`.

    Args:
        base: the encoder to begin with; None = that of the settings.
        layers: train only the last ones; None = all weights.
        lora: train low-rank additions.
        protocol: whose training part; None = the stricter one that the data allows.

    Raises:
        ConfigError: the name is taken, or the encoder cannot be trained so.
        DataError: nothing was imported, the protocol does not fit, or there are too few pairs.
    """
    check_name_is_free(settings, name)
    if lora:
        check_package("peft", "--lora", f"Run `{install_command('encoder')}`.")
    with progress("load encoder", None):
        encoder = load_named_encoder(settings, base)
    check_trainable(encoder, layers)
    pairs = shop_pairs(settings, protocol, progress)
    log.info(f"{len(pairs.pairs)} pairs of {len(pairs.texts)} texts, {len(pairs.held_out)} held back")
    done = train_text_encoder(encoder, pairs, settings.encoder, layers, lora, progress)
    facts = {
        "from": base or settings.text.encoder,
        "licence": licence_of(settings, base),
        "prefix": settings.text.prefix,
        "layers": layers or "all",
        "lora": lora,
        "protocol": protocol or "default",
        "weights trained": f"{done.trained} of {done.total}",
        "pairs": len(pairs.pairs),
        "held-out pairs": len(pairs.held_out),
        "before": done.before,
        "after": done.after,
        "settings": settings.encoder.model_dump(),
    }
    folder = save_encoder(settings.paths, name, encoder, facts)
    return TrainedEncoder(folder, facts, done.before, done.after)


def distil_shop_encoder(
    settings: Settings, name: str, *, student: str, teacher: str | None = None, progress: Progress = silent
) -> TrainedEncoder:
    """Teaches `student` to see the shop's texts as `teacher` does, and saves it as `name`.

    Args:
        teacher: None = the encoder of the settings.

    Raises:
        ConfigError: the name is taken, or the student cannot be trained.
        DataError: nothing was imported, or there are too few texts.
    """
    check_name_is_free(settings, name)
    texts = shop_texts(settings)
    with progress("load encoders", None):
        learner = load_named_encoder(settings, student)
        check_trainable(learner, None)  # before the teacher reads everything
        taught_by = load_named_encoder(settings, teacher)
    vectors = TextVectors(settings.paths.text_vectors).vectors(taught_by, texts, progress)
    done = distillation.distil_encoder(learner, texts, vectors, settings.encoder, progress)
    facts = {
        "teacher": teacher or settings.text.encoder,
        "student": student,
        "licence": licence_of(settings, student),
        "prefix": settings.text.prefix,
        "texts": done.texts,
        "before": done.before,
        "after": done.after,
        "settings": settings.encoder.model_dump(),
    }
    folder = save_encoder(settings.paths, name, learner, facts)
    return TrainedEncoder(folder, facts, done.before, done.after)
