"""The policy that docs/ads-simulation.md shows is one, and names every key, in both languages."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from recsys.ads.auction.placement import PriceRule
from recsys.jobs.ads.simulation.simulated_policies import read_simulated_policy
from recsys.simulation.ads.policy import AdPolicy

PAGES = [Path(__file__).parents[3] / "docs" / folder / "ads-simulation.md" for folder in (".", "zh")]
LANGUAGES = pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])


@LANGUAGES
def test_the_example_of_a_policy_is_read_and_names_every_key(page: Path, tmp_path: Path) -> None:
    found = re.search(r"^```toml\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None
    file = tmp_path / "first-price.toml"
    file.write_text(found[1])
    policy = read_simulated_policy(file, AdPolicy("default"))
    assert (policy.name, policy.price_rule, policy.reserves.cpm_micros) == (
        "first price",
        PriceRule.FIRST,
        1_000_000,
    )
    assert set(tomllib.loads(found[1])) == {field.name for field in fields(AdPolicy)}


def test_both_languages_show_the_same_figures() -> None:
    tables = [re.findall(r"^\| .*\d.* \|$", page.read_text("utf-8"), re.MULTILINE) for page in PAGES]
    figures = [[re.findall(r"-?[\d,.]+%?", row) for row in table] for table in tables]
    assert figures[0][-10:] == figures[1][-10:]
