"""A text file as UTF-8 in blocks of whole lines: unpacked, decoded, numbered, and bounded in size."""

import bz2
import codecs
import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from recsys.arrays import IntArray
from recsys.errors import DataError
from recsys.ingest.readers.contents import HEAD_BYTES, byte_order_mark, packing_of
from recsys.ingest.readers.limits import ReadLimits

BLOCK_BYTES = 16 << 20
_COUNTED_BYTES = 4 << 20  # packed files up to here are unpacked once only to see how large they become
_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException)


class _Bytes(Protocol):
    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""


@dataclass(frozen=True)
class LineBlock:
    """Whole lines of a file in UTF-8.

    Attributes:
        data: the lines with their ends: `\\n`, `\\r\\n` or `\\r`; the last of a file may lack one.
        ends: (L,) where each line ends in `data`, its end included.
        first: the number of the first line, from 1.
        last: nothing follows.
    """

    data: bytes
    ends: IntArray
    first: int
    last: bool

    @property
    def starts(self) -> IntArray:
        """(L,) where each line begins in `data`."""
        return np.concatenate([np.zeros(1, np.int64), self.ends[:-1]])

    def text(self, line: int, end: int | None = None) -> str:
        """Lines from `line` to before `end` (one by default), counted from 0, without the last line end."""
        start = int(self.ends[line - 1]) if line else 0
        found = self.data[start : int(self.ends[line if end is None else end - 1])]
        return found.decode("utf-8", "replace").rstrip("\r\n")


def line_block(data: bytes, first: int, last: bool) -> LineBlock:
    """`data` as a block whose first line has the number `first`."""
    codes = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(codes == 10) + 1
    if b"\r" in data:  # alone it ends a line too
        returns = np.flatnonzero(codes == 13) + 1
        alone = codes[np.minimum(returns, len(codes) - 1)] != 10
        alone |= returns == len(codes)
        ends = np.sort(np.concatenate([ends, returns[alone]]))
    if data and (not len(ends) or ends[-1] != len(data)):
        ends = np.append(ends, len(data))
    return LineBlock(data, ends.astype(np.int64), first, last)


def first_bytes(path: Path) -> tuple[bytes, bytes]:
    """The first bytes of a file, and those of what is packed in it (the same object if nothing is).

    What is damaged has none.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if packing_of(head) is None:
        return head, head
    try:
        with _unpacked(path, packing_of(head)) as stream:
            return head, stream.read(HEAD_BYTES)
    except _DAMAGE:
        return head, b""


def reject_large_contents(path: Path, file: str, limits: ReadLimits) -> None:
    """Lets files pass that are not packed, or large enough to be judged while they are read.

    Raises:
        DataError: a small packed file is damaged, or unpacks to more than `limits` allows.
    """
    if path.stat().st_size <= _COUNTED_BYTES:
        with _opened(path, file, limits) as stream:
            while stream.packed and stream.read(1 << 20):
                pass


def line_blocks(path: Path, file: str, encoding: str, limits: ReadLimits) -> Iterator[LineBlock]:
    """The lines of a text file; one that is empty has no block.

    A byte order mark says the encoding, whatever `encoding` says.

    Raises:
        DataError: it is cut off, has another encoding, or a line or the whole is larger than `limits`.
    """
    number = 1
    rest: list[bytes] = []  # the beginning of a line
    held = 0
    with _opened(path, file, limits) as stream:
        text = _Decoded(stream, encoding, file)
        chunk = text.read()
        while chunk:
            following = text.read()
            cut = len(chunk) if not following else _last_line_end(chunk)
            if cut:
                block = line_block(b"".join([*rest, chunk[:cut]]), number, not following)
                rest, held = [chunk[cut:]], len(chunk) - cut
                _check_lines(block, file, limits)
                yield block
                number += len(block.ends)
            else:
                rest.append(chunk)
                held += len(chunk)
            if held > limits.line_bytes:
                raise _too_long(file, number, limits)
            chunk = following


def _last_line_end(chunk: bytes) -> int:
    """Where the last line that surely ends in `chunk` ends; 0 if none does."""
    # A return at the very end may have its newline in the next chunk.
    return max(chunk.rfind(b"\n"), chunk.rfind(b"\r", 0, len(chunk) - 1)) + 1


def _check_lines(block: LineBlock, file: str, limits: ReadLimits) -> None:
    lengths = np.diff(block.ends, prepend=0)
    if len(block.data) > limits.line_bytes and int(lengths.max()) > limits.line_bytes:
        raise _too_long(file, block.first + int(np.argmax(lengths > limits.line_bytes)), limits)


def _too_long(file: str, line: int, limits: ReadLimits) -> DataError:
    return DataError(
        f"{file}, row {line}: the line is longer than {limits.line_bytes} bytes. "
        "Is it a table with one row a line? If so, raise most_line_bytes in the [import] settings."
    )


class _Decoded:
    """Chunks of a stream in UTF-8, without a byte order mark."""

    def __init__(self, stream: _Bytes, encoding: str, file: str) -> None:
        self._stream = stream
        self._file = file
        self._head = stream.read(BLOCK_BYTES)
        mark = byte_order_mark(self._head)
        if mark is not None:
            self._head, encoding = self._head[len(mark[0]) :], mark[1]
        elif _is_utf8(encoding):
            encoding = _unmarked_encoding(self._head[:64]) or encoding
        elif codecs.lookup(encoding).name == "utf-16":  # which says no byte order
            encoding = _unmarked_encoding(self._head[:64]) or "utf-16-le"
        self._encoding = encoding
        self._decoder = None if _is_utf8(encoding) else codecs.getincrementaldecoder(encoding)()
        self._lines = 0

    def read(self) -> bytes:
        """The next chunk, empty at the end."""
        while True:
            raw, self._head = self._head or self._stream.read(BLOCK_BYTES), b""
            if self._decoder is None:
                return raw
            try:
                text = self._decoder.decode(raw, final=not raw)
            except UnicodeDecodeError as error:
                raise undecodable(self._file, self._lines + 1, error, self._encoding) from error
            self._lines += text.count("\n")
            if text or not raw:
                return text.encode()


def _unmarked_encoding(head: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of a text in Latin letters is zero."""
    zeros = head[::2].count(0), head[1::2].count(0)
    if len(head) < 8 or min(zeros) > 0 or max(zeros) < len(head) // 4:
        return None
    return "utf-16-be" if zeros[0] else "utf-16-le"


def undecodable(file: str, line: int, error: UnicodeDecodeError, encoding: str) -> DataError:
    """The error for bytes that are not `encoding`; `line` is that where the bytes of `error` begin."""
    newline = "\n".encode(encoding)[-2:].strip(b"\xff\xfe") or b"\n"
    before = error.object[: error.start]
    start = max(before.rfind(newline) + len(newline), error.start - 20, 0)
    value = error.object[start : error.end + 20].split(b"\n")[0].rstrip()
    return DataError(
        f"{file}, row {line + before.count(newline)}: {value!r} is not {encoding}. "
        "Name the file's encoding in the mapping, for example encoding = 'latin-1'."
    )


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


@contextmanager
def _opened(path: Path, file: str, limits: ReadLimits) -> Iterator["_Bounded"]:
    with path.open("rb") as raw:
        packing = packing_of(raw.read(HEAD_BYTES))
    with _unpacked(path, packing) as stream:
        most = limits.unpacked_bytes(path.stat().st_size) if packing else None
        yield _Bounded(stream, file, most, limits.unpacked_ratio)


class _Bounded:
    """A stream that says which file is damaged, or unpacks to more than is credible."""

    def __init__(self, stream: Any, file: str, most: int | None, ratio: int) -> None:
        self._stream = stream
        self._file = file
        self._most = most
        self._ratio = ratio
        self._count = 0

    @property
    def packed(self) -> bool:
        """Whether the file is packed."""
        return self._most is not None

    def read(self, size: int, /) -> bytes:
        try:
            chunk: bytes = self._stream.read(size)
        except _DAMAGE as error:
            raise DataError(
                f"{self._file} is cut off or damaged after {self._count} bytes of text: {error}. "
                "Copy or download it again."
            ) from error
        self._count += len(chunk)
        if self._most is not None and self._count > self._most:
            raise DataError(
                f"{self._file} unpacks to more than {self._most >> 20} MiB, over {self._ratio} times its "
                "size. If that is right, raise most_unpacked_ratio in the [import] settings."
            )
        return chunk


@contextmanager
def _unpacked(path: Path, packing: str | None) -> Iterator[Any]:
    with path.open("rb") as file:
        if packing == "gzip":
            yield gzip.GzipFile(fileobj=file)
        elif packing == "bz2":
            yield bz2.BZ2File(file)
        elif packing == "xz":
            yield lzma.open(file)  # noqa: SIM115 - `file` is closed here
        elif packing is not None:
            yield pa.CompressedInputStream(pa.PythonFile(file, mode="r"), packing)
        else:
            yield file
