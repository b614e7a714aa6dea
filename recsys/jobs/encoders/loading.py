"""What the commands of `recsys encoder` share: an encoder of this home or by name, and its speed."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from recsys.config import Settings

if TYPE_CHECKING:
    from recsys.models.encoders.text_encoder import TextEncoder


def loaded(settings: Settings, encoder: str | None, precision: str = "float32") -> "TextEncoder":
    """The encoder of that name in this home, else of that path or name, else the one of the settings."""
    from recsys.models.encoders.text_encoder import load_encoder

    changed = {"precision": precision, "encoder": _place(settings, encoder)}
    return load_encoder(settings.text.model_copy(update=changed))


def licence_of(settings: Settings, encoder: str | None) -> str:
    """The licence that the encoder's own card states; what is made of its weights inherits it."""
    from recsys.models.encoders.encoder_licence import encoder_licence

    return encoder_licence(_place(settings, encoder))


def timed(encoder: "TextEncoder", texts: Sequence[str]) -> tuple[Any, float]:
    """The vectors of `texts`, and milliseconds a text."""
    encoder.encode(texts[:8])  # the first batch pays for what comes once
    start = time.perf_counter()
    vectors = encoder.encode(texts)
    return vectors, 1000 * (time.perf_counter() - start) / max(1, len(texts))


def _place(settings: Settings, encoder: str | None) -> str:
    """A path or name that loads: that of an encoder of this home first."""
    if encoder is None:
        return settings.text.encoder
    known = settings.paths.encoders / encoder
    return str(known) if known.is_dir() else encoder
