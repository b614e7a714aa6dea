"""The lines of a mapping file that is written for a person: each with the reason why it says so."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_REASON_AT, _WIDTH = 34, 110  # columns; where a line would be longer its reason stands above it


@dataclass(frozen=True)
class Line:
    """`key = value  # why`; commented out where `known` is false, for a person to fill in."""

    key: str
    value: Any
    why: str
    known: bool = True


@dataclass(frozen=True)
class Block:
    """A table of TOML with what a person should know of it.

    Attributes:
        header: such as `[[events]]`; empty for the keys of the top level.
        notes: whole lines of comment above it.
        known: otherwise all of it is commented out.
    """

    header: str
    notes: Sequence[str]
    lines: Sequence[Line]
    known: bool = True


def mapping_toml(blocks: Sequence[Block]) -> str:
    """The blocks as a TOML file."""
    return "\n".join(_block(block) for block in blocks)


def toml_value(value: Any) -> str:
    """A value as TOML writes it on one line.

    >>> toml_value({"column": "ts", "unit": "ms"}), toml_value({"加购": "cart"}), toml_value(["a", 1, True])
    ('{ column = "ts", unit = "ms" }', '{ "加购" = "cart" }', '["a", 1, true]')
    """
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{toml_key(key)} = {toml_value(each)}" for key, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def toml_key(name: str) -> str:
    """A key as TOML writes it: bare where it can be."""
    return name if _BARE.fullmatch(name) else toml_value(name)


def _block(block: Block) -> str:
    lines = [f"# {_comment(note)}" for note in block.notes]
    mark = "" if block.known else "# "
    if block.header:
        lines.append(mark + block.header)
    for line in block.lines:
        text = f"{toml_key(line.key)} = {toml_value(line.value)}"
        text = text if line.known else f"# {text}"
        why = _comment(line.why)
        if not why:
            lines.append(mark + text)
        elif len(beside := f"{mark}{text:<{_REASON_AT}}  # {why}") <= _WIDTH:
            lines.append(beside)
        else:
            lines += [f"# {why}", mark + text]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    """`text` on one line: it quotes cells and names of files, whose line breaks must not end the comment."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
