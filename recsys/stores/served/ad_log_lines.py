"""Lines of the ad log: the slots of one answer as JSON, behind a checksum of it."""

from collections.abc import Sequence
from dataclasses import fields
from zlib import crc32

import orjson

from recsys.ads.delivery.served_slot import ServedSlot
from recsys.documents import JsonObject
from recsys.instants import from_micros, to_micros

_FIELDS = frozenset(field.name for field in fields(ServedSlot))
_SERVED_AT = "served_at"
_CHECKSUM = 8  # hexadecimal digits


def answer_line(slots: Sequence[ServedSlot]) -> bytes:
    """One line with `slots`, so that an answer is there as a whole or not at all; ends in a line feed."""
    body = orjson.dumps([_row(slot) for slot in slots])
    return b"%08x %b\n" % (crc32(body), body)


def slots_of_line(line: bytes) -> list[ServedSlot]:
    """The slots of a line without its line feed; fields of later versions are passed over.

    Raises:
        ValueError, TypeError: it is no line that was written here, or it was changed since.
    """
    checksum, body = line[:_CHECKSUM], line[_CHECKSUM + 1 :]
    if int(checksum, 16) != crc32(body):
        raise ValueError("the checksum does not fit")
    return [_slot(row) for row in orjson.loads(body)]


def _row(slot: ServedSlot) -> JsonObject:
    row = {name: value for name, value in vars(slot).items() if value is not None}
    return {**row, _SERVED_AT: to_micros(slot.served_at)}


def _slot(row: JsonObject) -> ServedSlot:
    known = {name: value for name, value in row.items() if name in _FIELDS}
    known.setdefault("position", None)
    known.setdefault("p_purchase", None)
    return ServedSlot(**{**known, _SERVED_AT: from_micros(known[_SERVED_AT])})
