"""How likely slots are looked at, once attraction is calibrated: by the clicks that came at each of them."""

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.models.ctr.layers import Examination

MIN_CLICKS = 100  # of a slot, and of the first of its surface; below, what was learned stands
_MOST = 0.999


def fit_examination(
    examination: Examination, surface: IntArray, slot: IntArray, attraction: DoubleArray, clicked: BoolArray
) -> None:
    """Sets each slot to clicks / attraction there, over the same at the first slot of its surface.

    With these the expected clicks of each slot are those that came, up to one factor for each surface, which
    is attraction's to say. It is the maximum of the Poisson likelihood for a given attraction.

    Args:
        surface, slot, attraction, clicked: (n,); rows that a network learned from too.
    """
    after = examination.after_first
    places = np.clip(slot, 1, after + 1)
    for code in range(examination.surfaces):
        own = surface == code
        first = own & (places == 1)
        if clicked[first].sum() < MIN_CLICKS:
            continue
        level = clicked[first].sum() / attraction[first].sum()
        for place in range(2, after + 2):
            here = own & (places == place)
            if clicked[here].sum() < MIN_CLICKS:
                continue
            share = min(float(clicked[here].sum() / attraction[here].sum() / level), _MOST)
            examination.set_share(code, place, share)
