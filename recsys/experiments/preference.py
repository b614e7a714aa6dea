"""Which of two interleaved rankings people prefer: a sign test over queries, and the bootstrap over users.

The queries of one person are alike, which the sign test does not know: where people search often, its false
alarms are more than it says. The interval over users is the one to go by.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from recsys.arrays import IntArray
from recsys.errors import DataError

Verdict = Literal["first", "second", "not told apart", "too few users"]
MIN_USERS = 20  # below that the bootstrap over users says nothing


@dataclass(frozen=True)
class Preference:
    """What an interleaving experiment found.

    Attributes:
        wins_first, wins_second, ties: queries; a query without a click is a tie.
        preference: (wins_first - wins_second) / all queries, from -1 to 1.
        low, high: its 95% interval, users resampled with all their queries.
        sign_p_value: two-sided, of the queries that are no tie, as if they were independent.
    """

    users: int
    wins_first: int
    wins_second: int
    ties: int
    preference: float
    low: float
    high: float
    sign_p_value: float

    @property
    def queries(self) -> int:
        """How many there were."""
        return self.wins_first + self.wins_second + self.ties

    @property
    def verdict(self) -> Verdict:
        """What the interval over users allows to say."""
        if self.users < MIN_USERS:
            return "too few users"
        return "first" if self.low > 0 else "second" if self.high < 0 else "not told apart"


def measure_preference(users: Sequence[str], wins: IntArray, samples: int, seed: int = 0) -> Preference:
    """The preference of the people who asked.

    Args:
        users: (n,) who asked each query. wins: (n,) 1, -1 or 0, see `credit_clicks`.
        samples: how often the users are resampled.

    Raises:
        DataError: there are no queries.
    """
    if not len(wins) or len(users) != len(wins):
        raise DataError(f"{len(wins)} outcomes of {len(users)} users say nothing. Give one for each query.")
    _, user = np.unique(np.asarray(users, np.str_), return_inverse=True)
    count = int(user.max()) + 1
    asked = np.bincount(user, minlength=count).astype(np.float64)
    summed = np.bincount(user, wins, count)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), samples).astype(np.float64)
    low, high = np.quantile((drawn @ summed) / (drawn @ asked), [0.025, 0.975])
    first, second = int((wins > 0).sum()), int((wins < 0).sum())
    decided = first + second
    return Preference(
        users=count,
        wins_first=first,
        wins_second=second,
        ties=len(wins) - decided,
        preference=float(wins.mean()),
        low=float(low),
        high=float(high),
        sign_p_value=float(stats.binomtest(first, decided).pvalue) if decided else 1.0,
    )


def queries_needed(win_share: float, ties: float = 0.0, power: float = 0.8, level: float = 0.05) -> int:
    """How many queries of different people tell a preference of this size apart, with this probability.

    n = ((z(1 - level / 2) / 2 + z(power) sqrt(p (1 - p))) / (p - 1/2))^2 / (1 - ties)

    Args:
        win_share: p, the share of wins among the queries that are no tie, not 1/2.
        ties: the share of queries without a winner, below 1.

    Raises:
        DataError: a share is out of range.

    >>> queries_needed(0.55), queries_needed(0.55, ties=0.5)
    (783, 1566)
    """
    if not 0 < win_share < 1 or win_share == 0.5 or not 0 <= ties < 1:
        raise DataError(
            f"a share of wins of {win_share} with {ties} of ties cannot be planned for. Give a share "
            "between 0 and 1 other than .5, and fewer ties than queries."
        )
    z_level, z_power = (float(stats.norm.ppf(p)) for p in (1 - level / 2, power))
    spread = z_level / 2 + z_power * math.sqrt(win_share * (1 - win_share))
    return math.ceil((spread / (win_share - 0.5)) ** 2 / (1 - ties))
