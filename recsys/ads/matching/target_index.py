"""An index of what campaigns target: a request meets the few it may concern, not all of them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.campaigns.targets import Surface
from recsys.ads.matching.keywords import KeywordIndex
from recsys.ads.matching.targeting import AdRequest
from recsys.arrays import IntArray
from recsys.rules.expression_parsing import parse_expression
from recsys.rules.expressions import Predicate, is_true


class _Narrowing(NamedTuple):
    """What keeps requests away from a campaign. `segment`: the number of its predicate."""

    surfaces: tuple[Surface, ...]
    segment: int | None


_NOTHING = _Narrowing((), None)
_NOBODY = np.zeros(0, np.int64)


class TargetIndex:
    """The targets of many campaigns; immutable, safe for many threads.

    Categories and items are looked up, keywords by their rarest word. A segment that several campaigns share
    is evaluated once a request, and only where one of them is met.
    """

    def __init__(self, campaigns: Sequence[Campaign]) -> None:
        """Takes the campaigns that may be shown now; status and dates are not looked at.

        Raises:
            DataError: the segment of one is no expression.
        """
        self._campaigns = tuple(campaigns)
        targets = [campaign.targets for campaign in campaigns]
        segments = dict.fromkeys(each.segment for each in targets if each.segment is not None)
        numbers = {segment: number for number, segment in enumerate(segments)}
        self._segments: list[Predicate] = [parse_expression(segment) for segment in segments]
        self._narrowing = [
            _Narrowing(each.surfaces, None if each.segment is None else numbers[each.segment])
            for each in targets
        ]
        self._is_narrowed = np.array([each != _NOTHING for each in self._narrowing], bool)
        self._open = np.array([each.is_open for each in targets], bool)
        self._by_category = _filed(each.categories for each in targets)
        self._by_item = _filed(each.items for each in targets)
        words = [(word, number) for number, each in enumerate(campaigns) for word in each.targets.keywords]
        self._positive = KeywordIndex((word, number) for word, number in words if not word.negative)
        self._negative = KeywordIndex((word, number) for word, number in words if word.negative)

    def matching(self, request: AdRequest) -> tuple[Campaign, ...]:
        """The campaigns that `request` is what they ask for, in the order in which they were given."""
        return tuple(self._campaigns[each] for each in self.matching_numbers(request).tolist())

    def matching_numbers(self, request: AdRequest) -> IntArray:
        """The places of those campaigns, from 0, in ascending order."""
        met = self._open.copy()
        for category in request.wider_categories:
            met[self._by_category.get(category, _NOBODY)] = True
        if request.item_id is not None:
            met[self._by_item.get(request.item_id, _NOBODY)] = True
        if request.units:
            met[[*self._positive.owners(request.units)]] = True
            met[[*self._negative.owners(request.units)]] = False
        segments: dict[int, bool] = {}
        for number in np.flatnonzero(met & self._is_narrowed).tolist():
            met[number] = self._lets(number, request, segments)
        return np.flatnonzero(met)

    def _lets(self, number: int, request: AdRequest, segments: dict[int, bool]) -> bool:
        """Whether surface and segment let the request through; `segments`: those evaluated for it so far."""
        surfaces, segment = self._narrowing[number]
        if surfaces and request.surface not in surfaces:
            return False
        if segment is None:
            return True
        if segment not in segments:
            segments[segment] = is_true(self._segments[segment], request.facts)
        return segments[segment]


def _filed(names: Iterable[Iterable[str]]) -> dict[str, IntArray]:
    """Name -> the numbers of those that have it among `names`."""
    found: dict[str, list[int]] = {}
    for number, of_one in enumerate(names):
        for name in of_one:
            found.setdefault(name, []).append(number)
    return {name: np.array(numbers, np.int64) for name, numbers in found.items()}
