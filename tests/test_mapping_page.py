"""The mapping page and the template, tried: examples load, the first import comes out as the page says."""

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel

from recsys.home import HomePaths
from recsys.ingest.mapping.files import parse_mapping
from recsys.jobs.data.check import check_files
from recsys.jobs.data.import_shop import import_files
from recsys.jobs.data.report import rejected_rows
from recsys.settings_section import Section

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "mapping.md").read_text("utf-8")
TEMPLATE = (ROOT / "recsys" / "mappings" / "template.toml").read_text("utf-8")
NOW = datetime(2026, 3, 10, tzinfo=UTC)
HEAD = 'name = "s"\nrepeats = true\nlabel_kinds = ["purchase"]\n'
EVENTS = '[[events]]\nfiles = "e.csv"\nuser = "u"\nitem = "i"\nkind = "purchase"\ntime = "t"\n'


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def whole_mapping(block: str) -> str:
    """`block` with what a mapping needs before it."""
    if "label_kinds" in block or block.startswith("name = "):  # the latter is of a catalog without events
        return block
    given = block.startswith("[[events]]")
    return HEAD + ("" if given else EVENTS) + block


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: block.splitlines()[0])
def test_examples_of_the_page_are_mappings(block: str) -> None:
    parse_mapping(whole_mapping(block), "mapping.md")


@pytest.fixture
def first_shop(tmp_path: Path) -> Path:
    """The folder and the mapping of the page's first import."""
    orders, products = blocks("")[:2]
    (tmp_path / "my-shop").mkdir()
    (tmp_path / "my-shop" / "orders-2026-03.csv").write_text(orders)
    (tmp_path / "my-shop" / "products.csv").write_text(products)
    (tmp_path / "my-shop.toml").write_text(blocks("toml")[0])
    return tmp_path


def test_the_first_import_keeps_and_rejects_what_the_page_says(first_shop: Path) -> None:
    home = HomePaths(first_shop / "home")
    done = import_files(home, str(first_shop / "my-shop.toml"), first_shop / "my-shop", NOW)
    assert (done.info.events, done.info.items, done.info.users) == (3, 3, 2)
    assert re.search(r"keeps 3 of 4 rows.*?`missing_item`", PAGE, re.DOTALL)
    assert [(row.reason, row.rows) for row in rejected_rows(done.report)] == [("missing_item", 1)]


def test_the_check_shows_the_row_that_the_page_shows(first_shop: Path) -> None:
    home = HomePaths(first_shop / "home")
    found = check_files(home, str(first_shop / "my-shop.toml"), first_shop / "my-shop", 20, NOW)
    shown = dict(found.tables())["Events"][0]["understood as"]
    assert str(shown) in " ".join(PAGE.split())


def subclasses(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


def keys() -> set[str]:
    """Every key that a mapping file may have, as it is written there."""
    sections = [each for each in subclasses(Section) if each.__module__.startswith("recsys.ingest")]
    return {field.alias or name for each in sections for name, field in each.model_fields.items()}


def test_the_template_has_every_key() -> None:
    assert {key for key in keys() if not re.search(rf"\b{key}\b", TEMPLATE)} <= {
        "is"
    }  # `kind = "view"` is it


def test_what_the_template_comments_out_is_toml() -> None:
    for line in TEMPLATE.splitlines():
        found = re.match(r"^# ((?:\w+ = |\[).*)$", line)
        if found:
            tomllib.loads(found.group(1))
