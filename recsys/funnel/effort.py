"""How much work goes into an answer: what is left out, step by step, when more is asked than can be done."""

from collections.abc import Sequence
from enum import IntEnum

from recsys.errors import StoreUnavailableError
from recsys.funnel.online_features import FeatureRows, FeatureSource
from recsys.funnel.slate import EFFORT_DEGRADATIONS

FEWER = 5  # with fewer candidates there is one where there were five


class Effort(IntEnum):
    """The rungs of the ladder, each of which leaves out what the ones before it do, too.

    FULL: everything. FEWER_CANDIDATES: a fifth of the candidates is ranked. NO_SECOND_STAGE: the first
    stage's order stands, without the ranker and the items' online features; price and stock are the
    catalog's. POPULARITY: nothing is read of the user either; what is in memory answers.
    """

    FULL = 0
    FEWER_CANDIDATES = 1
    NO_SECOND_STAGE = 2
    POPULARITY = 3

    @property
    def codes(self) -> tuple[str, ...]:
        """What `degraded` says of it; nothing for FULL."""
        return EFFORT_DEGRADATIONS[self - 1 : self]

    def share_of(self, count: int) -> int:
        """How many of `count` candidates are looked at.

        >>> Effort.FULL.share_of(500), Effort.FEWER_CANDIDATES.share_of(500)
        (500, 100)
        """
        return count if self is Effort.FULL else max(count // FEWER, 1)

    def bounded(self, source: FeatureSource) -> FeatureSource:
        """`source`, of which only that is read which goes into the answer."""
        return source if self < Effort.NO_SECOND_STAGE else _PartlyRead(source, self)


class _PartlyRead:
    """A FeatureSource that says of what is not to be read that it is not there."""

    def __init__(self, source: FeatureSource, effort: Effort) -> None:
        self._source = source
        self._effort = effort

    def read_user(self, user_id: str) -> FeatureRows:
        """The user's views; not there at Effort.POPULARITY."""
        if self._effort >= Effort.POPULARITY:
            raise self._not_read()
        return self._source.read_user(user_id)

    def read_items(self, item_ids: Sequence[str]) -> FeatureRows:
        """Nothing is there."""
        raise self._not_read()

    def read(self, user_id: str, item_ids: Sequence[str]) -> tuple[FeatureRows, FeatureRows]:
        """Nothing is there."""
        raise self._not_read()

    def _not_read(self) -> StoreUnavailableError:
        return StoreUnavailableError("online store", f"read with {self._effort.codes[0]}", 0.0)
