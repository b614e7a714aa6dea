"""A copy of a home from which it can be restored, taken while services and workers go on."""

import logging
from dataclasses import dataclass
from pathlib import Path

from recsys.atomic import creating_folder
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import ConfigError, DataError, StoreUnavailableError
from recsys.jobs.preconditions import check_folder_writable
from recsys.progress import Progress, silent
from recsys.stores.home_copy import copy_append_only_files, copy_files
from recsys.stores.lake.import_swap import import_lock
from recsys.stores.redis.server import server_status

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backup:
    """What a back-up holds.

    Attributes:
        online_store: whether the embedded server's data is in it; not where REDIS_URL names a server.
        registry: whether runs and bundles are; not where DATABASE_URL names a PostgreSQL.
    """

    folder: Path
    files: int
    online_store: bool
    registry: bool

    def to_json(self) -> JsonObject:
        """What `recsys backup --json` prints."""
        return {
            "folder": str(self.folder),
            "files": self.files,
            "online_store": self.online_store,
            "registry": self.registry,
        }


def back_up_home(settings: Settings, folder: Path, progress: Progress = silent) -> Backup:
    """Copies the home to `folder`, there whole or not at all; everything may go on meanwhile but an import.

    First what Redis holds, then the rest. So an event that was accepted before is in the stream's copy, or
    in that of the workers' state or of the lake, which took it from there.

    Raises:
        ConfigError: `folder` is there already or lies in the home.
        DataError: there is no home, or an import is running.
        StoreUnavailableError: the server does not answer, or the disk refuses.
    """
    paths, folder = settings.paths, folder.absolute()
    if not paths.home.is_dir():
        raise DataError(f"{paths.home} does not exist, so there is nothing to back up. Check RECSYS_HOME.")
    if folder.exists():
        raise ConfigError(f"{folder} exists already. Name a new folder.")
    if folder.is_relative_to(paths.home.absolute()):
        raise ConfigError(f"{folder} lies in the home that is backed up. Name a folder elsewhere.")
    check_folder_writable(folder.parent, "Name a folder elsewhere.")
    embedded = settings.redis_url is None
    in_home = settings.database_url is None
    try:
        with import_lock(paths), creating_folder(folder) as draft:
            if embedded:
                with progress("copy online store", None):
                    running = server_status(settings).running
                    copy_append_only_files(settings, draft / paths.redis.name, running)
            with progress("copy files", None):
                files = copy_files(paths.home, draft, lambda path: path in (paths.redis, paths.working))
            draft.chmod(0o700)
    except OSError as error:
        raise StoreUnavailableError(
            "disk", f"write {folder} ({error.strerror or error})", 0.0, "Free some space."
        ) from error
    if not embedded:
        log.warning("REDIS_URL names a server of your own, which is not in the back-up: docs/backup.md")
    if not in_home:
        log.warning("DATABASE_URL names a database of your own, which is not in the back-up: docs/backup.md")
    return Backup(folder, files, embedded, in_home)
