"""Access keys in memory: what the contract asks for and nothing else."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from recsys.access.keys import KeyRecord, KeySet, digest_of, name_taken, new_key, no_such_key, successor
from recsys.errors import StoreUnavailableError

MADE = datetime(2024, 5, 1, tzinfo=UTC)


class FakeKeyStore:
    """`KeyStore` in memory; set `away` and every method raises as if the database did not answer."""

    def __init__(self) -> None:
        self.away = False
        self.looks = 0
        self._keys: dict[str, KeyRecord] = {}
        self._lock = Lock()

    def make(self, role: str = "storefront", name: str = "web", **fields: Any) -> str:
        """Keeps a new key and returns its text."""
        key_id, text = new_key()
        self.add(KeyRecord(key_id, name, role, digest_of(text), **{"created_at": MADE, **fields}))
        return text

    def add(self, key: KeyRecord) -> None:
        self._answer("add")
        with self._lock:
            if any(each.name == key.name and _is_current(each) for each in self._keys.values()):
                raise name_taken(key.name)
            self._keys[key.key_id] = key

    def all_keys(self) -> list[KeyRecord]:
        self._answer("list")
        newest_first = sorted(self._keys.values(), key=lambda key: key.key_id)
        return sorted(newest_first, key=lambda key: key.created_at, reverse=True)

    def key_set(self, now: datetime) -> KeySet:
        self.looks += 1
        self._answer("read")
        known = [
            key
            for key in self._keys.values()
            if key.revoked_at is None and not key.has_expired(now - timedelta(days=30))
        ]
        return KeySet({key.key_id: key for key in known}, bool(self._keys))

    def revoke(self, which: str, at: datetime, by: str) -> list[KeyRecord]:
        self._answer("revoke")
        found = [key for key in self._keys.values() if which in (key.key_id, key.name)]
        if not found:
            raise no_such_key(which)
        revoked = [replace(key, revoked_at=at, revoked_by=by) for key in found if key.revoked_at is None]
        self._keys |= {key.key_id: key for key in revoked}
        return revoked

    def replace(self, which: str, new: KeyRecord, old_expires_at: datetime) -> KeyRecord:
        self._answer("replace")
        found = [key for key in self._keys.values() if which in (key.key_id, key.name) and _is_current(key)]
        if not found:
            raise no_such_key(which)
        (old,) = found
        ends = min(old.expires_at or old_expires_at, old_expires_at)
        self._keys[old.key_id] = replace(old, expires_at=ends, replaced_by=new.key_id)
        kept = successor(old, new)
        self.add(kept)
        return kept

    def note_used(self, used: Mapping[str, datetime], every_minutes: float) -> None:
        if not used:
            return
        self._answer("note uses")
        for key_id, at in used.items():
            key = self._keys.get(key_id)
            if key is None:
                continue
            if key.last_used_at is None or key.last_used_at <= at - timedelta(minutes=every_minutes):
                self._keys[key_id] = replace(key, last_used_at=at)

    def _answer(self, operation: str) -> None:
        if self.away:
            raise StoreUnavailableError("fake keys", operation, 0.0)


def _is_current(key: KeyRecord) -> bool:
    return key.revoked_at is None and key.replaced_by is None
