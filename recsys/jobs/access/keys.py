"""Making, listing, revoking and rotating access keys; the text of a key is returned once and kept nowhere."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from recsys.access.keys import KeyRecord, check_name, digest_of, new_key
from recsys.access.roles import Role
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import RequestError
from recsys.instants import utc_now
from recsys.processes import current_user
from recsys.stores.access.key_store import SqlKeyStore
from recsys.stores.ads.store import AdsStore


@dataclass(frozen=True)
class MadeKey:
    """A new key.

    Attributes:
        text: the key itself, which is shown now and never again.
        replaces_until: how long the key that it replaces stays valid; None where it replaces none.
    """

    record: KeyRecord
    text: str = field(repr=False)
    replaces_until: datetime | None = None

    def to_json(self) -> JsonObject:
        """What `recsys keys create --json` and `rotate --json` print."""
        made = self.record
        facts: JsonObject = {"key_id": made.key_id, "name": made.name, "role": made.role}
        facts = {**facts, "account": made.account, "rate": made.rate}
        facts = {**facts, "expires_at": made.expires_at, "key": self.text}
        return facts if self.replaces_until is None else {**facts, "old_valid_until": self.replaces_until}


@dataclass(frozen=True)
class KeyList:
    """Keys as they are at an instant."""

    keys: tuple[KeyRecord, ...]
    at: datetime

    def to_json(self) -> list[JsonObject]:
        """What `recsys keys list --json` prints."""
        return [key.to_json(self.at) for key in self.keys]

    def to_table(self) -> list[JsonObject]:
        """What `recsys keys list` shows."""
        return [
            {
                "key id": key.key_id,
                "name": key.name,
                "role": key.role,
                "account": key.account,
                "state": key.state(self.at),
                "rate": key.rate,
                "made": f"{key.created_at:%Y-%m-%d}",
                "expires": _minute(key.expires_at),
                "last used": _minute(key.last_used_at),
            }
            for key in self.keys
        ]


def create_key(
    settings: Settings,
    name: str,
    role: Role,
    rate: float | None = None,
    expires_at: datetime | None = None,
    account: str | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> MadeKey:
    """A new key; services know it within settings.access.poll_seconds, or when it is first used.

    Args:
        rate: requests a second; None = the setting access.default_rate.
        expires_at: None = never.
        account: name or id of the account of ads; for the role advertiser, and for no other.

    Raises:
        RequestError: the name cannot be one or is taken, the rate is not above 0, the end has passed, or
            role and account do not belong together.
        UnknownCampaignError: there is no such account.
        StoreUnavailableError: the database does not answer.
    """
    check_name(name)
    now = clock()
    if rate is not None and not 0 < rate < float("inf"):
        raise RequestError(f"a rate of {rate:g} requests a second lets nothing through. Give one above 0.")
    if expires_at is not None and expires_at <= now:
        raise RequestError(f"{expires_at.isoformat()} has passed. Give an instant of the future.")
    key_id, text = new_key()
    key = KeyRecord(
        key_id,
        name,
        role,
        digest_of(text),
        created_at=now,
        created_by=current_user(),
        account=_account_id(settings, role, account),
        rate=rate,
        expires_at=expires_at,
    )
    with SqlKeyStore.open(settings) as store:
        store.add(key)
    return MadeKey(key, text)


def list_keys(settings: Settings, clock: Callable[[], datetime] = utc_now) -> KeyList:
    """Every key that there ever was, the newest first.

    Raises:
        StoreUnavailableError: the database does not answer.
    """
    with SqlKeyStore.open(settings) as store:
        return KeyList(tuple(store.all_keys()), clock())


def revoke_keys(settings: Settings, which: str, clock: Callable[[], datetime] = utc_now) -> KeyList:
    """The keys that this call revoked: that of id `which`, or all of that name.

    Raises:
        RequestError: there is none.
        StoreUnavailableError: the database does not answer; the key is valid still.
    """
    now = clock()
    with SqlKeyStore.open(settings) as store:
        return KeyList(tuple(store.revoke(which, now, current_user())), now)


def rotate_key(
    settings: Settings,
    which: str,
    grace: timedelta | None = None,
    expires_at: datetime | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> MadeKey:
    """A new key in the place of another, with its name, role and rate; both are valid for a while.

    Args:
        which: name or id of the key.
        grace: how long the old one stays valid; default: settings.access.rotation_hours. None of it for one
            that others may have seen.
        expires_at: of the new key; None = as long after now as the old one was made to last, or never.

    Raises:
        RequestError: there is no such key that is valid, or the end has passed.
        StoreUnavailableError: the database does not answer.
    """
    now = clock()
    if expires_at is not None and expires_at <= now:
        raise RequestError(f"{expires_at.isoformat()} has passed. Give an instant of the future.")
    until = now + (timedelta(hours=settings.access.rotation_hours) if grace is None else grace)
    key_id, text = new_key()
    new = KeyRecord(
        key_id, "", "", digest_of(text), created_at=now, created_by=current_user(), expires_at=expires_at
    )
    with SqlKeyStore.open(settings) as store:
        kept = store.replace(which, new, until)
    return MadeKey(kept, text, until)


def _account_id(settings: Settings, role: Role, account: str | None) -> str | None:
    if (role is Role.ADVERTISER) != (account is not None):
        raise RequestError(
            f"--account goes with --role {Role.ADVERTISER} and with no other role, which needs it."
        )
    if account is None:
        return None
    with AdsStore.open(settings) as store:
        return store.account(account).account_id


def _minute(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d %H:%M}"
