"""Smoothed rates: what an item's clicks and views say beside the prior of its surface."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.special import polygamma

from recsys.ads.selection.prediction import AdContext, ClickEstimates, ItemCounts, SmoothedRates, WithPrior
from recsys.errors import ConfigError, StoreUnavailableError

HOME = AdContext("home", "user:ann", datetime(2026, 5, 1, tzinfo=UTC))


def test_a_rate_is_drawn_to_the_prior_by_its_strength() -> None:
    rates = SmoothedRates({"tea": ItemCounts(8, 100)}, rate=0.02, strength=100)
    found = rates.estimate(HOME, ["tea", "unknown"])
    assert found.attraction.tolist() == pytest.approx([(2 + 8) / 200, 0.02])
    assert found.relevance.tolist() == [1, 1]
    assert found.p_purchase.tolist() == [0.03, 0.03]


def test_the_prior_may_be_of_the_surface() -> None:
    rates = SmoothedRates(rate=0.02, rates={"search": 0.1})
    search = AdContext("search", "user:ann", HOME.now, query="tea")
    assert rates.estimate(search, ["x"]).attraction[0] == pytest.approx(0.1)
    assert rates.estimate(HOME, ["x"]).attraction[0] == pytest.approx(0.02)


def test_the_spread_is_that_of_the_betas_log_odds_and_shrinks_with_views() -> None:
    rates = SmoothedRates({"tea": ItemCounts(20, 1000)}, rate=0.02, strength=100)
    few, many = rates.estimate(HOME, ["unknown", "tea"]).spread
    assert few == pytest.approx(np.sqrt(polygamma(1, 2) + polygamma(1, 98)))
    assert many < few


def test_no_items_are_no_estimates() -> None:
    assert len(SmoothedRates().estimate(HOME, [])) == 0


def test_examination_falls_and_begins_at_one() -> None:
    found = SmoothedRates(examination_power=0.5).examination("home", 4)
    assert found == pytest.approx((1, 2**-0.5, 3**-0.5, 0.5))


def test_rates_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="click rate of search is 1"):
        SmoothedRates(rates={"search": 1.0})
    with pytest.raises(ConfigError, match="strength"):
        SmoothedRates(strength=0)


def test_the_prior_answers_while_the_store_of_a_predictor_is_away() -> None:
    class Away(SmoothedRates):
        def estimate(self, context: AdContext, items: Sequence[str]) -> ClickEstimates:
            raise StoreUnavailableError("redis", "read", 0.2)

    first, prior = Away(examination_power=1.0, version="model"), SmoothedRates(rate=0.07)
    both = WithPrior(first, prior)
    assert both.estimate(HOME, ["tea"]).attraction.tolist() == pytest.approx([0.07])
    assert (both.version, both.examination("home", 2)) == ("model", (1.0, 0.5))
    assert WithPrior(prior, first).estimate(HOME, ["tea"]).attraction.tolist() == pytest.approx([0.07])
