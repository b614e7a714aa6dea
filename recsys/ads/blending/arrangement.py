"""Where chosen ads stand on a page, so that it is worth most by the rules: dynamic programming, exact.

With i ads above it, position s shows the organic item s - i or the ad i, and behind an ad stand
`least_between` organic items, as far as the page goes. With V(i, s), what the positions from s on are worth,

    V(i, s) = max(organic(i, s) + V(i, s + 1),  ad(i, s) + organic behind it + V(i + 1, s + 1 + between))
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from recsys.ads.blending.items import OrganicItem, SponsoredItem
from recsys.ads.blending.rules import PageRules

_IMPOSSIBLE = -1  # below the value of any page


@dataclass(frozen=True)
class Arrangement:
    """A page: sum of examination in billionths x value over its positions, and the ads' positions from 0."""

    worth: int
    positions: tuple[int, ...]
    length: int


def earliest_position(rules: PageRules, since_sponsored: int | None) -> int:
    """The first position, from 0, that may be sponsored.

    Args:
        since_sponsored: organic items behind the last sponsored one of earlier pages; None = no such one.
    """
    spacing = 0 if since_sponsored is None else max(0, rules.least_between - since_sponsored)
    return max(rules.first_position - 1, spacing)


def arrange(
    organic: Sequence[OrganicItem], ads: Sequence[SponsoredItem], rules: PageRules, earliest: int
) -> Arrangement | None:
    """The page that is worth most with all of `ads` in their order; None where the rules leave no room.

    Of pages that are worth the same, the one with the ads further down.

    Args:
        organic: without the products of `ads`, in the order they are shown in.
        earliest: the first position that may be sponsored, from 0.
    """
    length = min(len(rules.weights), len(organic) + len(ads))
    if not rules.allows(len(ads), length):
        return None
    sums = [_organic_sums(organic, rules.weights[:length], above) for above in range(len(ads) + 1)]
    worth = [[_IMPOSSIBLE] * (length + 1) for _ in ads]
    worth.append([sums[-1][length] - before for before in sums[-1]])
    for above in range(len(ads) - 1, -1, -1):
        for at in range(length - 1, -1, -1):
            with_ad = _IMPOSSIBLE
            free = at >= earliest and ads[above].position in (None, at + 1)
            if free and _may_stand(organic, ads[above], at - above, at + 1 < length):
                with_ad = _worth_of_ad(above, at, ads, rules, sums, worth)
            later = worth[above][at + 1]
            if later != _IMPOSSIBLE:
                later += sums[above][at + 1] - sums[above][at]
            worth[above][at] = max(later, with_ad)
    if worth[0][0] == _IMPOSSIBLE:
        return None
    return Arrangement(worth[0][0], _positions(worth, sums, len(ads), rules.least_between), length)


def _worth_of_ad(
    above: int,
    at: int,
    ads: Sequence[SponsoredItem],
    rules: PageRules,
    sums: Sequence[Sequence[int]],
    worth: Sequence[Sequence[int]],
) -> int:
    """What the positions from `at` on are worth with the next ad there."""
    length = len(sums[0]) - 1
    following = min(length, at + 1 + rules.least_between)
    rest = worth[above + 1][following]
    if rest == _IMPOSSIBLE:
        return _IMPOSSIBLE
    behind = sums[above + 1][following] - sums[above + 1][at + 1]
    return rules.weights[at] * ads[above].value_micros + behind + rest


def _organic_sums(organic: Sequence[OrganicItem], weights: Sequence[int], above: int) -> list[int]:
    """What the first 0, 1, 2 ... positions are worth with organic items only, `above` ads before them."""
    values = [
        weight * organic[at - above].value_micros if 0 <= at - above < len(organic) else 0
        for at, weight in enumerate(weights)
    ]
    return [0, *accumulate(values)]


def _may_stand(organic: Sequence[OrganicItem], ad: SponsoredItem, before: int, followed: bool) -> bool:
    """Whether none of the organic neighbours is of a category that the ad refuses.

    Args:
        before: organic items above the ad. followed: whether the page goes on behind it.
    """
    if not ad.never_beside:
        return True
    beside = [*organic[before - 1 : before]] if before else []
    if followed:
        beside.extend(organic[before : before + 1])
    return not any(ad.never_beside & item.categories for item in beside)


def _positions(
    worth: Sequence[Sequence[int]], sums: Sequence[Sequence[int]], ads: int, between: int
) -> tuple[int, ...]:
    """Where the ads stand on the page that `worth` found."""
    length, at, found = len(sums[0]) - 1, 0, list[int]()
    while len(found) < ads:
        above = len(found)
        organic = sums[above][at + 1] - sums[above][at]
        later = worth[above][at + 1]
        if later != _IMPOSSIBLE and worth[above][at] == organic + later:
            at += 1
        else:
            found.append(at)
            at = min(length, at + 1 + between)
    return tuple(found)
