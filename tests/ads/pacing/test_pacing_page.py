"""The example and the day of docs/ads-pacing.md are what comes out, in both languages."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from recsys.config import Settings
from tests.ads.pacing.simulated_days import SHANGHAI
from tests.ads.pacing.test_simulated_days import PAGES, SCENARIOS, run
from tests.ads.pacing.test_throttle_or_multiplier import (
    dark_share,
    day,
    multiplied,
    multiplied_against_one_steady_rival,
    throttled,
)

LANGUAGES = pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])


def block(language: str, page: Path) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def rows(first_cell: str, page: Path) -> list[list[str]]:
    """The rows of a page whose first cell matches."""
    found = re.findall(r"^\| (.*) \|$", page.read_text("utf-8"), re.MULTILINE)
    return [row.split(" | ") for row in found if re.fullmatch(first_cell, row.split(" | ")[0])]


@LANGUAGES
def test_the_example_prints_what_the_page_says(page: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(block("python", page), page.name, "exec"), {})
    assert printed.getvalue() == block("text", page)


def test_the_day_of_the_table_is_the_first_of_the_simulated_ones() -> None:
    _, record = run(SCENARIOS[1], seed=1)
    hours = {f"{at.astimezone(SHANGHAI):%H:%M}": row for at, *row in record.hours[1:-1]}
    hours["24:00"] = list(record.hours[-1][1:])
    for page in PAGES:
        table = rows(r"\d\d:00", page)
        assert len(table) == 9
        for at, *figures in table:
            planned, spent, participation = hours[at]
            shown = [float(figure) for figure in figures]
            assert shown == [
                pytest.approx(planned / 1e6, abs=0.01),
                # What is drawn may differ by a click or two between versions of numpy.
                pytest.approx(spent / 1e6, abs=2),
                pytest.approx(participation, abs=0.1),
            ]


def test_the_clicks_of_the_table_are_those_of_the_comparison() -> None:
    for demand in ("1.3", "3", "10"):
        clicks = [day(response, float(demand))[0].charged_clicks for response in (throttled, multiplied)]
        for page in PAGES:
            shown = [row for row in rows(re.escape(demand), page) if len(row) == 3 and "%" not in row[-1]]
            assert [int(cell) for cell in shown[0][1:]] == pytest.approx(clicks, rel=0.02)
    away = dark_share(day(multiplied_against_one_steady_rival, 10.0)[0])
    assert away == pytest.approx(0.91, abs=0.03)


@LANGUAGES
def test_the_settings_of_the_page_are_the_defaults(page: Path) -> None:
    shown = dict(line.split(" = ") for line in block("toml", page).splitlines()[1:])
    defaults = Settings().ads.model_dump()
    assert {name: float(value) for name, value in shown.items()} == {name: defaults[name] for name in shown}
