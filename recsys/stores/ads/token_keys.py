"""The secret that tokens of ads are signed with: one a shop, made with the first need of it."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from recsys.ads.tokens.impression_token import ImpressionTokens
from recsys.ads.tokens.keys import TokenKeys
from recsys.config import Settings
from recsys.errors import ConfigError
from recsys.stores.shop_identity import known_shop_id

_BYTES = 32
_KEY_ID = "home"


def impression_tokens(settings: Settings) -> ImpressionTokens:
    """Writes and reads the tokens of this shop's sponsored impressions.

    Raises:
        ConfigError: the home's secret cannot be read or written.
    """
    secret = _secret(settings.paths.ads_key)
    return ImpressionTokens(TokenKeys(_KEY_ID, {_KEY_ID: secret}), known_shop_id(settings) or "")


def _secret(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.exists() else _make(path)
    except OSError as error:
        raise ConfigError(
            f"{path}, the secret of the tokens of ads, cannot be used: {error}. Mend its permissions."
        ) from error


def _make(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
        with suppress(FileExistsError):  # another process was a moment earlier: its secret counts
            os.link(partial, path)
    finally:
        partial.unlink()
    return path.read_bytes()
