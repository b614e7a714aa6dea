"""Whether the disk has room."""

import errno
import tempfile
from pathlib import Path

PROBE_BYTES = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


def write_probe(folder: Path) -> None:
    """Writes a megabyte into `folder`, which is gone again at once.

    Raises:
        OSError: it cannot be written.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(PROBE_BYTES))
        file.flush()


def is_disk_full(folder: Path) -> bool:
    """Whether nothing more can be written into `folder`, tried out: a quota shows in no number."""
    try:
        write_probe(folder)
    except OSError as error:
        return error.errno in _FULL
    return False
