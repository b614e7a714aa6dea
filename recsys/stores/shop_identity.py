"""The identity of a shop: a random id that its homes share and that its Redis carries.

It is made with the first import and lies in `<home>/shop.json`, so a home that is copied or moved keeps it. A
further home of the same shop gets it by a copy of that file, or by the setting `shop.id`.
"""

import json
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path

from recsys.config import Settings
from recsys.errors import ConfigError
from recsys.home import HomePaths
from recsys.stores.lake.dataset_files import INFO_FILE

log = logging.getLogger(__name__)


def known_shop_id(settings: Settings) -> str | None:
    """The id of the shop of `settings`, None where it has none yet; writes nothing.

    Raises:
        ConfigError: the home's file is damaged.
    """
    return settings.shop.id or _read_id(settings.paths.shop)


def shop_id(settings: Settings) -> str | None:
    """The id of the shop of `settings`; made now if its home was imported by a version that made none.

    None where nothing was imported, or the home cannot be written.

    Raises:
        ConfigError: the home's file is damaged.
    """
    known = known_shop_id(settings)
    if known or not (settings.paths.data / INFO_FILE).exists():
        return known
    return make_shop_id(settings.paths)


def make_shop_id(paths: HomePaths) -> str | None:
    """The id in the home's file, which is written if there is none.

    Raises:
        ConfigError: the file is damaged.
    """
    known = _read_id(paths.shop)
    if known:
        return known
    partial = paths.shop.with_name(f".{paths.shop.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.write_text(json.dumps({"id": secrets.token_hex(16)}) + "\n", "utf-8")
        with suppress(FileExistsError):  # another process was a moment earlier: its id counts
            os.link(partial, paths.shop)
    except OSError as error:
        log.warning("%s cannot be written, so Redis is not marked as this shop's: %s", paths.shop, error)
        return None
    finally:
        partial.unlink(missing_ok=True)
    return _read_id(paths.shop)


def short_id(shop: str) -> str:
    """What people are shown of an id.

    >>> short_id("0123456789abcdef0123456789abcdef")
    '01234567'
    """
    return shop[:8]


def _read_id(file: Path) -> str | None:
    try:
        return str(json.loads(file.read_text("utf-8"))["id"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{file} is damaged. Copy it from another home of this shop, or delete it: the shop then gets "
            "another id, and `recsys up --take-over` makes its Redis follow."
        ) from error
