"""Texts made of columns, whole when a column is missing."""

import pyarrow as pa
import pytest

from recsys.ingest.mapping.template import parse_template
from recsys.ingest.raw.cells import LIST_MARK


@pytest.mark.parametrize(
    ("title", "year", "expected"),
    [
        ("Heat", "1995", "Heat (1995)."),
        ("Heat", None, "Heat"),
        (None, "1995", "(1995)."),
        (None, None, None),
    ],
)
def test_what_is_missing_goes_with_its_punctuation(
    title: str | None, year: str | None, expected: str | None
) -> None:
    table = pa.table({"title": pa.array([title], pa.string()), "year": pa.array([year], pa.string())})
    assert parse_template("{title} ({year}).").render(table).to_pylist() == [expected]


def test_a_name_without_braces_is_a_column() -> None:
    assert parse_template("name").render(pa.table({"name": ["x"]})).to_pylist() == ["x"]


def test_lists_are_joined_or_one_is_taken() -> None:
    table = pa.table({"c": [f"Home{LIST_MARK}Garden{LIST_MARK}Tools", "Toys", None]})
    assert parse_template("{c}").render(table).to_pylist() == ["Home, Garden, Tools", "Toys", None]
    assert parse_template("{c[0]}").render(table).to_pylist() == ["Home", "Toys", None]
    assert parse_template("{c[-1]|lower}").render(table).to_pylist() == ["tools", "toys", None]
    assert parse_template("{c[2]}").render(table).to_pylist() == ["Tools", None, None]


def test_words_are_capitalised_and_sizes_are_not() -> None:
    table = pa.table({"type": ["CHILDREN'S ICE - CRUSHED/CUBED"], "size": ["22 LB"]})
    rendered = parse_template("{type|title} {size}").render(table).to_pylist()
    assert rendered == ["Children's Ice - Crushed/Cubed 22 LB"]


@pytest.mark.parametrize("text", ["{title", "title}", "{}", "{a|shout}", "{a} {b"])
def test_a_broken_template_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a template"):
        parse_template(text)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Soft &amp; light</p>", "Soft & light"),
        ("<ul><li>one</li><li>two</li></ul>", "one two"),
        ("so<b>ft</b><br/>warm", "soft warm"),
        ("<style>p { color: red }</style><p>A<script>if (a < b) { x() }</script></p>", "A"),
        ("5 &lt; 6 &eacute;&#233;&nbsp;x", "5 < 6 éé x"),
        ("a < b and <3", "a < b and <3"),
        ("no markup", "no markup"),
        ("<!-- hidden --><img src='x.jpg'>", None),
        ("<p>cut off", "cut off"),
        (r"one<br>\n two\r\nthree", "one two three"),
    ],
)
def test_plain_is_the_text_of_markup(markup: str, text: str | None) -> None:
    rows = pa.table({"Body (HTML)": [markup]})
    assert parse_template("{Body (HTML)|plain}").render(rows).to_pylist() == [text]
