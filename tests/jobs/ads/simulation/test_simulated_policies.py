"""A policy's file says what differs from the default; what it cannot mean is refused with the remedy."""

from pathlib import Path

import pytest

from recsys.ads.auction.placement import PriceRule, Reserves
from recsys.ads.auction.surface_prices import Prices
from recsys.errors import ConfigError, RecsysError
from recsys.jobs.ads.simulation.simulated_policies import read_simulated_policy
from recsys.service_settings import AdPricesSettings, AdsSettings
from recsys.simulation.ads.policy import AdPolicy, default_policy, simplest_policy

DEFAULT = AdPolicy("default", reserves=Reserves(cpm_micros=7), most_per_account=2, pacing="bid")


def policy(tmp_path: Path, text: str, name: str = "mine.toml") -> AdPolicy:
    path = tmp_path / name
    path.write_text(text)
    return read_simulated_policy(path, DEFAULT)


def test_what_a_file_leaves_out_is_as_in_the_default_and_its_name_is_the_files(tmp_path: Path) -> None:
    found = policy(tmp_path, 'price_rule = "first"\nquality_exponent = 0.5\n[reserves]\ncpc = "0.05"\n')
    assert found == AdPolicy(
        "mine",
        price_rule=PriceRule.FIRST,
        quality_exponent=0.5,
        reserves=Reserves(cpc_micros=50_000, cpm_micros=7),
        most_per_account=2,
        pacing="bid",
    )


def test_an_account_may_have_all_slots_again(tmp_path: Path) -> None:
    assert policy(tmp_path, 'most_per_account = "all"').most_per_account is None


def test_the_default_is_what_the_settings_say_and_the_simplest_has_the_same_auction() -> None:
    settings = AdsSettings(
        price_rule="vcg",
        reserve_cpc_micros=5,
        most_per_account=None,
        quality_exponent=0.7,
        exploration="thompson",
        exploration_strength=2.0,
        warm_up_share=0.2,
    )
    default = default_policy(settings)
    assert default == AdPolicy(
        "default",
        PriceRule.VCG,
        Reserves(5, settings.reserve_cpm_micros, settings.reserve_cpa_micros),
        quality_exponent=0.7,
        exploration="thompson",
        exploration_strength=2.0,
        warm_up_share=0.2,
    )
    simplest = simplest_policy(default)
    assert (simplest.price_rule, simplest.reserves) == (default.price_rule, default.reserves)
    assert (simplest.pacing, simplest.quality_exponent, simplest.exploration) == ("hours", 0.0, "none")


def test_a_surface_has_its_own_prices_over_those_of_the_file(tmp_path: Path) -> None:
    found = policy(
        tmp_path,
        'price_rule = "vcg"\n[reserves]\ncpa = "1"\n'
        '[prices.search]\nprice_rule = "first"\n[prices.home.reserves]\ncpc = "0.05"\n',
    ).surface_prices
    assert found.on("search") == Prices(PriceRule.FIRST, Reserves(1, 7, 1_000_000))
    assert found.on("home") == Prices(PriceRule.VCG, Reserves(50_000, 7, 1_000_000))
    assert found.on("product") == Prices(PriceRule.VCG, Reserves(1, 7, 1_000_000))


def test_the_default_has_the_prices_of_surfaces_that_the_settings_name() -> None:
    default = default_policy(AdsSettings(prices={"search": AdPricesSettings(price_rule="first")}))
    assert default.surface_prices.on("search").rule is PriceRule.FIRST
    assert default.surface_prices.on("home").rule is PriceRule.GSP


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('prices = "vcg"', "is no table"),
        ('[prices.shelf]\nprice_rule = "vcg"', "'shelf' is no surface"),
        ("[prices.search]\nmost_per_account = 1", "more than price_rule and reserves"),
        ('[prices.search]\nprice_rule = "third"', "'third' is not gsp or vcg or first"),
    ],
)
def test_prices_of_a_surface_that_cannot_be_are_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        policy(tmp_path, text)


def test_json_says_the_same(tmp_path: Path) -> None:
    found = policy(tmp_path, '{"name": "slow", "pacing": "plan", "most_per_account": 1}', "other.json")
    assert found == AdPolicy("slow", reserves=Reserves(cpm_micros=7), most_per_account=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("paceing = 'plan'", "'paceing' is unknown. Did you mean 'pacing'"),
        ("pacing = 'fast'", "pacing = 'fast' is not plan or bid or hours or none"),
        ("bid_percent = 1.5", "bid_percent = 1.5 is not a whole number"),
        ("predictor_noise = true", "predictor_noise = True is not a number"),
        ("most_per_account = 'some'", "most_per_account = 'some' is not a whole number or 'all'"),
        ("warm_up_share = 2", "warm_up_share = 2 is not between"),
        ("quality_exponent = 9", "quality_exponent = 9 is not between"),
        ("reserves = {cpx = 1}", "does not name cpc, cpm or cpa"),
        ("reserves = {cpc = -1}", "is no amount"),
        ("reserves = {cpc = 0}", "cpc_micros = 0 is not between 1"),
        ("name = 'default'", "the name 'default', which is taken"),
        ("pacing = ", "is not TOML"),
    ],
)
def test_what_a_file_cannot_mean_is_refused_with_the_remedy(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecsysError, match=message):
        policy(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read"):
        read_simulated_policy(tmp_path / "none.toml", DEFAULT)
