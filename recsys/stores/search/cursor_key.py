"""The secret that cursors are signed with: one a shop, so that any process reads what another gave."""

from recsys.config import Settings
from recsys.stores.home_secret import home_secret


def cursor_key(settings: Settings) -> bytes:
    """The key of `search.cursor_key`, else that of the home, which is made with the first need of it.

    Raises:
        ConfigError: the home's key cannot be read or written.
    """
    given = settings.search.cursor_key
    if given is not None:
        return given.get_secret_value().encode()
    return home_secret(settings.paths.cursor_key, "the key of search's cursors", "search.cursor_key")
