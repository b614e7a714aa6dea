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


def markdown_table(rows: Sequence[TableRow], numbers: bool = False) -> str:
    """`rows` as a Markdown table; empty without rows.

    Args:
        numbers: all columns but the first are aligned to the right.

    >>> print(markdown_table([{"model": "a|b", "value": 1}], numbers=True))
    | model | value |
    | --- | ---: |
    | a\\|b | 1 |
    """
    if not rows:
        return ""
    names = list(rows[0])
    rule = ["---", *(("---:" if numbers else "---") for _ in names[1:])]
    lines: list[Sequence[Cell]] = [names, rule, *([row[name] for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|")
