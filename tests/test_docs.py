"""The documents are checked against the code: commands exist, links lead somewhere, both languages agree."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from recsys.cli.app import app

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "README.zh-CN.md", *(ROOT / "docs").glob("*.md")])


def commands(text: str) -> Iterator[list[str]]:
    """Words of every `recsys ...` line inside a code block."""
    for block in re.findall(r"```(?:sh|bash|console)?\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            found = re.match(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?recsys ([^#|&>]*)", line)
            if found:
                yield found.group(1).split()


def resolve(words: list[str]) -> None:
    """Walks the command tree along `words`; fails at a name or option that does not exist."""
    node: Any = typer.main.get_command(app)
    for word in words:
        if hasattr(node, "commands") and not word.startswith("-"):
            assert word in node.commands, f"`recsys {' '.join(words)}`: no command {word!r}"
            node = node.commands[word]
    known = {option for parameter in node.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("--") and word != "--help":
            name = word.split("=")[0]
            assert name in known or name == "--version", f"`recsys {' '.join(words)}`: no option {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documented_commands_exist(page: Path) -> None:
    for words in commands(page.read_text("utf-8")):
        resolve(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_both_languages_show_the_same_commands_and_figures() -> None:
    def blocks(name: str) -> list[list[str]]:
        return list(commands((ROOT / name).read_text("utf-8")))

    assert blocks("README.md") == blocks("README.zh-CN.md")


def test_shipped_mappings_are_named_in_the_mapping_page() -> None:
    page = (ROOT / "docs" / "mapping.md").read_text("utf-8")
    for mapping in (ROOT / "recsys" / "mappings").glob("*.toml"):
        assert mapping.stem in page, f"docs/mapping.md does not name {mapping.stem}"
