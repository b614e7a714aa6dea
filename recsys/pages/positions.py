"""Which positions of a page are up for ads, decided before the auction, so that it sells what is shown.

The examination of a slot is that of its position: the auction ranks by it, the hold counts with it, and the
page puts the ad there or leaves it out. Nothing has to be held again.
"""

from recsys.ads.blending.arrangement import earliest_position
from recsys.ads.blending.memory import PageMemory
from recsys.ads.blending.rules import PageRules


def sponsored_positions(rules: PageRules, memory: PageMemory, most: int) -> tuple[int, ...]:
    """The positions, from 1, that ads may have: as early, as close and as many as the rules allow.

    >>> rules = PageRules((1.0,) * 10, most_percent=30, first_position=2, least_between=2)
    >>> sponsored_positions(rules, PageMemory(), 4), sponsored_positions(rules, PageMemory(), 1)
    ((2, 5, 8), (2,))
    """
    found: list[int] = []
    length = len(rules.examination)
    at = earliest_position(rules, memory.since_sponsored)
    while at < length and len(found) < most and rules.allows(len(found) + 1, length):
        found.append(at + 1)
        at += 1 + rules.least_between
    return tuple(found)
