"""An index of what campaigns target: a request meets the few it may concern, not all of them."""

from collections.abc import Sequence
from typing import NamedTuple

from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.campaigns.targets import Surface
from recsys.ads.matching.keywords import KeywordIndex
from recsys.ads.matching.targeting import AdRequest
from recsys.rules.expression_parsing import parse_expression
from recsys.rules.expressions import Predicate, is_true


class _Narrowing(NamedTuple):
    """What keeps requests away from a campaign. `segment`: the number of its predicate."""

    surfaces: tuple[Surface, ...]
    segment: int | None


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
        self._open: list[int] = []
        self._by_category: dict[str, list[int]] = {}
        self._by_item: dict[str, list[int]] = {}
        self._narrowing: list[_Narrowing] = []
        self._segments: list[Predicate] = []
        known: dict[str, int] = {}
        for number, campaign in enumerate(self._campaigns):
            targets = campaign.targets
            if targets.is_open:
                self._open.append(number)
            for category in targets.categories:
                self._by_category.setdefault(category, []).append(number)
            for item in targets.items:
                self._by_item.setdefault(item, []).append(number)
            if targets.segment is not None and targets.segment not in known:
                known[targets.segment] = len(self._segments)
                self._segments.append(parse_expression(targets.segment))
            segment = None if targets.segment is None else known[targets.segment]
            self._narrowing.append(_Narrowing(targets.surfaces, segment))
        words = [(word, number) for number, each in enumerate(campaigns) for word in each.targets.keywords]
        self._positive = KeywordIndex((word, number) for word, number in words if not word.negative)
        self._negative = KeywordIndex((word, number) for word, number in words if word.negative)

    def matching(self, request: AdRequest) -> tuple[Campaign, ...]:
        """The campaigns that `request` is what they ask for, in the order in which they were given."""
        return tuple(self._campaigns[each] for each in self.matching_numbers(request))

    def matching_numbers(self, request: AdRequest) -> list[int]:
        """The places of those campaigns, from 0, in ascending order."""
        met = set(self._open)
        for category in request.wider_categories:
            met.update(self._by_category.get(category, ()))
        if request.item_id is not None:
            met.update(self._by_item.get(request.item_id, ()))
        if request.units:
            met |= self._positive.owners(request.units)
            met -= self._negative.owners(request.units)
        segments: dict[int, bool] = {}
        return [each for each in sorted(met) if self._lets(each, request, segments)]

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
