"""What a mapping says of rows that do not stand ready in one file: lines inside a row, joined files."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from recsys.ingest.mapping.sources import Names, Source
from recsys.settings_section import Section

JoinName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]


class FillDown(Section):
    """Columns that only the first of several rows has: a blank cell takes the value of the row above.

    Only rows with the same `by` are one group, and they stand together in the file. Where `by` is among the
    `columns`, a row without it belongs to the row above.
    """

    by: str = Field(description="column that says which rows belong together, such as the order's number")
    columns: Names = Field(min_length=1)


class Join(Source):
    """Another file whose row with the same key adds its columns, as `name.column`.

    The file is held in memory, its mapped columns at least; rows of the source are streamed past it.
    """

    on: str = Field(description="column of the source's rows that holds the key")
    id: str | None = Field(None, description="the joined file's column with the key; as `on` if absent")
    how: Literal["inner", "left"] = Field(
        "inner", description="inner: rows without a match are rejected; left: their joined columns are empty"
    )
    most_mib: int = Field(4096, ge=1, description="memory that the joined columns may take")

    @model_validator(mode="after")
    def _names_files(self) -> "Join":
        if not self.files:
            raise ValueError("needs `files`")
        return self

    @property
    def key(self) -> str:
        """The joined file's column that holds the key."""
        return self.id or self.on


class RowSource(Source):
    """Files whose rows may have to be filled, taken apart and joined before the mapping reads them."""

    fill_down: FillDown | None = None
    lines: str | None = Field(None, description="column with a list; each element becomes a row")
    join: dict[JoinName, Join] = Field({}, description="name -> joined file; its columns are `name.column`")

    @model_validator(mode="after")
    def _names_differ(self) -> "RowSource":
        if self.lines is not None and self.lines.split(".")[0] in self.join:
            raise ValueError(
                f"`lines` and a join are both called {self.lines.split('.')[0]!r}; rename the join"
            )
        if (self.lines or self.join or self.fill_down) and not self.files:
            raise ValueError("has `lines`, `join` or `fill_down` but no `files`")
        return self
