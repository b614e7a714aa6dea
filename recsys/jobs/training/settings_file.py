"""Writing a settings file: what `tomllib` reads back as the same values."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import tomlkit
from tomlkit.items import InlineTable, Item

from recsys.errors import ConfigError


def settings_toml(values: Mapping[str, Any], title: str) -> str:
    """A settings file of these values, sections as tables, with `title` as a comment on top.

    >>> print(settings_toml({"home": "here", "text": {"max_tokens": 8}}, "Mine."))
    # Mine.
    home = "here"
    <BLANKLINE>
    [text]
    max_tokens = 8
    <BLANKLINE>

    Raises:
        ConfigError: a value is of a type that settings do not have.
    """
    document = tomlkit.document()
    for line in title.splitlines():
        document.add(tomlkit.comment(line))
    for name, value in values.items():
        if not isinstance(value, Mapping):
            document.add(name, _item(value))
    for name, section in values.items():
        if isinstance(section, Mapping):
            table = tomlkit.table()
            for field, value in section.items():
                table.add(field, _item(value))
            document.add(tomlkit.nl())
            document.add(name, table)
    return tomlkit.dumps(document)


def _item(value: Any) -> Item:
    """One value on one line; a table inside of a section is written inline."""
    if isinstance(value, Mapping):
        inline: InlineTable = tomlkit.inline_table()
        for name, of in value.items():
            inline.add(name, _item(of))
        return inline
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        array.extend(_item(of) for of in value)
        return array
    if isinstance(value, str | bool | int | float | date):  # a datetime is one
        return tomlkit.item(value)
    raise ConfigError(f"a settings file cannot hold {value!r} ({type(value).__name__}). Write it as text.")
