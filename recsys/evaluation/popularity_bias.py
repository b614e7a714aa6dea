"""Whether lists show what is popular more than people take it."""

from collections.abc import Mapping

import numpy as np

from recsys.arrays import DoubleArray, IntArray
from recsys.evaluation.slices import COLD_EVENTS, head_items

TAKEN = "what people took"


def popularity_percentiles(item_events: IntArray) -> DoubleArray:
    """(N + 1,): the share of the catalog with fewer training events than an item, ties counting half.

    >>> popularity_percentiles(np.array([0, 5, 1, 1, 9]))[1:]  # of four items
    array([0.625, 0.25 , 0.25 , 0.875])
    """
    counts = np.sort(item_events[1:])
    below, upto = (np.searchsorted(counts, item_events, side) for side in ("left", "right"))
    return np.asarray((below + upto) / (2 * max(len(counts), 1)), np.float64)


def measure_popularity_bias(items: IntArray, targets: IntArray, item_events: IntArray) -> dict[str, float]:
    """How popular the items of lists are, from 0 to 1, and by how much more than those that people took.

    Returns:
        `popularity`: the mean percentile of what is shown; `popularity_bias`: less that of the targets;
        `head_share`: the share of places given to the head; `head_bias`: less the head's share of targets.
    """
    shown = items[items > 0]
    values = {}
    sides = {"popularity": popularity_percentiles(item_events), "head_share": head_items(item_events)}
    for (name, of_item), bias in zip(sides.items(), ("popularity_bias", "head_bias"), strict=True):
        values[name] = float(of_item[shown].mean()) if len(shown) else 0.0
        values[bias] = values[name] - float(of_item[targets].mean())
    return values


def group_shares(lists: Mapping[str, IntArray], item_events: IntArray) -> dict[str, DoubleArray]:
    """Group of items -> (len(lists),) its share of each of `lists` of item indexes, 0 = no item."""
    head, cold = head_items(item_events), item_events <= COLD_EVENTS
    groups = {
        "head (half of all events)": head,
        "middle": ~head & ~cold,
        f"cold (at most {COLD_EVENTS} events)": cold & ~head,
    }
    shown = [items[items > 0] for items in lists.values()]
    return {
        name: np.array([member[items].mean() if len(items) else 0.0 for items in shown])
        for name, member in groups.items()
    }
