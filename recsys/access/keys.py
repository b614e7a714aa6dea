"""Access keys: their text, what is stored of them, and the store that they are kept in.

A key is `rsk_`, its id, `_` and 43 letters and digits: 256 random bits. Only the SHA-256 of the whole text is
stored. A slow hash, as passwords need, would protect nothing here: what takes 2^256 guesses need not be made
slower, and each request would pay for it, those of a stranger with a wrong key first.
"""

import hashlib
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from recsys.documents import JsonObject
from recsys.errors import RequestError

PREFIX = "rsk"
SECRET_LETTERS = 43  # of 62: 2**256 < 62**43
MOST_NAME_LETTERS = 64
_LETTERS = string.ascii_letters + string.digits
_ID = re.compile(r"[0-9a-f]{12}")
_KEY = re.compile(rf"{PREFIX}_([0-9a-f]{{12}})_[A-Za-z0-9]{{{SECRET_LETTERS}}}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class KeyRecord:
    """What is stored of one key; its text is not.

    Attributes:
        digest: SHA-256 of the key's text, hexadecimal.
        role: a `recsys.access.roles.Role`; a text, as a newer version may have others.
        account: whose key it is, for roles that are bound to an account.
        rate: requests a second; None = the setting access.default_rate.
        expires_at: from then on it is refused; None = never.
        last_used_at: coarse: see access.used_minutes.
        replaced_by: id of the key that a rotation put in its place.
    """

    key_id: str
    name: str
    role: str
    digest: str = field(repr=False)
    created_at: datetime
    created_by: str = ""
    account: str | None = None
    rate: float | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    last_used_at: datetime | None = None
    replaced_by: str | None = None

    def has_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now

    def state(self, now: datetime) -> str:
        """`revoked`, `expired`, `replaced` (by a rotation, valid until it expires) or `active`."""
        if self.revoked_at is not None:
            return "revoked"
        if self.has_expired(now):
            return "expired"
        return "replaced" if self.replaced_by is not None else "active"

    def to_json(self, now: datetime) -> JsonObject:
        """What people are shown; neither key nor digest."""
        shown = {name: value for name, value in vars(self).items() if name != "digest"}
        return {"key_id": self.key_id, "name": self.name, "state": self.state(now), **shown}


@dataclass(frozen=True)
class KeySet:
    """The keys that a service knows.

    Attributes:
        keys: by id: those that were not revoked, also such as have expired of late.
        any_made: whether any was ever made; from then on the service asks for a key.
    """

    keys: Mapping[str, KeyRecord]
    any_made: bool


class KeyStore(Protocol):
    """Where keys are kept. Every method raises StoreUnavailableError where the store does not answer."""

    def add(self, key: KeyRecord) -> None:
        """Keeps a new key; raises RequestError where another that was not revoked has its name."""

    def all_keys(self) -> list[KeyRecord]:
        """Every key that there ever was, the newest first."""

    def key_set(self, now: datetime) -> KeySet:
        """What a service has to know."""

    def revoke(self, which: str, at: datetime, by: str) -> list[KeyRecord]:
        """Revokes the key of id `which`, or all of that name; returns those that this call revoked.

        Raises RequestError where there is none; nothing for what is revoked already.
        """

    def replace(self, which: str, new: KeyRecord, old_expires_at: datetime) -> KeyRecord:
        """Puts `new` in the place of the active key of id or name `which`; returns what is kept of it.

        The new key is the old one's `successor`. The old one is valid until
        `old_expires_at`, or its own end where that is earlier.
        Raises RequestError where there is no active key.
        """

    def note_used(self, used: Mapping[str, datetime], every_minutes: float) -> None:
        """Keeps when keys were last used, where what is kept is older than that many minutes."""


def successor(old: KeyRecord, new: KeyRecord) -> KeyRecord:
    """`new` with name, role, account and rate of `old`; where it has no end of its own, also its lifetime."""
    ends = new.expires_at
    if ends is None and old.expires_at is not None:
        ends = new.created_at + (old.expires_at - old.created_at)
    return replace(new, name=old.name, role=old.role, account=old.account, rate=old.rate, expires_at=ends)


def new_key() -> tuple[str, str]:
    """The id and the text of a new key."""
    key_id = secrets.token_hex(6)
    secret = "".join(secrets.choice(_LETTERS) for _ in range(SECRET_LETTERS))
    return key_id, f"{PREFIX}_{key_id}_{secret}"


def key_id_of(text: str) -> str | None:
    """The id in a text of a key's form; None for any other text."""
    found = _KEY.fullmatch(text)
    return found[1] if found else None


def contains_key(text: str) -> bool:
    """Whether something of a key's form is in `text`."""
    return _KEY.search(text) is not None


def digest_of(text: str) -> str:
    """What is stored of a key's text, and compared."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def check_name(name: str) -> None:
    """Raises RequestError where `name` cannot be a key's name."""
    if len(name) > MOST_NAME_LETTERS or not _NAME.fullmatch(name):
        raise RequestError(
            f"{name[:MOST_NAME_LETTERS]!a} cannot be a key's name. Use up to {MOST_NAME_LETTERS} letters, "
            "digits, dots, dashes and underscores; the first is a letter or a digit."
        )
    if _ID.fullmatch(name):
        raise RequestError(f"the name {name!r} has the form of a key's id. Choose another.")


def name_taken(name: str) -> RequestError:
    """The error for a name that an unrevoked key has."""
    return RequestError(
        f"there is a key {name!r} already. Rotate it, revoke it first, or choose another name."
    )


def no_such_key(which: str) -> RequestError:
    """The error for a name or id that no usable key has."""
    return RequestError(f"no active key has the name or id {which[:100]!a}. `recsys keys list` shows all.")
