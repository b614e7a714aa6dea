"""Files of a shop and tests of their rows: what the tables of every kind share in a mapping."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from recsys import columns
from recsys.settings_section import Section


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str | int | float) else value


def known_kind(name: str) -> str:
    """`name` if it is a kind of event.

    Raises:
        ValueError: it is not.
    """
    if name not in columns.KINDS:
        raise ValueError(f"{name!r} is not a kind of event; use one of: {', '.join(columns.KINDS)}")
    return name


def _one_character(text: str | None) -> str | None:
    if text and (len(text) > 1 or not text.isascii()):
        raise ValueError("must be one ASCII character, or empty for none")
    return text


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueError("is not an encoding; write for example 'latin-1' or 'utf-16'") from None
    return name


def as_column(value: Any) -> Any:
    """A bare text names a column."""
    return {"column": value} if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Values = Annotated[tuple[str | bool | int | float, ...], BeforeValidator(_listed)]
Kind = Annotated[str, Field(min_length=1)]


class Source(Section):
    """Files of one shape and how to read them."""

    files: Names = Field((), description="names or globs below the source folder; `.gz` may be left out")
    format: Literal["csv", "jsonl", "parquet"] | None = Field(
        None, description="by the file's name if absent"
    )
    delimiter: str | None = Field(None, min_length=1, description="`,`, or a tab for .tsv; may be long: `::`")
    header: bool = True
    names: tuple[str, ...] = Field((), description="column names in order, for files without a header")
    encoding: str = Field("utf-8", description="of text files; a byte order mark says more")
    quote: str | None = Field(None, description='`"`, or none for .tsv; empty: quotes mean nothing')
    cell_lines: int | None = Field(
        None, ge=1, description="lines that a quoted cell may span, unchecked; else 1000 that are not rows"
    )
    nulls: tuple[str, ...] = Field(("",), description="texts that mean nothing, such as `NULL`")
    optional: Names = Field((), description="columns that files may lack; else one that none has is an error")
    lists: dict[str, str] = Field({}, description="column -> separator, where a cell holds a list")
    records: str | None = Field(None, description="JSON: the key under which a document has its list of rows")

    _quote = field_validator("quote")(_one_character)
    _encoding = field_validator("encoding")(_known_encoding)

    @model_validator(mode="after")
    def _columns_are_named(self) -> "Source":
        if self.header is bool(self.names):
            wanted = "header = false needs `names`" if not self.header else "`names` needs header = false"
            raise ValueError(f"{wanted}, the column names from left to right")
        return self


class Time(Section):
    """When something happened.

    Without a clock, `unit = "order"`: `column` is a position, or absent for the order of the file.
    """

    column: str | None = None
    unit: Literal["iso", "s", "ms", "us", "ns", "order"] = "iso"
    format: str | None = Field(None, description="strptime pattern of a text, such as `%d/%m/%Y %H:%M`")
    zone: str = Field("UTC", description="of instants that do not name their own, such as `Europe/Paris`")

    @model_validator(mode="after")
    def _has_column(self) -> "Time":
        if self.column is None and self.unit != "order":
            raise ValueError('needs `column`; if the data has no clock, write unit = "order"')
        if self.format is not None and self.unit != "iso":
            raise ValueError("takes `format` or `unit`, not both")
        return self


class NumberForm(Section):
    """How the cells of a column write a number."""

    decimal: Literal[".", ","] | None = Field(
        None, description="the decimal mark; if absent a point, and a comma where nothing else is possible"
    )
    strip: str = Field("", description="characters to ignore, such as `$`, `EUR` or `Rs.`")


class Condition(Section):
    """A test of one column; all that are given must hold. A missing cell passes only `missing`.

    A number of `in` meets cells that are that number however they are written, true meets true in any case
    and 1, false meets false and 0. A text meets cells that are this text.
    """

    column: str
    is_in: Values | None = Field(None, alias="in")
    not_in: Values | None = None
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    missing: bool | None = None

    @model_validator(mode="after")
    def _tests_something(self) -> "Condition":
        if self.model_fields_set <= {"column"}:
            raise ValueError(
                "tests nothing; add one of: in, not_in, above, at_least, at_most, below, missing"
            )
        return self


class Reject(Section):
    """Rows where all of `when` hold go to the quarantine with this reason."""

    reason: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    when: tuple[Condition, ...] = Field(min_length=1)
