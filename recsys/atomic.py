"""Files and folders that appear whole or not at all, whatever is killed and whenever the power goes.

What is written lies under a hidden name beside its place until it is on the disk, and is renamed then. The
hidden name ends in `.partial`, so that a pattern such as `*.parquet` never finds it.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """The hidden path of a file to write, which takes the place of `path` when the block ends well.

    After an error `path` is as before, and the hidden file is gone.

    Args:
        durable: whether content and name are on the disk when the block is left; otherwise they get there
            when the system sees fit, and a power cut may leave an empty file.
    """
    partial = _hidden(path)
    try:
        yield partial
        if durable:
            flush(partial)
        os.replace(partial, path)
        if durable:
            flush(path.parent)
    finally:
        with suppress(OSError):  # gone already if all went well
            partial.unlink()


@contextmanager
def creating_folder(path: Path) -> Iterator[Path]:
    """A hidden folder to fill, which becomes `path` when the block ends well and is gone otherwise.

    Folders above `path` are made where they lack.

    Raises:
        OSError: there is a folder at `path` that is not empty, or the disk refused.
    """
    partial = _hidden(path)
    try:
        partial.mkdir(parents=True)
        yield partial
        for folder, _, files in os.walk(partial, topdown=False):
            for name in files:
                flush(Path(folder, name))
            flush(Path(folder))
        os.replace(partial, path)
        flush(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_bytes(path: Path, content: bytes | memoryview, durable: bool = True) -> None:
    """Writes a file as `replacing` does."""
    with replacing(path, durable) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file as `replacing` does."""
    write_bytes(path, text.encode("utf-8"))


def flush(path: Path) -> None:
    """Waits until a file's content, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
