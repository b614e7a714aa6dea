"""Exploration in the simulation: the shop's own draws, and its budget of the day for ads that are new."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from recsys.ads.auction.candidates import Candidates
from recsys.ads.auction.placement import Placement
from recsys.ads.exploration.counts import ExplorationCounts
from recsys.ads.exploration.draws import AdDraws
from recsys.ads.exploration.propensity import slot_chances
from recsys.ads.exploration.rule import ExplorationRule
from recsys.ads.exploration.warm_up import WarmUp, warm_up_spread
from recsys.ads.exploration.worlds import Worlds, explored_attraction
from recsys.arrays import DoubleArray
from recsys.simulation.ads.market import Market
from recsys.simulation.ads.policy import AdPolicy
from recsys.simulation.ads.predictor import Predicted

_DRAWS = 2  # nobody reads propensities here, and of how many draws one is used changes no distribution


class Exploring:
    """Explores in the auctions of one policy.

    Attributes:
        is_on: whether the policy explores at all.
    """

    def __init__(self, market: Market, policy: AdPolicy, starts: datetime) -> None:
        self.is_on = policy.exploration != "none"
        self._ads, self._starts = market.ads, starts
        self._names = [campaign.campaign_id for campaign in market.campaigns]
        self._rule = ExplorationRule(policy.exploration, policy.exploration_strength, draws=_DRAWS)
        self._warm_up = WarmUp(policy.warm_up_share, policy.warm_up_slots, policy.warm_up_impressions)
        self._counts = ExplorationCounts()

    def worlds(self, candidates: Candidates, predicted: Predicted, seed: int, at: float) -> Worlds:
        """What an auction `at` seconds after the beginning may take for the attractions."""
        rows = candidates.ad
        spread: DoubleArray = np.zeros(len(rows))
        if self.is_on:
            campaign = self._ads.campaign[rows]
            numbers = {each: self._names[each] for each in np.unique(campaign).tolist()}
            used, shop = self._counts.used(self._now(at), numbers)
            viewed = predicted.viewed[rows]
            spread = warm_up_spread(predicted.spread[rows], viewed, campaign, used, shop, self._warm_up)
        return explored_attraction(candidates.attraction, spread, AdDraws(seed, rows), self._rule)[1]

    def note(
        self,
        worlds: Worlds,
        candidates: Candidates,
        placement: Placement,
        seed: int,
        shown: Sequence[int],
        unable: Sequence[int],
        at: float,
    ) -> int:
        """Counts the slots of an auction against the budget; how many of them were explored.

        Args:
            candidates: with the attraction that is expected. shown, unable: rows of them.
        """
        if not self.is_on:
            return 0
        chances = slot_chances(worlds, candidates, placement, seed, shown, unable)
        campaigns = self._ads.campaign[candidates.ad[list(shown)]].tolist()
        slots = [(self._names[each], one.explored) for each, one in zip(campaigns, chances, strict=True)]
        self._counts.note(self._now(at), slots)
        return sum(one.explored for one in chances)

    def _now(self, at: float) -> datetime:
        return self._starts + timedelta(seconds=at)
