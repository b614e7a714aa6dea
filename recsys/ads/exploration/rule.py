"""How ads are explored whose attraction is not certain."""

import math
from dataclasses import dataclass
from typing import Literal

from recsys.errors import ConfigError

Exploring = Literal["none", "upper", "thompson"]
MOST_DRAWS = 256  # each is an auction that is run again for the propensities


@dataclass(frozen=True)
class ExplorationRule:
    """A rule of exploration; the default explores nothing.

    Attributes:
        by: none = the attraction that is expected. upper = a share of the requests takes the upper bound of
            every ad (Auer et al. 2002). thompson = every request takes a draw from what is believed of every
            ad (Thompson 1933; Chapelle and Li 2011, An empirical evaluation of Thompson sampling).
        deviations: how far: the bound lies so many spreads above what is expected; a draw has the spread
            times it.
        share: of the requests, by "upper".
        draws: by "thompson", how many draws a request makes; one of them, by chance, is the one that counts,
            the others say how likely it was. The more, the less likely a winner may be and still be
            estimated from without bias, see `expected_weight`.

    Raises:
        ConfigError: a number is out of range.
    """

    by: Exploring = "none"
    deviations: float = 1.0
    share: float = 0.1
    draws: int = 16

    def __post_init__(self) -> None:
        if self.by not in ("none", "upper", "thompson"):
            raise ConfigError(f"exploration by {self.by!r} is not known. Use none, upper or thompson.")
        if not 0 < self.deviations < math.inf:
            raise ConfigError(f"exploration needs deviations above 0 (got {self.deviations:g}). 1 is usual.")
        if not 0 < self.share < 1:
            raise ConfigError(f"the explored share {self.share:g} is not between 0 and 1, such as 0.1.")
        if not 2 <= self.draws <= MOST_DRAWS:
            raise ConfigError(f"exploration takes 2 to {MOST_DRAWS} draws (got {self.draws}).")
