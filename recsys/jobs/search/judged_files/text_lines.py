"""The lines of a text file with their numbers, packed by gzip or not."""

import gzip
from collections.abc import Iterator
from pathlib import Path

from recsys.errors import DataError

_GZIP = b"\x1f\x8b"
_LONGEST_LINE = 16 << 20


def numbered_lines(path: Path, most: int | None = None) -> Iterator[tuple[int, str]]:
    """(number from 1, line without its end) of each line that is not blank, at most `most` of them.

    A file that is not text has none.

    Raises:
        DataError: the file cannot be read or unpacked, or a line is too long to be one.
    """
    given = 0
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), start=1):
                if len(line) == _LONGEST_LINE:
                    raise DataError(f"{path.name}, line {number} is longer than 16 MiB. Is it a text file?")
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    if number == 1:
                        return  # Parquet and the like
                    raise DataError(
                        f"{path.name}, line {number} is not UTF-8: {error.reason}. Write it as UTF-8."
                    ) from error
                if text.strip():
                    yield number, text.rstrip("\r\n")
                    given += 1
                    if given == most:
                        return
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {error}. Copy it again.") from error
