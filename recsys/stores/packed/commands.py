"""What the packed store says to Redis: read, write and delete rows, on one server or on a cluster."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import redis
from redis.crc import key_slot
from redis.exceptions import NoScriptError

from recsys.instants import CLOCK_TOLERANCE
from recsys.stores.packed.rows import PackedView
from recsys.stores.redis.client import ThreadConnection, redis_errors
from recsys.stores.redis.clock import ClockFaults, count_clock_faults

WRITE_ROWS = 1000  # rows a script call: about 2 ms in which the server answers no other client
DELETE_KEYS = 1000
RETIRED_SECONDS = 86_400  # that long rows of an earlier schema stay for services that still read them

log = logging.getLogger(__name__)

# KEYS: keys of rows; ARGV[1]: seconds after which Redis may drop them (0 = never); ARGV[2..]: the rows.
# A row replaces another with an earlier event timestamp or, at equal ones, an earlier created timestamp.
# Exactly equal stamps are the same row delivered again. A stored stamp from the future, by this server's
# clock, loses to one of the present: else a clock that ran ahead for seconds would freeze the row until
# then. Answers how many rows were written, how many came from the future, and how many of it were replaced.
# Microseconds until the year 2255 are exact in Lua's doubles.
WRITE_SCRIPT = """
local time = redis.call('TIME')
local limit = time[1] * 1000000 + time[2] + TOLERANCE
local written, ahead, replaced = 0, 0, 0
for i, key in ipairs(KEYS) do
  local new = ARGV[i + 1]
  local new_event, new_created = struct.unpack('<i8i8', new)
  if new_event > limit or new_created > limit then
    ahead = ahead + 1
  end
  local old = redis.call('GETRANGE', key, 0, 15)
  local wins = #old < 16
  if not wins then
    local event, created = struct.unpack('<i8i8', old)
    if event > limit and new_event <= limit or
       event == new_event and created > limit and new_created <= limit then
      wins = true
      replaced = replaced + 1
    else
      wins = new_event > event or (new_event == event and new_created > created)
    end
  end
  if wins then
    if ARGV[1] == '0' then
      redis.call('SET', key, new)
    else
      redis.call('SET', key, new, 'EX', ARGV[1])
    end
    written = written + 1
  end
end
return {written, ahead, replaced}
""".replace("TOLERANCE", str(CLOCK_TOLERANCE))
WRITE_SHA = hashlib.sha1(WRITE_SCRIPT.encode(), usedforsecurity=False).hexdigest()

Keys = Sequence[bytes]
Values = list[bytes | None]
RowsDone = Callable[[int], Any] | None


def row_getter(client: Any) -> Callable[[Keys], Values]:
    """A function that gets the values of keys in one round trip (in a cluster: one to each node)."""
    if is_cluster(client):
        getter: Callable[[Keys], Values] = client.mget_nonatomic
        return getter
    return MultiGet(client)


def read_rows(get: Callable[[Keys], Values], keys: Keys, timeout: float | None = None) -> Values:
    """The values of `keys`, None where there is none.

    Args:
        get: a `row_getter`.
        timeout: seconds after which its client gives up, for the message.

    Raises:
        StoreUnavailableError: Redis does not answer.
    """
    if not keys:
        return []
    with redis_errors(f"read {len(keys)} rows", timeout):
        return get(keys)


async def read_rows_async(client: Any, keys: Keys) -> Values:
    """The same with an asyncio client, one server or cluster."""
    if not keys:
        return []
    with redis_errors(f"read {len(keys)} rows"):
        values: Values = await (client.mget_nonatomic(keys) if is_cluster(client) else client.mget(keys))
    return values


def write_rows(client: Any, keys: Keys, rows: Sequence[bytes], live_seconds: int, progress: RowsDone) -> int:
    """Writes each row unless a newer one is there; returns how many were written.

    Args:
        live_seconds: Redis drops a row that long after its last write; 0 = never.

    Raises:
        StoreUnavailableError: Redis does not answer; what was written before stays.
    """
    answers = []
    with redis_errors("write rows"):
        for part in split_keys(client, keys):
            arguments = [*(keys[i] for i in part), live_seconds, *(rows[i] for i in part)]
            try:
                answers.append(client.evalsha(WRITE_SHA, len(part), *arguments))
            except NoScriptError:  # a server that has not seen the script since it started
                answers.append(client.eval(WRITE_SCRIPT, len(part), *arguments))
            if progress:
                progress(len(part))
    return sum_answers(client, answers)


async def write_rows_async(
    client: Any, keys: Keys, rows: Sequence[bytes], live_seconds: int, progress: RowsDone
) -> list[Sequence[int]]:
    """The same with an asyncio client; returns the write script's answers, for `sum_answers`."""
    answers: list[Sequence[int]] = []
    with redis_errors("write rows"):
        for part in split_keys(client, keys):
            arguments = [*(keys[i] for i in part), live_seconds, *(rows[i] for i in part)]
            try:
                answers.append(await client.evalsha(WRITE_SHA, len(part), *arguments))
            except NoScriptError:
                answers.append(await client.eval(WRITE_SCRIPT, len(part), *arguments))
            if progress:
                progress(len(part))
    return answers


def sum_answers(client: Any, answers: Sequence[Sequence[int]]) -> int:
    """How many rows were written, by the write script's answers; what came from the future is counted.

    Raises:
        StoreUnavailableError: Redis does not answer.
    """
    written, ahead, replaced = (sum(counts) for counts in zip(*answers, strict=True)) if answers else (0,) * 3
    if ahead or replaced:
        count_clock_faults(client, ClockFaults(rows_ahead=ahead, rows_replaced=replaced))
    if ahead:
        log.warning("%d rows have an instant ahead of the server's clock: set the writer's clock", ahead)
    return written


def delete_rows(client: Any, keys: Keys) -> int:
    """Deletes rows and returns how many there were."""
    with redis_errors("delete rows"):
        return sum(int(client.unlink(*(keys[i] for i in part))) for part in split_keys(client, keys))


def delete_matching(client: Any, pattern: str) -> int:
    """Deletes every key that matches a SCAN pattern and returns how many there were.

    It walks over all keys of the server, in steps that do not hold up other clients.
    """
    deleted, found = 0, []
    with redis_errors(f"delete {pattern}"):
        for key in client.scan_iter(pattern, count=DELETE_KEYS):
            found.append(key)
            if len(found) == DELETE_KEYS:
                deleted += delete_rows(client, found)
                found = []
        return deleted + delete_rows(client, found)


def retire_earlier_schemas(client: Any, view: PackedView, pattern: str) -> int:
    """Lets rows of earlier schemas of a view go after a day, on the first write of a new schema.

    Args:
        pattern: SCAN pattern of all keys of the view.

    Returns:
        How many rows that concerns.
    """
    fingerprint = view.layout.fingerprint.encode()
    retired = 0
    with redis_errors(f"retire earlier schemas of {view.layout.view}"):
        before = client.set(view.schema_key, fingerprint, get=True)
        if before in (None, fingerprint):
            return 0
        with client.pipeline(transaction=False) as pipe:
            for key in client.scan_iter(pattern, count=DELETE_KEYS):
                if not key.startswith(view.schema_head) and key != view.schema_key:
                    pipe.expire(key, RETIRED_SECONDS, nx=True)
                    retired += 1
                    if retired % DELETE_KEYS == 0:
                        pipe.execute()
            pipe.execute()
    return retired


def split_keys(client: Any, keys: Keys) -> Iterator[Sequence[int]]:
    """Places of keys that may go into one command: of one slot in a cluster, and not too many."""
    for group in group_by_slot(keys) if is_cluster(client) else [range(len(keys))]:
        for start in range(0, len(group), WRITE_ROWS):
            yield group[start : start + WRITE_ROWS]


def group_by_slot(keys: Keys) -> list[list[int]]:
    """Places of keys, one list for each cluster slot."""
    slots: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        slots.setdefault(key_slot(key), []).append(place)
    return list(slots.values())


def is_cluster(client: Any) -> bool:
    """Whether a command may name keys of one slot only."""
    return hasattr(client, "mget_nonatomic")


class MultiGet:
    """Calls MGET on a connection of the calling thread; opens it again once if the server has closed it."""

    def __init__(self, client: redis.Redis) -> None:
        self._connection = ThreadConnection(client)

    def __call__(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of `keys`, None where there is none.

        Raises:
            redis.RedisError: as `client.mget` would.
        """
        connection = self._connection.get()
        try:
            return _ask(connection, keys)
        except redis.ConnectionError:
            connection.disconnect()
            return _ask(connection, keys)


class _Lengths(dict[int, bytes]):
    """How the protocol announces an argument of so many bytes; keys have few lengths."""

    def __missing__(self, length: int) -> bytes:
        text = self[length] = b"\r\n$%d\r\n" % length
        return text


_LENGTHS = _Lengths()


def mget_command(keys: Sequence[bytes]) -> bytes:
    """MGET of `keys` as bytes of Redis' protocol, in two thirds of the client's own time.

    >>> mget_command([b"a", b"bc"])
    b'*3\\r\\n$4\\r\\nMGET\\r\\n$1\\r\\na\\r\\n$2\\r\\nbc\\r\\n'
    """
    arguments = [_LENGTHS[len(key)] + key for key in keys]
    return b"".join((b"*%d\r\n$4\r\nMGET" % (len(keys) + 1), *arguments, b"\r\n"))


def _ask(connection: Any, keys: Sequence[bytes]) -> list[bytes | None]:
    connection.send_packed_command([mget_command(keys)])
    values: list[bytes | None] = connection.read_response()
    return values
