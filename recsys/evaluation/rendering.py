"""Rendering of reports and model cards from the templates beside this module."""

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from recsys.evaluation.tables import Cell, TableRow


def render(template: str, **values: Any) -> str:
    """The text of `templates/<template>.j2`; values are escaped where it is HTML.

    Args:
        template: for example `report.html`.
    """
    environment = Environment(
        loader=PackageLoader("recsys.evaluation"),
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["markdown_table"] = markdown_table
    return environment.get_template(f"{template}.j2").render(**values)


def markdown_table(rows: Sequence[TableRow], numbers: bool = False, strong: str | None = None) -> str:
    """`rows` as a Markdown table; empty without rows.

    Args:
        numbers: all columns but the first are aligned to the right.
        strong: the row that begins with this, or the column of this name, is bold.

    >>> print(markdown_table([{"model": "a|b", "value": 1}], numbers=True))
    | model | value |
    | --- | ---: |
    | a\\|b | 1 |
    """
    if not rows:
        return ""
    names = list(rows[0])
    rule = ["---", *(("---:" if numbers else "---") for _ in names[1:])]
    cells: list[Sequence[Cell]] = [names, *([row[name] for name in names] for row in rows)]
    lines = [
        [_cell(cell, bold=strong in (line[0], name)) for name, cell in zip(names, line, strict=True)]
        for line in cells
    ]
    lines.insert(1, rule)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any, bold: bool) -> str:
    text = str(value).replace("|", "\\|")
    return f"**{text}**" if bold else text
