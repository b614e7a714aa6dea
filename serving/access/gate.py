"""Whether a request may go on: its key, what the key's role may do, and how often."""

import asyncio
import hmac
import math
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from urllib.parse import unquote_plus

from starlette.datastructures import Headers
from starlette.types import Scope

from recsys.access.keys import KeyRecord, contains_key, digest_of, key_id_of
from recsys.access.roles import Permission, roles_with
from recsys.addresses import is_loopback
from serving.access.caller import LOCAL, OF_SETTINGS, Admission, Caller
from serving.access.key_watch import KeyWatch
from serving.access.metrics import AccessMetrics
from serving.access.permissions import RouteTable
from serving.access.rate_limits import RateLimits
from serving.errors import CODES, FORBIDDEN, KEYS_UNAVAILABLE, RATE_LIMITED
from serving.rejections import Rejection

LOOK_SECONDS = 1.0  # that a request with an unknown key waits for a look into the database
LOOKING_THREADS = 2
KEY_PARAMETERS = re.compile(r"(^|&)(x[-_])?(api[-_]?key|access[-_]?token)=", re.IGNORECASE)
_ASK_FOR_KEY = {"WWW-Authenticate": "Bearer"}
_HOW = "Send it as X-API-Key, or as Authorization: Bearer."


class Gate:
    """Who calls and whether that caller may. One of a process.

    Args:
        settings_key: RECSYS_API_KEY, which is an operator's; None = there is none.
        now: the clock.
    """

    def __init__(
        self,
        settings_key: str | None,
        keys: KeyWatch,
        limits: RateLimits,
        metrics: AccessMetrics,
        now: Callable[[], datetime],
    ) -> None:
        self.keys = keys
        self._settings_digest = digest_of(settings_key) if settings_key else None
        self._limits = limits
        self._metrics = metrics
        self._now = now
        self._routes = RouteTable()
        self._pool = ThreadPoolExecutor(LOOKING_THREADS, "access")

    @property
    def asks_for_key(self) -> bool:
        """Whether callers need a key: from the first one on, revoked or not."""
        return self._settings_digest is not None or self.keys.any_made

    def identify(self, scope: Scope, headers: Headers) -> Admission:
        """Who calls, by the keys that are known already; looks nothing up and counts nothing."""
        given = _given_key(headers)
        key_id = key_id_of(given) if given else None
        if not self.asks_for_key and key_id is None:
            return _local(scope)
        if given is None:
            return _unauthorised("an API key is needed", _HOW)
        digest = digest_of(given)
        if self._settings_digest is not None and hmac.compare_digest(digest, self._settings_digest):
            return Admission(OF_SETTINGS)
        if key_id is None:
            return _WRONG
        key = self.keys.find(key_id)
        return _UNKNOWN if key is None else self._check(key, digest)

    async def admit(self, scope: Scope, headers: Headers) -> Admission:
        """Whether a request may go on, and who makes it; counts it."""
        found = await self._admitted(scope, headers)
        if (rejection := found.rejection) is not None:
            self._metrics.refused.labels(rejection.code or CODES.get(rejection.status, "error")).inc()
        elif found.caller is not None:
            self._metrics.admitted(found.caller)
        return found

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=True)
        self._limits.close()

    def _check(self, key: KeyRecord, digest: str) -> Admission:
        if not hmac.compare_digest(digest, key.digest):
            return _WRONG
        if key.has_expired(self._now()):
            remedy = "Send the key that took its place, or make one by `recsys keys create`."
            return _unauthorised("the API key has expired", remedy)
        return Admission(Caller(key.key_id, key.role, key.account))

    async def _admitted(self, scope: Scope, headers: Headers) -> Admission:
        if _key_in_address(scope):
            return _KEY_IN_ADDRESS
        found = self.identify(scope, headers)
        if found is _UNKNOWN:
            found = await self._look_up(scope, headers)
        caller = found.caller
        if caller is None:
            return found
        return Admission(caller, self._denied(scope, caller) or await self._limited(caller))

    async def _look_up(self, scope: Scope, headers: Headers) -> Admission:
        """`identify` after a look into the database, for a key that may have been made just now."""
        loop, asked_at = asyncio.get_running_loop(), self.keys.moment()
        looking = loop.run_in_executor(self._pool, self.keys.check_for_new, asked_at)
        try:
            await asyncio.wait_for(looking, LOOK_SECONDS)
        except TimeoutError:
            return _UNKNOWN
        found = self.identify(scope, headers)
        return _WRONG if found is _UNKNOWN and not self.keys.problem else found

    def _denied(self, scope: Scope, caller: Caller) -> Rejection | None:
        """Why the caller's role may not; the router tells operators of paths that do not exist."""
        if caller.may(Permission.OPERATION):
            return None
        methods = self._routes.methods_of(scope["path"])
        if not methods:
            return Rejection(404, "Not Found")
        permission = methods.get(scope["method"])
        if permission is None:
            return Rejection(405, "Method Not Allowed", headers={"Allow": ", ".join(methods)})
        if caller.may(permission):
            return None
        roles = " or ".join(roles_with(permission))
        problem = f"the role {caller.role} of key {caller.key_id} may not do this ({permission})"
        return Rejection(403, problem, f"Use a key of the role {roles}.", code=FORBIDDEN)

    async def _limited(self, caller: Caller) -> Rejection | None:
        """Why the caller has to wait."""
        key = self.keys.find(caller.key_id)
        if key is None:
            return None  # no key of ours: that of the settings, or none
        self.keys.note_use(key)
        wait = await self._limits.wait_seconds(key)
        if wait == 0:
            return None
        return Rejection(
            429,
            f"the key {caller.key_id} has made its requests for now",
            "Ask less often, or make a key with a higher --rate.",
            retry=True,
            code=RATE_LIMITED,
            retry_seconds=math.ceil(wait),
        )


def _local(scope: Scope) -> Admission:
    """Of a service that asks for no key: this machine may, no other."""
    server = scope.get("server")  # (host, port); a Unix socket has no port
    if server is None or server[1] is None or is_loopback(server[0]):
        return Admission(LOCAL)
    return _unauthorised(
        "the service has no API key and answers this machine only",
        "Set RECSYS_API_KEY, or run `recsys keys create`.",
    )


def _given_key(headers: Headers) -> str | None:
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return headers.get("X-API-Key") or (token.strip() if scheme.lower() == "bearer" else None) or None


def _key_in_address(scope: Scope) -> bool:
    query = scope.get("query_string", b"").decode("latin-1")
    return bool(query) and (bool(KEY_PARAMETERS.search(query)) or contains_key(unquote_plus(query)))


def _unauthorised(problem: str, remedy: str) -> Admission:
    return Admission(None, Rejection(401, problem, remedy, _ASK_FOR_KEY))


_WRONG = _unauthorised("the API key is wrong, or was revoked", _HOW)
_UNKNOWN = Admission(
    None,
    Rejection(
        503,
        "whether the API key is valid cannot be known now: the database of keys does not answer",
        "Ask again later; keys that were known before go on.",
        retry=True,
        code=KEYS_UNAVAILABLE,
    ),
)
_KEY_IN_ADDRESS = _unauthorised(
    "a key in an address gets into logs, and is not taken",
    f"{_HOW} Put another in its place: `recsys keys rotate`.",
)
