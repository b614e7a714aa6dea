"""Texts made of columns: `{title}. {category|title}`; what is missing is left out with its punctuation."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BeforeValidator

from recsys.arrays import BoolArray, Column
from recsys.ingest.mapping.markup import plain_text
from recsys.ingest.raw.cells import LIST_MARK, as_text

_FIELD = re.compile(r"\{([^{}|\[\]]+)(?:\[(-?\d+)\])?(?:\|(title|lower|upper|plain))?\}")
_OPENING = re.compile(r"[(\[{\"'«“]+$")
_CLOSING = re.compile(r"^[)\]}\"'»”]+")


@dataclass(frozen=True)
class Part:
    """A column and the literal text around it, which appears only if the column does.

    Attributes:
        before: shown only if something stands before it already.
        opening, after: brackets and quotes around it, shown with it.
        place: of a list, the element to take (-1 = last); None joins all with a comma.
        form: how to write it: `title`, `lower`, `upper`, or `plain` for HTML without its tags.
    """

    before: str
    opening: str
    column: str
    place: int | None
    form: str | None
    after: str


@dataclass(frozen=True)
class ColumnTemplate:
    """A parsed template.

    >>> template = parse_template("{title} ({year}). {kind|lower}")
    >>> template.columns
    ('title', 'year', 'kind')
    >>> template.render(pa.table({"title": ["Heat"], "year": [None], "kind": ["CRIME"]})).to_pylist()
    ['Heat. crime']
    """

    source: str
    opening: str
    parts: tuple[Part, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads."""
        return tuple(part.column for part in self.parts)

    def render(self, table: pa.Table) -> Column:
        """One text a row of `table`; null where every column is missing."""
        cells = [_cell(table[part.column], part) for part in self.parts]
        begun = np.zeros(len(table), bool)
        pieces: list[Any] = []
        for part, cell in zip(self.parts, cells, strict=True):
            present = cell.is_valid()
            shown = present.to_numpy(zero_copy_only=False)
            if part.before:
                pieces.append(_where(begun & shown, part.before))
            if part.opening:
                pieces.append(_where(shown, part.opening))
            pieces.append(cell.fill_null(""))
            if part.after:
                pieces.append(_where(shown, part.after))
            begun |= shown
        if self.opening:
            pieces.insert(0, _where(begun, self.opening))
        text = pieces[0] if len(pieces) == 1 else pc.binary_join_element_wise(*pieces, "")
        return pc.if_else(pa.array(begun), text, pa.scalar(None, pa.string()))


def parse_template(text: str) -> ColumnTemplate:
    """The template that `text` says; a text without braces is the name of one column.

    The literal text between two columns belongs to the second one, except closing brackets and
    quotes, which belong to the first. Opening ones are shown even if nothing stands before.

    Raises:
        ValueError: a brace is not closed, or a field has another form than `{column[1]|title}`.
    """
    if "{" not in text and "}" not in text:
        return ColumnTemplate(text, "", (Part("", "", text, None, None, ""),))
    found = list(_FIELD.finditer(text))
    literals = [*_FIELD.split(text)[::4]]
    if not found or any("{" in literal or "}" in literal for literal in literals):
        raise ValueError(
            f"{text!r} is not a template; write columns as {{name}}, {{name|title}} or {{name[0]}}, "
            "with every brace closed"
        )
    parts = []
    before = ""
    for field, literal, last in zip(found, literals[1:], [*[False] * (len(found) - 1), True], strict=True):
        closing = _CLOSING.match(literal)
        after = literal if last else (closing.group() if closing else "")
        opening = _OPENING.search(before)
        opened = opening.group() if opening else ""
        place = None if field.group(2) is None else int(field.group(2))
        separator = before.removesuffix(opened)
        parts.append(Part(separator, opened, field.group(1).strip(), place, field.group(3), after))
        before = literal[len(after) :]
    return ColumnTemplate(text, literals[0], tuple(parts))


def _parsed(value: Any) -> Any:
    return parse_template(value) if isinstance(value, str) else value


Template = Annotated[ColumnTemplate, BeforeValidator(_parsed)]


def _where(shown: BoolArray, literal: str) -> Column:
    return pc.if_else(pa.array(shown), literal, "")


def _cell(column: Column, part: Part) -> Column:
    """The text of one column, its distinct values worked on once."""
    encoded = as_text(column).dictionary_encode()
    values = [_shown(value, part) for value in encoded.dictionary.to_pylist()]
    return pc.take(pa.array(values, pa.string()), encoded.indices)


def _shown(value: str, part: Part) -> str | None:
    if LIST_MARK in value:
        elements = [trimmed for element in value.split(LIST_MARK) if (trimmed := element.strip())]
        if part.place is None:
            value = ", ".join(elements)
        else:
            inside = -len(elements) <= part.place < len(elements)
            value = elements[part.place] if inside else ""
    elif part.place not in (None, 0, -1):
        return None
    return (_FORMS[part.form](value) if part.form else value) or None


def title_case(text: str) -> str:
    """`text` with words capitalised.

    >>> title_case("CHILDREN'S FRZN ICE - CRUSHED/CUBED")
    "Children's Frzn Ice - Crushed/Cubed"
    """
    return re.sub(r"[^\W\d_]+(?:['’][^\W\d_]+)*", lambda word: word.group().capitalize(), text)


_FORMS: dict[str, Callable[[str], str]] = {
    "title": title_case,
    "lower": str.lower,
    "upper": str.upper,
    "plain": plain_text,
}
