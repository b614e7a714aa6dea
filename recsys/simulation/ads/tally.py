"""Sums over what was shown and charged, by day and slot: all that is kept of millions of auctions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.ledger.charges import ChargeResult
from recsys.arrays import DoubleArray, IntArray
from recsys.simulation.ads.market import Market

BINS = 60  # of predicted probabilities, see `bin_of`
BINS_PER_TENFOLD = 10
NANOS = 1000


@dataclass(frozen=True, eq=False)
class ShownRows:
    """N slots that were shown on one day.

    Attributes:
        ad, slot: (N,) slot from 0. predicted, attraction: (N,) what the auction used, and the truth.
    """

    ad: IntArray
    slot: IntArray
    predicted: DoubleArray
    attraction: DoubleArray


class Tally:
    """What one policy did, in sums.

    Attributes:
        requests, filled, explored, clicks, charges, over_budget, late: (days,) counts. revenue, lost: micros.
        welfare: (days,) micros, what all that was shown is worth to the advertisers, by the true chances.
        attraction: (days,) true, summed over slots. expected_clicks: (days,) the same where it is looked at.
        predicted, true: (days, slots) probabilities of a click summed.
        bins: (slots, BINS, 3) how many, predicted and true.
    """

    def __init__(self, days: int, market: Market) -> None:
        self._market = market
        slots = len(market.truth.examination)
        self.requests, self.filled, self.explored = (np.zeros(days) for _ in range(3))
        self.clicks, self.revenue = (np.zeros(days) for _ in range(2))
        self.lost, self.charges, self.over_budget, self.late = (np.zeros(days) for _ in range(4))
        self.welfare, self.attraction, self.expected_clicks = (np.zeros(days) for _ in range(3))
        self.predicted, self.true = np.zeros((days, slots)), np.zeros((days, slots))
        self.bins = np.zeros((slots, BINS, 3))

    def add_shown(self, day: int, requests: int, clicks: int, rows: ShownRows) -> None:
        """Adds what `requests` of one day showed, and how often it was clicked."""
        self.requests[day] += requests
        self.clicks[day] += clicks
        self.filled[day] += len(rows.ad)
        ads, examination = self._market.ads, np.array(self._market.truth.examination)[rows.slot]
        seen_clicks = rows.attraction * examination
        pricing = ads.pricing[rows.ad]
        events = np.where(pricing == PricingCode.CPM, examination / 1000, seen_clicks)
        events = np.where(pricing == PricingCode.CPA, events * ads.p_purchase[rows.ad], events)
        self.welfare[day] += float(events @ ads.value_micros[rows.ad])
        self.attraction[day] += rows.attraction.sum()
        self.expected_clicks[day] += seen_clicks.sum()
        predicted = rows.predicted * examination
        bins = bin_of(predicted)
        for slot in range(self.bins.shape[0]):
            chosen = rows.slot == slot
            self.predicted[day, slot] += predicted[chosen].sum()
            self.true[day, slot] += seen_clicks[chosen].sum()
            for place, weights in enumerate((None, predicted[chosen], seen_clicks[chosen])):
                self.bins[slot, :, place] += np.bincount(bins[chosen], weights, BINS)

    def add_charge(self, day: int, result: ChargeResult, price_nanos: int) -> None:
        """Adds what came of an event that was to be billed."""
        self.charges[day] += result.outcome == "charged"
        self.revenue[day] += result.micros
        self.late[day] += result.outcome == "late"
        if result.outcome == "over_budget":
            self.over_budget[day] += 1
            self.lost[day] += price_nanos / NANOS


def bin_of(probabilities: DoubleArray) -> IntArray:
    """(N,) which bin each is in: from 1e-6 to 1, ten to each order of magnitude.

    >>> bin_of(np.array([1e-9, 0.011, 1.0])).tolist()
    [0, 40, 59]
    """
    places = (np.log10(np.maximum(probabilities, 1e-12)) + 6) * BINS_PER_TENFOLD
    return np.clip(places.astype(np.int64), 0, BINS - 1)


def shown_rows(
    ad: Sequence[int], slot: Sequence[int], predicted: Sequence[float], attraction: Sequence[float]
) -> ShownRows:
    """Lists as arrays."""
    return ShownRows(
        np.array(ad, np.int64), np.array(slot, np.int64), np.array(predicted), np.array(attraction)
    )
