"""What a command needs at its end, made sure of before it works for minutes.

Each check raises the error that the work itself would end with, and creates, changes and leaves nothing. What
is true now may have changed by the time it is needed: whoever writes or connects still has errors of its own.
"""

import os
import sys
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

from recsys.addresses import is_loopback
from recsys.config import Settings
from recsys.distribution import setup_command
from recsys.errors import ConfigError, storage_problem
from recsys.jobs.checks.machine import nearest_folder
from recsys.jobs.start.disk import write_probe
from recsys.jobs.start.listener import bind_listener


def check_file_writable(
    path: Path, option: str, *, makes_folders: bool = True, sources: Collection[Path] = ()
) -> None:
    """Makes sure that a file can be written at `path`, in place of one that is there.

    Args:
        option: what named it, for the message.
        makes_folders: whether the one who writes makes the folders that lack.
        sources: files that the command reads, which it must not replace.

    Raises:
        ConfigError: it is a folder or one of `sources`, its folder lacks and will not be made, or the place
            cannot be written.
    """
    if os.path.isdir(path):
        raise ConfigError(f"{option} {path} is a folder. Name a file.")
    for source in sources:
        if os.path.exists(path) and os.path.exists(source) and path.samefile(source):
            raise ConfigError(f"{option} {path} is the file that is read; it would be lost. Name another.")
    if not makes_folders and not os.path.exists(path.parent):
        raise ConfigError(f"{option} {path}: there is no folder {path.parent}. Make it, or name another.")
    _check_folder(path.parent, f"{option} {path} cannot be written", "Name a file elsewhere.")


def check_folder_writable(folder: Path, remedy: str = "Set RECSYS_HOME to a folder of yours.") -> None:
    """Makes sure that files can be written into `folder`, which may have to be made.

    Raises:
        ConfigError: it is a file, or the place cannot be written.
    """
    _check_folder(folder, f"{folder} cannot be written", remedy)


def check_home_writable(settings: Settings) -> None:
    """Makes sure that the home is there and takes a file, which is gone again afterwards.

    Raises:
        ConfigError: the disk is full or read-only, or the home is another account's.
    """
    home = settings.paths.home
    check_folder_writable(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        write_probe(home)
    except OSError as error:
        raise ConfigError(f"{home} cannot be written: {storage_problem(error) or error}") from error


def check_before_training(settings: Settings) -> None:
    """Makes sure of what every training needs at its end: a feature repository, and a home to write to.

    Raises:
        ConfigError: the repository lacks or is broken, or the home cannot be written.
    """
    check_feature_repository(settings)
    for folder in (settings.paths.features, settings.paths.runs, settings.paths.bundles):
        check_folder_writable(folder)


def check_feature_repository(settings: Settings) -> None:
    """Makes sure that there is a feature repository whose files can be read by Feast and by Python.

    Raises:
        ConfigError: there is none at the root, or a file of it is broken.
    """
    from recsys.stores.features.feast_registry import load_configuration  # Feast takes seconds

    load_configuration(settings)
    for file in sorted(settings.feature_repo.glob("*.py")):
        try:
            compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
        except (OSError, SyntaxError, ValueError) as error:
            raise ConfigError(f"{file} cannot be used: {error}. Mend it: `feast apply` reads it.") from error


def check_text_encoder(settings: Settings) -> None:
    """Makes sure that the encoder of text is on this machine, for a shop that needed it before.

    A home without encoded texts is passed over: it may have nothing to read, and needs no encoder then.

    Raises:
        ArtifactNotFoundError: it is not here.
    """
    if not any(settings.paths.text_vectors.glob("*")):
        return
    from recsys.models.encoders.text_encoder import encoder_dimensions

    encoder_dimensions(settings.text)


def check_online_store(settings: Settings) -> None:
    """Makes sure that the repository's Redis answers and is not another shop's.

    Raises:
        ConfigError: there is no feature repository, or the server holds another shop.
        StoreUnavailableError: no server runs, or it does not answer.
    """
    from recsys.jobs.checks.servers import TIMEOUT_SECONDS
    from recsys.stores.features.feast_registry import load_configuration
    from recsys.stores.packed.connection import open_client
    from recsys.stores.redis.client import redis_errors
    from recsys.stores.redis.shop_claim import MARK, another_shop
    from recsys.stores.shop_identity import known_shop_id

    client = open_client(load_configuration(settings), settings, TIMEOUT_SECONDS)
    try:
        with redis_errors("ping", TIMEOUT_SECONDS):
            owner = client.get(MARK)
    finally:
        client.close()
    # A home before its first import is nobody yet, and no connection of it would be refused.
    if owner is not None and known_shop_id(settings) is None:
        raise another_shop("(a new one)", owner.decode(), "the Redis of this home")


def check_port_free(host: str, port: int) -> None:
    """Makes sure that the service can listen there.

    Raises:
        ConfigError: another process has the port, or the address is not one of this machine.
    """
    bind_listener(host, port).close()


def require_key_beyond_loopback(host: str, api_key: str | None, settings: Settings | None = None) -> None:
    """Raises ConfigError where a service would listen beyond this machine without an API key.

    Args:
        settings: of the home where one access key that was ever made is enough, too; None = of no home.
    """
    if api_key or is_loopback(host):
        return
    if settings is not None:
        from recsys.stores.access.key_store import any_key_made  # SQLAlchemy, 27 MB of a supervisor

        if any_key_made(settings):
            return
    raise ConfigError(
        f"the service would listen on {host} without an API key. Set RECSYS_API_KEY, or listen on 127.0.0.1. "
        "A key of `recsys keys create` is enough, too."
    )


def check_package(module: str, needed_by: str, remedy: str) -> None:
    """Makes sure that an optional package is installed, without importing it.

    Raises:
        ConfigError: it is not.
    """
    if find_spec(module) is None:
        raise ConfigError(f"{needed_by} needs {module}, which is not installed. {remedy}")


def check_program(name: str) -> None:
    """Makes sure that a program of this environment is there.

    Raises:
        ConfigError: it is not.
    """
    program = Path(sys.executable).parent / name
    if not os.access(program, os.X_OK):
        raise ConfigError(f"{program} does not exist. Run `{setup_command()}`.")


def _check_folder(folder: Path, problem: str, remedy: str) -> None:
    nearest = nearest_folder(folder)
    if not os.path.isdir(nearest):
        raise ConfigError(f"{problem}: {nearest} is no folder. {remedy}")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"{problem}: {nearest} is read-only or another account's. {remedy}")
