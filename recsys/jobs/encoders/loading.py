"""Encoders by name: loaded from this home or elsewhere, their licence, their speed, names for new ones."""

import time
from collections.abc import Sequence
from typing import Any

from recsys.config import Settings
from recsys.errors import ConfigError
from recsys.jobs.preconditions import check_folder_writable
from recsys.models.encoders.encoder_licence import encoder_licence
from recsys.models.encoders.text_encoder import TextEncoder, encoder_dimensions, load_encoder
from recsys.stores.encoders.encoder_files import encoder_folder


def load_named_encoder(settings: Settings, encoder: str | None, precision: str = "float32") -> TextEncoder:
    """The encoder of that name in this home, else of that path or name, else the one of the settings."""
    changed = {"precision": precision, "encoder": _place(settings, encoder)}
    return load_encoder(settings.text.model_copy(update=changed))


def licence_of(settings: Settings, encoder: str | None) -> str:
    """The licence that the encoder's own card states; what is made of its weights inherits it."""
    return encoder_licence(_place(settings, encoder))


def time_encoding(encoder: TextEncoder, texts: Sequence[str]) -> tuple[Any, float]:
    """The vectors of `texts`, and milliseconds a text."""
    encoder.encode(texts[:8])  # the first batch pays for what comes once
    start = time.perf_counter()
    vectors = encoder.encode(texts)
    return vectors, 1000 * (time.perf_counter() - start) / max(1, len(texts))


def check_name_is_free(settings: Settings, name: str) -> None:
    """Rejects a name that is taken before any work is done for it.

    Raises:
        ConfigError: there is an encoder of that name, it is not a valid name, or the home cannot be written.
    """
    folder = encoder_folder(settings.paths, name)
    if folder.exists():
        raise ConfigError(f"{folder} is there already. Choose another --name, or delete it.")
    check_folder_writable(settings.paths.encoders)


def check_encoder_exists(settings: Settings, encoder: str) -> None:
    """Makes sure that `load_named_encoder` finds an encoder; only its configuration is read.

    Raises:
        ArtifactNotFoundError: there is no such model here.
    """
    encoder_dimensions(settings.text.model_copy(update={"encoder": _place(settings, encoder)}))


def _place(settings: Settings, encoder: str | None) -> str:
    """A path or name that loads: that of an encoder of this home first."""
    if encoder is None:
        return settings.text.encoder
    known = settings.paths.encoders / encoder
    return str(known) if known.is_dir() else encoder
