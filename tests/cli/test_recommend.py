"""Options of `recsys recommend`, `similar` and `explain` are checked before anything is opened."""

import pytest
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.cli.filter_options import filters_of
from recsys.filters import Filters, NoneOf, NumberRange


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["recommend", "u", "--price-max", "cheap"], "'cheap' is not a valid amount"),
        (["recommend", "u", "--price-min", "-1"], "'-1' is not a valid amount"),
        (["similar", "i", "--attribute", "red"], "'red' is not a valid attribute"),
        (["similar", "i", "--attribute", "!=red"], "'!=red' is not a valid attribute"),
        (
            ["recommend", "u", "--attribute", "size=40..44", "--attribute", "size=50.."],
            "'size' has two kinds of condition. Write them by --filters",
        ),
        (["recommend", "u", "--attribute", "size=40", "--attribute", "size!=41"], "'size' has two kinds"),
        (["recommend", "u", "--filters", "{"], "'{' is not JSON"),
        (["explain", "u", "i", "--filters", '{"brand": 1}'], "Did you mean 'filters.brands'?"),
        (["similar", "i", "--filters", "{}", "--brand", "x"], "says all filters. Leave the other ones out."),
        (["recommend", "u", "--language", "de"], "'de' is not a valid language"),
        (["explain", "u", "i", "--seen", "perhaps"], "'perhaps' is neither keep nor remove"),
        (["recommend", "u", "-k", "101"], "'-k'"),
        (["recommend", "u", "--diversity", "2"], "'--diversity'"),
    ],
)
def test_an_option_that_cannot_be_is_named(words: list[str], problem: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert problem in " ".join(result.stderr.replace("│", " ").split())


def test_options_say_the_filters_that_json_says() -> None:
    said = filters_of(
        None,
        category_paths=["Home/Kitchen"],
        not_categories=["pots", "pans"],
        price_max="2.50",
        attributes=["size=40..44", "weight=..2.5", "colour=red", "colour=blue", "tag!=old", 'year="2024"'],
    )
    assert said == Filters(
        price_max_micros=2_500_000,
        attributes={
            "size": NumberRange(40, 44),
            "weight": NumberRange(None, 2.5),
            "colour": ("red", "blue"),
            "tag": NoneOf(("old",)),
            "year": "2024",
        },
        category_paths=("Home/Kitchen",),
        none_of=(Filters(categories=("pots", "pans")),),
    )
    document = (
        '{"category_paths": ["Home/Kitchen"], "not": [{"categories": ["pots", "pans"]}],'
        ' "price_max_micros": 2500000, "attributes": {"size": {"min": 40, "max": 44},'
        ' "weight": {"max": 2.5}, "colour": ["red", "blue"], "tag": {"not": "old"}, "year": "2024"}}'
    )
    assert filters_of(document) == said
