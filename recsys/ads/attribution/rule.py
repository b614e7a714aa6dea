"""Which purchases a campaign calls its own: for how long after a touch, and of which items."""

from dataclasses import dataclass
from typing import Literal

from recsys.errors import ConfigError

DAY_MICROS = 86_400_000_000
WINDOWS = (1, 7, 14, 30)  # days that a campaign may choose from
LONGEST_MICROS = max(WINDOWS) * DAY_MICROS

Halo = Literal["none", "brand", "category"]
HALOS: tuple[Halo, ...] = ("none", "brand", "category")


@dataclass(frozen=True)
class AttributionRule:
    """When a purchase after a touch counts.

    Attributes:
        click_days: days after a click. view_days: after a viewable impression; 0 = impressions count nothing.
        halo: which other items count: none but the advertised one, those of its brand, or those of its
            category.

    Raises:
        ConfigError: a window is none of `WINDOWS`, or the halo is not known.
    """

    click_days: int = 14
    view_days: int = 1
    halo: Halo = "none"

    def __post_init__(self) -> None:
        allowed = ", ".join(map(str, WINDOWS))
        if self.click_days not in WINDOWS:
            raise ConfigError(f"a click window of {self.click_days} days is not known. Use {allowed}.")
        if self.view_days not in (0, *WINDOWS):
            raise ConfigError(f"a view window of {self.view_days} days is not known. Use 0, {allowed}.")
        if self.halo not in HALOS:
            raise ConfigError(f"the halo {self.halo!r} is not known. Use {', '.join(HALOS)}.")

    def micros(self, clicked: bool) -> int:
        """How long after a click, or after an impression, a purchase counts."""
        return DAY_MICROS * (self.click_days if clicked else self.view_days)
