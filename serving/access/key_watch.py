"""The access keys that one process knows, read again and again so that a revoked one is soon refused."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock

from recsys.access.keys import KeyRecord, KeySet, KeyStore
from recsys.background_task import BackgroundTask
from recsys.errors import StoreUnavailableError
from serving.access.metrics import AccessMetrics

log = logging.getLogger("recsys.serving")

APART_SECONDS = 0.1  # between two reads because of unknown keys
AWAY_SECONDS = 5.0  # without an answer, however the store fails to give one
_UNREAD = "the access keys were not read yet"


class KeyWatch:
    """Holds the keys; `_keys` is one reference that is replaced as a whole.

    Where the store is away, the keys that are known stay so and `problem` says it.

    Args:
        store: where keys are kept. used_minutes: how coarse `last_used_at` is.
        now: the clock. steady: monotonic seconds.

    Attributes:
        tasks: the reading, and the writing of when keys were used.
    """

    def __init__(
        self,
        store: KeyStore,
        metrics: AccessMetrics,
        used_minutes: float,
        now: Callable[[], datetime],
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._used_minutes = used_minutes
        self._now = now
        self._steady = steady
        self._keys: KeySet | None = None
        self._began_at = self._read_at = float("-inf")  # when the last look began, and the last answer came
        self._failure = _UNREAD
        self._reading, self._use_lock = Lock(), Lock()
        self._used: dict[str, datetime] = {}
        self._poll = BackgroundTask("access keys", self._read)
        self._notes = BackgroundTask("key uses", self.note_uses)
        self.tasks = (self._poll, self._notes)

    @property
    def any_made(self) -> bool:
        """Whether a key was ever made; also where that cannot be known."""
        return self._keys is None or self._keys.any_made

    @property
    def problem(self) -> str:
        """Why the keys may be out of date; empty where they are not."""
        if self._failure:
            return self._failure
        silent = self._steady() - self._read_at
        return f"the last answer came {silent:.0f} s ago" if silent > AWAY_SECONDS else ""

    def find(self, key_id: str) -> KeyRecord | None:
        """The key of that id, as of the last look."""
        return None if self._keys is None else self._keys.keys.get(key_id)

    def note_use(self, key: KeyRecord) -> None:
        """Notes that a key was used now; it is written later."""
        self._used[key.key_id] = self._now()

    def check(self) -> None:
        """Reads the keys now. Never raises."""
        self._poll.attempt()

    def moment(self) -> float:
        """Now, for `check_for_new`."""
        return self._steady()

    def check_for_new(self, asked_at: float) -> None:
        """Makes sure that the keys were read after `asked_at`; for a key that may have been made just before.

        All who wait share one look, and looks are apart: strangers cannot keep the database busy.
        """
        with self._reading:
            if self._began_at > asked_at:
                return
            if (early := self._began_at + APART_SECONDS - self._steady()) > 0:
                time.sleep(early)
            self.check()

    def start(self, poll_seconds: float) -> None:
        """Reads the keys every `poll_seconds` from now on, in a thread of its own."""
        self._poll.start(poll_seconds, at_once=False)
        self._notes.start(self._used_minutes * 60 / 10, at_once=False)  # ten times as fine as is kept

    def stop(self) -> None:
        """Ends the threads, and writes when keys were last used."""
        self._poll.stop()
        self._notes.stop()
        self._notes.attempt()

    def note_uses(self) -> None:
        """Writes when keys were last used; what cannot be written is kept for the next time."""
        with self._use_lock:
            used = dict(self._used)
            self._store.note_used(used, self._used_minutes)
            for key_id, at in used.items():
                if self._used.get(key_id) == at:
                    del self._used[key_id]

    def _read(self) -> None:
        self._began_at = self._steady()
        try:
            found = self._store.key_set(self._now())
        except StoreUnavailableError as error:
            # Not raised: a task that fails waits ever longer, and a revoked key would go on that long.
            self._note_failure(str(error))
            return
        except Exception as error:
            self._note_failure(f"{type(error).__name__}: {error}")
            raise
        if self._failure not in ("", _UNREAD):
            log.info("access keys can be read again")
        self._keys, self._failure, self._read_at = found, "", self._steady()
        self._metrics.unread.set(0)
        self._metrics.keys.set(len(found.keys))

    def _note_failure(self, failure: str) -> None:
        if self._failure in ("", _UNREAD):
            log.warning("access keys cannot be read; those that are known go on: %s", failure)
        self._failure = failure
        self._metrics.unread.set(1)
