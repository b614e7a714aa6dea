"""What a file is by its first bytes: packed, Parquet, or something that is not a table of rows."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import DataError

PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".lz4")
HEAD_BYTES = 4096
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}
_AS_CSV = "Save its sheet as CSV UTF-8 and name that file"
_AS_PARQUET = "Write its rows as Parquet, CSV or JSON Lines and name that file"
_UNPACK = "Unpack it and name the files inside"


@dataclass(frozen=True)
class _Foreign:
    """A kind of file that is not read: how it begins, and what to do about it."""

    magic: bytes
    kind: str
    remedy: str
    binary: bool = True  # the magic alone could begin a text, so bytes that no text has must follow


_FOREIGN = (
    _Foreign(b"PK\x05\x06", "an empty zip archive", _UNPACK, binary=False),
    _Foreign(b"\xd0\xcf\x11\xe0", "an Excel workbook (.xls)", _AS_CSV, binary=False),
    _Foreign(b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK, binary=False),
    _Foreign(b"Rar!\x1a\x07", "a RAR archive", _UNPACK, binary=False),
    _Foreign(b"\x1f\x9d", "a file packed by `compress` (.Z)", _UNPACK, binary=False),
    _Foreign(b"\xff\x06\x00\x00sNaPpY", "a Snappy file", _UNPACK, binary=False),
    _Foreign(b"%PDF-", "a PDF document", _AS_PARQUET, binary=False),
    _Foreign(b"SQLite format 3\x00", "an SQLite database", _AS_PARQUET, binary=False),
    _Foreign(b"ARROW1", "an Arrow or Feather file", _AS_PARQUET),
    _Foreign(b"Obj\x01", "an Avro file", _AS_PARQUET),
    _Foreign(b"ORC", "an ORC file", _AS_PARQUET),
    _Foreign(b"PARE", "an encrypted Parquet file", "Decrypt it and name that file"),
    _Foreign(b"<!doctype html", "a web page, not a table", "Download the file itself", binary=False),
    _Foreign(b"<html", "a web page, not a table", "Download the file itself", binary=False),
    _Foreign(b"<?xml", "XML", _AS_PARQUET, binary=False),
)
_BOMS = {  # the longer first: UTF-32's begins as UTF-16's
    b"\xff\xfe\x00\x00": "utf-32-le",
    b"\x00\x00\xfe\xff": "utf-32-be",
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}


def unpacked_name(file: str) -> str:
    """`file` in lower case, without the suffix of a packing.

    >>> unpacked_name("Orders.TSV.gz")
    'orders.tsv'
    """
    name = file.lower()
    for suffix in PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def packing_of(head: bytes) -> str | None:
    """By what a file that begins with `head` is packed: `gzip`, `bz2`, `xz`, `zstd`, `lz4`, or None."""
    if head.startswith(b"BZh") and head[4:10] == b"1AY&SY":
        return "bz2"
    return next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)


def byte_order_mark(head: bytes) -> tuple[bytes, str] | None:
    """The byte order mark that `head` begins with and the encoding it says."""
    return next(((mark, name) for mark, name in _BOMS.items() if head.startswith(mark)), None)


def is_parquet(head: bytes) -> bool:
    """Whether `head` begins a Parquet file."""
    return head.startswith(b"PAR1") and _binary(head)


def reject_foreign_file(path: Path, file: str, head: bytes, unpacked: bytes) -> None:
    """Lets files of rows pass.

    Args:
        head: the first bytes of the file. unpacked: those of what is packed in it, or the same.

    Raises:
        DataError: it is an archive, a workbook, a database, ...; the message says what to do.
    """
    if head.startswith(b"PK\x03\x04"):
        raise DataError(f"{file} is {_zipped(path)}.")
    if unpacked[257:262] == b"ustar":
        raise DataError(f"{file} is a tar archive. {_UNPACK}.")
    if unpacked is not head and (packing_of(unpacked) or unpacked.startswith(b"PK\x03\x04")):
        raise DataError(f"{file} is packed twice. {_UNPACK}.")
    shown = unpacked.lstrip(b"\xef\xbb\xbf \t\r\n")[:16].lower()
    for foreign in _FOREIGN:
        begins = unpacked.startswith(foreign.magic) or (
            foreign.magic.startswith(b"<") and shown.startswith(foreign.magic)
        )
        if begins and (not foreign.binary or _binary(unpacked)):
            raise DataError(f"{file} is {foreign.kind}. {foreign.remedy}.")


def _binary(head: bytes) -> bool:
    return any(byte < 9 for byte in head[:64])


def _zipped(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return f"a zip archive. {_UNPACK}"
    if any(name.startswith("xl/") for name in names):
        return f"an Excel workbook (.xlsx). {_AS_CSV}"
    if "content.xml" in names:
        return f"a spreadsheet (.ods). {_AS_CSV}"
    inside = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"a zip archive (inside: {inside}). {_UNPACK}"
