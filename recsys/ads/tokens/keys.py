"""Secrets that tokens of ads are signed with, named, so that a new one can take over from an old one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from recsys.errors import ConfigError
from recsys.signed_text import sign_text, verified_body

LEAST_BYTES = 16  # of a secret
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")


@dataclass(frozen=True)
class TokenKeys:
    """The secret that signs, and those that are still believed.

    To change it, add the new one everywhere, then make it `current`; remove the old one when the last token
    that it signed has expired.

    Attributes:
        current: id of the secret that signs.
        secrets: by id; all processes of a shop have the same.

    Raises:
        ConfigError: no secret of the current id, one too short, or an id that a token cannot carry.
    """

    current: str
    secrets: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if self.current not in self.secrets:
            raise ConfigError(f"no secret {self.current!r} among {sorted(self.secrets)}. Add it.")
        for key_id, secret in self.secrets.items():
            if not _KEY_ID.fullmatch(key_id):
                raise ConfigError(f"key id {key_id!r} is not of 1 to 16 letters, digits, _ and -. Rename it.")
            if len(secret) < LEAST_BYTES:
                raise ConfigError(
                    f"the secret {key_id!r} has {len(secret)} bytes. Give {LEAST_BYTES} random ones or more."
                )

    def sign(self, purpose: str, body: bytes) -> str:
        """`KEY_ID.SIGNED`, safe in a URL."""
        return f"{self.current}.{sign_text(self.secrets[self.current], purpose, body)}"

    def verify(self, purpose: str, text: str) -> bytes | None:
        """What was signed; None where it was not, not for this purpose, or by a secret that is gone."""
        key_id, _, signed = text.partition(".")
        secret = self.secrets.get(key_id)
        return None if secret is None else verified_body(secret, purpose, signed)
