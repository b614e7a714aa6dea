"""Token buckets: how many requests a key may make a second, and how many at once."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class RateBound:
    """A bound of requests.

    Attributes:
        rate: tokens a second that come in. capacity: tokens that the bucket holds, at least 1.
    """

    rate: float
    capacity: float


@dataclass(frozen=True)
class Grant:
    """Tokens that were handed out; where none was, the seconds until there is one."""

    tokens: int
    wait_seconds: float = 0.0


class TokenSource(Protocol):
    """Hands out the tokens of keys. Raises StoreUnavailableError where it does not answer."""

    def take(self, key_id: str, bound: RateBound, wanted: int) -> Grant:
        """Up to `wanted` whole tokens of the key's bucket."""


@dataclass
class TokenBucket:
    """One bucket: full at first, then filled at the bound's rate up to its capacity."""

    tokens: float
    at: float

    def take(self, bound: RateBound, wanted: int, now: float) -> Grant:
        """Up to `wanted` whole tokens at `now` seconds, of a clock that may stand still but not go back.

        >>> bucket = TokenBucket(2.0, 0.0)
        >>> bound = RateBound(rate=2.0, capacity=2.0)
        >>> bucket.take(bound, 5, 0.0), bucket.take(bound, 1, 0.25)
        (Grant(tokens=2, wait_seconds=0.0), Grant(tokens=0, wait_seconds=0.25))
        """
        came_in = max(now - self.at, 0.0) * bound.rate
        self.tokens, self.at = min(self.tokens + came_in, bound.capacity), max(now, self.at)
        granted = min(wanted, int(self.tokens + 1e-9))
        if granted == 0:
            return Grant(0, (1.0 - self.tokens) / bound.rate)
        self.tokens -= granted
        return Grant(granted)
