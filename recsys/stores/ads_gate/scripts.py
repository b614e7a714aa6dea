"""The scripts of the gate. Redis runs each as one step, by its own clock.

Money is exact: sums of micros stay below 2^53, which Lua's numbers hold. A script that has the name `keys` of
an account takes `account_keys`: KEYS[1] levels, KEYS[2] holds, KEYS[3] ends.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import redis

from recsys.stores.redis.exchange import Exchange, pack_command

Call = tuple[tuple[str, ...], Sequence[str | int]]  # keys, and the words after them


@dataclass(frozen=True)
class Script:
    """A script that is sent once and called by its hash from then on."""

    text: str

    @cached_property
    def sha(self) -> bytes:
        """The name that Redis calls it by."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest().encode()

    def run(self, exchange: Exchange, keys: tuple[str, ...], *words: str | int) -> Any:
        """What it returns. It may run twice, where a connection breaks."""
        return self.run_many(exchange, [(keys, words)])[0]

    def run_many(self, exchange: Exchange, calls: Sequence[Call]) -> list[Any]:
        """What it returns to each of `calls`, in one round trip."""
        commands = b"".join(self._packed(keys, words) for keys, words in calls)
        try:
            return exchange(commands, len(calls))
        except redis.exceptions.NoScriptError:
            exchange(pack_command(b"SCRIPT", b"LOAD", self.text.encode()), 1)
            return exchange(commands, len(calls))

    def _packed(self, keys: tuple[str, ...], words: Sequence[str | int]) -> bytes:
        named = (b"EVALSHA", self.sha, b"%d" % len(keys))
        return pack_command(*named, *(str(word).encode() for word in (*keys, *words)))


_CLOCK = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
"""

# Ends a hold: what it held is no longer held. A level that was forgotten stays forgotten.
_DROP = """
local function drop(id)
  local text = redis.call('HGET', KEYS[2], id)
  if not text then return end
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
  local cost = nil
  for word in string.gmatch(text, '%S+') do
    if not cost then
      cost = word
    elseif redis.call('HEXISTS', KEYS[1], 'held ' .. word) == 1 then
      redis.call('HINCRBY', KEYS[1], 'held ' .. word, '-' .. cost)
    end
  end
end
"""

# Each call ends up to 200 holds that are due, and makes one at most: nothing else has to look for them.
_DROP_DUE = f"""
{_CLOCK}
{_DROP}
local due = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now), 'LIMIT', 0, 200)
for _, id in ipairs(due) do drop(id) end
"""

# A generation that is missing, or older than one that the caller saw, is of a server that lost something.
_CHECK_GENERATION = """
local generation = redis.call('HGET', KEYS[1], 'generation')
if not generation or tonumber(generation) < tonumber(ARGV[1]) then return {'rebuild', 0} end
"""

_RAISE_SPENT = """
local function raise_spent(name, micros)
  local known = redis.call('HGET', KEYS[1], 'spent ' .. name)
  if not known or tonumber(known) < tonumber(micros) then
    redis.call('HSET', KEYS[1], 'spent ' .. name, micros)
  end
end
"""

# keys; ARGV: generation seen, id, cost, microseconds it lasts, price, and name and cap of each level
HOLD = Script(f"""
{_CHECK_GENERATION}
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then return {{'held', generation}} end
{_DROP_DUE}
local fields = {{}}
for place = 6, #ARGV, 2 do
  table.insert(fields, 'spent ' .. ARGV[place])
  table.insert(fields, 'held ' .. ARGV[place])
end
local used = redis.call('HMGET', KEYS[1], unpack(fields))
local cost, text, price = tonumber(ARGV[3]), ARGV[3], tonumber(ARGV[5])
for place = 6, #ARGV, 2 do
  local spent, held = tonumber(used[place - 5] or 0), tonumber(used[place - 4] or 0)
  local most = spent + math.max(held + cost, price)
  if most > tonumber(ARGV[place + 1]) then return {{'budget', generation, ARGV[place]}} end
  text = text .. ' ' .. ARGV[place]
end
for place = 6, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], fields[place - 4], ARGV[3]) end
redis.call('HSET', KEYS[2], ARGV[2], text)
redis.call('ZADD', KEYS[3], string.format('%.0f', now + tonumber(ARGV[4])), ARGV[2])
return {{'held', redis.call('HINCRBY', KEYS[1], 'generation', 1)}}
""")

# keys; ARGV: id, and name and micros spent of each level. Without levels it releases.
SETTLE = Script(f"""
{_DROP}
{_RAISE_SPENT}
drop(ARGV[1])
for place = 2, #ARGV, 2 do raise_spent(ARGV[place], ARGV[place + 1]) end
return redis.call('HGET', KEYS[1], 'generation')
""")

# keys; ARGV: generation seen, and names
USAGE = Script(f"""
{_CHECK_GENERATION}
{_DROP_DUE}
local found = {{'open', generation}}
for place = 2, #ARGV do
  local used = redis.call('HMGET', KEYS[1], 'spent ' .. ARGV[place], 'held ' .. ARGV[place])
  table.insert(found, used[1] or '0')
  table.insert(found, used[2] or '0')
end
return found
""")

# keys; ARGV: generation seen, and name and micros spent of each level
REFRESH = Script(f"""
{_CHECK_GENERATION}
{_DROP_DUE}
{_RAISE_SPENT}
for place = 2, #ARGV, 2 do raise_spent(ARGV[place], ARGV[place + 1]) end
return {{'open', redis.call('HINCRBY', KEYS[1], 'generation', 1)}}
""")

# keys; ARGV: generation seen, and name and micros spent of each level. The new generation is the clock,
# which is above every older one: the clock of an earlier rebuild, plus one for each hold and refresh since.
REBUILD = Script(f"""
{_CLOCK}
local known = tonumber(redis.call('HGET', KEYS[1], 'generation') or 0)
local generation = string.format('%.0f', math.max(now, known + 1, tonumber(ARGV[1]) + 1))
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'generation', generation)
for place = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], 'spent ' .. ARGV[place], ARGV[place + 1]) end
return {{'open', generation}}
""")

# keys; ARGV: names
FORGET = Script("""
for _, name in ipairs(ARGV) do redis.call('HDEL', KEYS[1], 'spent ' .. name, 'held ' .. name) end
""")

# KEYS[1]: seen_key; ARGV: id, microseconds of the window, count. 1 = it is counted, 0 = it would be too many.
COUNT_SEEN = Script(f"""
{_CLOCK}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[2])))
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 1 end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[2]) / 1000))
return 1
""")
