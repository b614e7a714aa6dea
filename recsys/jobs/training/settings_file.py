"""Writing a settings file: what `tomllib` reads back as the same values."""

import json
import re
from collections.abc import Mapping
from typing import Any

from recsys.errors import ConfigError

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def settings_toml(values: Mapping[str, Any], title: str) -> str:
    """A settings file of these values, sections as tables, with `title` as a comment on top.

    >>> print(settings_toml({"home": "here", "text": {"max_tokens": 8}}, "Mine."))
    # Mine.
    home = "here"
    <BLANKLINE>
    [text]
    max_tokens = 8
    <BLANKLINE>
    """
    lines = [f"# {line}" for line in title.splitlines()]
    lines += [f"{_key(name)} = {_value(value)}" for name, value in values.items() if not _section(value)]
    for name, section in values.items():
        if _section(section):
            lines += ["", f"[{_key(name)}]"]
            lines += [f"{_key(field)} = {_value(value)}" for field, value in section.items()]
    return "\n".join(lines) + "\n"


def _section(value: Any) -> bool:
    return isinstance(value, Mapping)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    """One value on one line; a table inside of a section is written inline."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_value(of)}" for name, of in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(of) for of in value)}]"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return repr(value)
    raise ConfigError(f"a settings file cannot hold {value!r} ({type(value).__name__}). Write it as text.")
