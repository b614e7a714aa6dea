"""Where served slates go: they become impressions, and later labels."""

from typing import Protocol

from recsys.funnel.slate import Slate


class SlateLog(Protocol):
    """Keeps served slates; never makes a request wait and never fails it."""

    def append(self, slate: Slate) -> None:
        """Keeps `slate`."""
        ...
