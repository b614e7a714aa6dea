"""What a page with sponsored items promises: how many, from where, how far apart, how relevant."""

from dataclasses import dataclass
from functools import cached_property

from recsys.ads.auction.placement import BILLION
from recsys.errors import ConfigError


@dataclass(frozen=True)
class PageRules:
    """Rules of one surface.

    Attributes:
        examination: probability that a position of the page is viewed, from the first; in (0, 1], never
            increasing. There are as many positions as values.
        most_percent: of the positions that a page has, at most so many of a hundred are sponsored.
        first_position: the first position that may be sponsored.
        least_between: organic items between two sponsored ones, across the pages of a visit; 1 or more.
        least_relevance: a sponsored item below it is left out.

    Raises:
        ConfigError: a value outside its range.
    """

    examination: tuple[float, ...]
    most_percent: int = 25
    first_position: int = 1
    least_between: int = 2
    least_relevance: float = 0.0

    def __post_init__(self) -> None:
        if not self.examination:
            raise ConfigError("examination is empty. A page has one position at least.")
        for value, before in zip(self.examination, (1.0, *self.examination), strict=False):
            if not 1 / BILLION <= value <= before:
                raise ConfigError(
                    f"examination {value} is not above 0 and at most {before}. "
                    "Name the positions from the first, each by the share of its views from 0 to 1."
                )
        for name, least, most in (
            ("most_percent", 0, 100),
            ("first_position", 1, None),
            ("least_between", 1, None),
            ("least_relevance", 0, 1),
        ):
            value = getattr(self, name)
            if not (value >= least and (most is None or value <= most)):
                above = "" if most is None else f" and at most {most}"
                raise ConfigError(f"{name} = {value} is not at least {least}{above}.")

    @cached_property
    def weights(self) -> tuple[int, ...]:
        """Examination in whole parts of a billion, so that values of pages are exact."""
        return tuple(round(value * BILLION) for value in self.examination)

    def allows(self, sponsored: int, positions: int) -> bool:
        """Whether a page of so many positions may have so many sponsored ones.

        >>> rules = PageRules((1.0,), most_percent=25)
        >>> rules.allows(2, 8), rules.allows(2, 7)
        (True, False)
        """
        return sponsored * 100 <= self.most_percent * positions
