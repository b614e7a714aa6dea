"""A secret that a home makes for itself with the first need of it, and all its processes share."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from recsys.errors import ConfigError

_BYTES = 32


def home_secret(path: Path, what: str, setting: str) -> bytes:
    """The secret in the file at `path`, which is made, readable by its owner alone, where there is none.

    Args:
        what: what it is, and `setting`: what may take its place, for messages.

    Raises:
        ConfigError: it cannot be read or written.
    """
    try:
        return path.read_bytes() if path.exists() else _make(path)
    except OSError as error:
        raise ConfigError(
            f"{path}, {what}, cannot be used: {error}. "
            f"Mend its permissions, or set `{setting}` to a secret of your own."
        ) from error


def _make(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
        with suppress(FileExistsError):  # another process was a moment earlier: its key counts
            os.link(partial, path)
    finally:
        partial.unlink()
    return path.read_bytes()
