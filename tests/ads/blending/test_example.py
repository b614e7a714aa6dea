"""The examples of docs/ads-page.md: their code runs, and the figures of its table are those that come out."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from recsys.ads.blending.memory import MOST_ORGANIC, MOST_SPONSORED
from recsys.ads.blending.page import MOST_ADS, AdOutcome
from recsys.ads.tokens.page_token import MOST_CHARACTERS
from recsys.experiments.experiment import DEFAULT_SHARE_PPM
from recsys.experiments.lift import MIN_EXPECTED

ROOT = Path(__file__).parents[3]
PAGE, CHINESE_PAGE = ROOT / "docs" / "ads-page.md", ROOT / "docs" / "zh" / "ads-page.md"
MICROS = 1_000_000


def blocks(language: str, page: Path = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def run(code: str) -> tuple[dict[str, Any], str]:
    """The names that the code has defined, and what it prints."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "docs/ads-page.md", "exec"), names)
    return names, printed.getvalue()


@pytest.mark.parametrize("place", [0, 1])
def test_the_examples_print_what_the_page_says(place: int) -> None:
    assert run(blocks("python")[place])[1] == blocks("text")[place]


def test_the_worth_of_the_table_is_that_of_the_example() -> None:
    names, _ = run(blocks("python")[0])
    worth = {each.product_id: each.value_micros for each in names["organic"]}
    worth |= {each.ad_id: each.value_micros for each in names["sponsored"]}
    rows = [row.split(" | ") for row in re.findall(r"^\| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)]
    table = {row[0]: float(row[-1]) * MICROS for row in rows if row[0] in worth}
    assert table == pytest.approx(worth, abs=1)


def test_both_pages_have_the_same_examples_and_figures() -> None:
    for language in ("python", "text"):
        assert blocks(language, CHINESE_PAGE) == blocks(language)
    figures = [
        sorted(
            re.findall(
                r"(?<![\w.])\d[\d,.]*\d", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
            )
        )
        for page in (PAGE, CHINESE_PAGE)
    ]
    assert figures[0] == figures[1]


def test_the_bounds_that_the_page_names_are_those_of_the_code() -> None:
    text = PAGE.read_text("utf-8")
    for named in (
        f"the ads, at most {MOST_ADS},",
        f"the last {MOST_ORGANIC} organic and {MOST_SPONSORED} sponsored products",
        f"at most {MOST_CHARACTERS:,} characters",
        f"{DEFAULT_SHARE_PPM / 10_000:g}% unless said otherwise",
        f"fewer than {MIN_EXPECTED} expected users",
        *(f"`{outcome}`" for outcome in AdOutcome),
    ):
        assert named in text.replace("\n", " ")
