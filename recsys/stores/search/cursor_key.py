"""The secret that cursors are signed with: one a shop, so that any process reads what another gave."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from recsys.config import Settings
from recsys.errors import ConfigError

_BYTES = 32


def cursor_key(settings: Settings) -> bytes:
    """The key of `search.cursor_key`, else that of the home, which is made with the first need of it.

    Raises:
        ConfigError: the home's key cannot be read or written.
    """
    given = settings.search.cursor_key
    if given is not None:
        return given.get_secret_value().encode()
    path = settings.paths.cursor_key
    try:
        return path.read_bytes() if path.exists() else _make(path)
    except OSError as error:
        raise ConfigError(
            f"{path}, the key of search's cursors, cannot be used: {error}. "
            "Mend its permissions, or set `search.cursor_key` to a secret of your own."
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
