"""The example of docs/ads-auction.md: its code runs, and its tables have the figures that come out."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from recsys.ads.auction.auction import run_auction
from recsys.ads.auction.placement import Placement, PriceRule

ROOT = Path(__file__).parents[3]
PAGE, CHINESE_PAGE = ROOT / "docs" / "ads-auction.md", ROOT / "docs" / "zh" / "ads-auction.md"
MICROS = 1_000_000


def block(language: str, page: Path = PAGE) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def table(first_cell: str) -> list[list[str]]:
    """The rows of the English page whose first cell matches."""
    rows = re.findall(r"^\| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return [row.split(" | ") for row in rows if re.fullmatch(first_cell, row.split(" | ")[0])]


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """The names that the example has defined, and as `printed` what it prints."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(block("python"), "docs/ads-auction.md", "exec"), names)
    return {**names, "printed": printed.getvalue()}


def test_the_example_prints_what_the_page_says(example: dict[str, Any]) -> None:
    assert example["printed"] == block("text")


def test_the_ads_of_the_table_are_those_of_the_example(example: dict[str, Any]) -> None:
    candidates, rows = example["candidates"], table("tea|cup|pot|jar")
    assert [row[0] for row in rows] == example["names"]
    weights = candidates.weights()
    for place, (_, pricing, bid, attraction, p_purchase, quality, ecpm, score) in enumerate(rows):
        assert pricing == example["PricingCode"](int(candidates.pricing[place])).name
        assert round(float(bid) * MICROS) == candidates.bid_micros[place]
        assert float(attraction.replace("-", "0")) == candidates.attraction[place]
        assert float(p_purchase.replace("-", "0")) == candidates.p_purchase[place]
        assert float(quality) == candidates.quality[place]
        expected = float(candidates.bid_micros[place] * weights[place] / MICROS)
        assert float(score) == pytest.approx(expected)
        assert float(ecpm) == pytest.approx(expected / candidates.quality[place])


def test_the_prices_of_the_table_are_those_that_winners_pay(example: dict[str, Any]) -> None:
    rows = table("GSP|VCG|first")
    assert [row[0].lower() for row in rows] == list(PriceRule)
    for rule, *prices in rows:
        placement = Placement((1.0, 0.5), PriceRule(rule.lower()), example["reserves"])
        slots = run_auction(example["candidates"], placement, seed=1).slots
        assert [round(float(price) * MICROS) for price in prices] == [slot.price_micros for slot in slots]


def test_the_chinese_page_has_the_same_example_and_figures() -> None:
    assert [block(kind, CHINESE_PAGE) for kind in ("python", "text")] == [block("python"), block("text")]
    figures = [
        re.findall(r"(?<![\w.])\d+\.\d+", page.read_text("utf-8").partition("```python")[0])
        for page in (PAGE, CHINESE_PAGE)
    ]
    assert sorted(figures[0]) == sorted(figures[1])
