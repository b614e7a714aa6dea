"""Dead letters: how they are named and kept, and their second chance."""

import json
from collections.abc import Iterable

from recsys import columns
from recsys.streaming.stream import DeadLetter, Entry, EventStream, partition_of

ALL = 1 << 40  # more letters than any store holds
BATCH = 1000


def letter_id(entry: Entry) -> str:
    """The name of an entry's letter, the same each time that it is put aside.

    >>> letter_id(Entry(3, 41, b"{}", 0))
    '3-41'
    """
    return f"{entry.partition}-{entry.offset}"


def encode_dead_letter(entry: Entry, reason: str, at: int) -> bytes:
    """A letter as one line of JSON, followed by the entry's body as it came."""
    head = {"accepted_at": entry.accepted_at, "at": at, "reason": reason, "request_id": entry.request_id}
    return json.dumps(head).encode() + b"\n" + entry.body


def decode_dead_letter(name: str, value: bytes) -> DeadLetter:
    """The letter that `encode_dead_letter` wrote under `name`.

    >>> decode_dead_letter("3-41", encode_dead_letter(Entry(3, 41, b"{}", 7), "no kind", 9)).reason
    'no kind'
    """
    partition, _, offset = name.partition("-")
    line, _, body = value.partition(b"\n")
    head = json.loads(line)
    request_id = head.get("request_id", "")  # letters of an earlier version have none
    entry = Entry(int(partition), int(offset), body, head["accepted_at"], request_id)
    return DeadLetter(name, entry, head["reason"], head["at"])


def retry_dead_letters(stream: EventStream, ids: Iterable[str], now: int) -> int:
    """Appends the bodies of dead letters to the partitions where they belong, then drops the letters.

    Cut short between the two, a letter may be tried twice; its event's id makes that harmless.

    Args:
        ids: letters to retry; none = all that are there now.
        now: microseconds, from which the new entries' freshness counts.

    Returns:
        How many letters there were.
    """
    wanted = set(ids)
    dead_letters = [
        dead_letter
        for dead_letter in stream.dead_letters(ALL)
        if not wanted or dead_letter.letter_id in wanted
    ]
    for start in range(0, len(dead_letters), BATCH):
        batch = dead_letters[start : start + BATCH]
        by_request: dict[str, list[Entry]] = {}
        for dead_letter in batch:
            by_request.setdefault(dead_letter.entry.request_id, []).append(dead_letter.entry)
        for request_id, entries in by_request.items():
            rows = [(right_partition(entry, stream.partitions), entry.body) for entry in entries]
            stream.append(rows, now, request_id)
        stream.drop(dead_letter.letter_id for dead_letter in batch)
    return len(dead_letters)


def right_partition(entry: Entry, partitions: int) -> int:
    """The partition of what the body says; that of the entry, if there is one, where it says nothing.

    Args:
        partitions: of users; the catalog's is numbered behind them.

    >>> right_partition(Entry(3, 41, b'{"kind": "item_upsert", "item_id": "i1"}', 0), 8)
    8
    """
    try:
        row = json.loads(entry.body)
    except ValueError:
        row = None
    if isinstance(row, dict):
        if row.get(columns.KIND) in (columns.ITEM_UPSERT, columns.USER_UPSERT):
            return partitions
        if isinstance(row.get(columns.USER_ID), str):
            return partition_of(row[columns.USER_ID], partitions)
    return min(entry.partition, partitions)
