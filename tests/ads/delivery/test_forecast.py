"""A forecast agrees with the arithmetic of its means, covers simulated days, and ends with the budget."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.ads.delivery.forecast import (
    Estimate,
    ForecastBasis,
    ForecastError,
    Share,
    SurfaceDemand,
    forecast,
    forecast_errors,
    forecast_of,
)
from recsys.ads.delivery.report import DayReport
from recsys.ads.delivery.steps import Step
from recsys.ads.delivery.waterfall import Waterfall

SEARCH = SurfaceDemand("search", (900, 1000, 1100), asked=10_000, met=2000)  # 200 of 1,000 requests a day
HOME = SurfaceDemand("home", (500, 500, 500), asked=5000, met=0)
BASIS = ForecastBasis(
    demand=(SEARCH, HOME),
    wins=Share(500, 1000),
    billed=Share(1000, 10_000),
    clicks=Share(1000, 10_000),
    pricing="cpc",
    price_micros=400_000,
    budget_micros=None,
    assumptions=("one",),
)


def run(basis: ForecastBasis, seed: int = 0) -> object:
    return forecast(basis, np.random.default_rng(seed))


def test_means_are_the_product_of_the_means() -> None:
    found = forecast(BASIS, np.random.default_rng(0))
    assert found.matched.expected == pytest.approx(200, rel=0.02)
    assert found.impressions.expected == pytest.approx(100, rel=0.02)
    assert found.clicks.expected == pytest.approx(10, rel=0.03)
    assert found.spend_micros.expected == pytest.approx(10 * 400_000, rel=0.03)
    assert found.budget_share is None


def test_the_same_seed_gives_the_same_forecast_and_its_document_is_read_back() -> None:
    assert run(BASIS) == run(BASIS) != run(BASIS, 1)
    found = forecast(replace(BASIS, budget_micros=7), np.random.default_rng(0))
    assert forecast_of(found.to_json()) == found


def test_the_interval_holds_about_8_of_10_days_of_a_known_world() -> None:
    found = forecast(BASIS, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    matched = rng.binomial(rng.choice(SEARCH.requests, 20_000), 0.2)
    clicks = rng.binomial(rng.binomial(matched, 0.5), 0.1)
    inside = np.mean((clicks >= found.clicks.low) & (clicks <= found.clicks.high))
    assert 0.77 < inside < 0.93  # whole numbers: the bounds themselves are inside


def test_a_budget_is_never_passed_and_ends_impressions_too() -> None:
    capped = forecast(replace(BASIS, budget_micros=2_000_000), np.random.default_rng(0))  # of 5 clicks
    free = forecast(BASIS, np.random.default_rng(0))
    assert capped.spend_micros.high <= 2_000_000
    assert capped.clicks.expected < 5.01 < free.clicks.expected
    assert capped.impressions.expected < free.impressions.expected
    assert capped.budget_share is not None
    assert capped.budget_share.expected == pytest.approx(capped.spend_micros.expected / 2_000_000)
    assert capped.budget_share.high == 1.0


def test_a_price_by_the_thousand_is_paid_by_the_thousand() -> None:
    seen = replace(BASIS, pricing="cpm", price_micros=2_000_000, billed=Share(8000, 10_000))
    found = forecast(seen, np.random.default_rng(0))
    assert found.billed.expected == pytest.approx(80, rel=0.02)
    assert found.spend_micros.expected == pytest.approx(80 * 2000, rel=0.02)
    assert found.clicks.expected == pytest.approx(10, rel=0.03)


def test_more_is_expected_of_more_demand_wins_and_targets() -> None:
    def impressions(basis: ForecastBasis) -> float:
        return forecast(basis, np.random.default_rng(0)).impressions.expected

    usual = impressions(BASIS)
    assert impressions(replace(BASIS, wins=Share(900, 1000))) > 1.5 * usual
    assert impressions(replace(BASIS, demand=(replace(SEARCH, met=6000),))) > 2.5 * usual
    assert impressions(replace(BASIS, demand=(SEARCH, replace(HOME, met=5000)))) > 2.5 * usual


def test_without_demand_nothing_is_expected() -> None:
    found = forecast(replace(BASIS, demand=()), np.random.default_rng(0))
    assert found.matched.expected == found.spend_micros.high == 0.0
    nothing_met = forecast(replace(BASIS, demand=(HOME,)), np.random.default_rng(0))
    assert nothing_met.impressions.high == 0.0


def test_errors_are_told_for_what_is_known_of_the_day() -> None:
    made = replace(
        forecast(BASIS, np.random.default_rng(0)),
        impressions=Estimate(100, 90, 110),
        spend_micros=Estimate(4e6, 3e6, 5e6),
    )
    day = DayReport(Waterfall(500, 0, 300, {Step.WON: 95, Step.OUTBID: 105}), spend_micros=6_000_000)
    found = forecast_errors(made, day)
    assert found == {
        "impressions": ForecastError(100, 95, within=True),
        "spend_micros": ForecastError(4e6, 6_000_000, within=False),
    }
    assert found["impressions"].to_json()["error"] == -5
    assert "clicks" in forecast_errors(made, replace(day, clicks=3))
