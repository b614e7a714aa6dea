"""What a mapping says of files with one event a row."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from recsys import columns
from recsys.ingest.mapping.row_sources import RowSource
from recsys.ingest.mapping.sources import Condition, Kind, NumberForm, Reject, Time, as_column, known_kind
from recsys.settings_section import Section


class KindCase(Condition):
    """A condition and the kind of the rows that meet it."""

    kind: Kind

    _known = field_validator("kind")(known_kind)


class KindRule(Section):
    """The kind of each event: fixed (`is`), looked up (`column` and `values`) or by `cases` in order."""

    fixed: Kind | None = Field(None, alias="is")
    column: str | None = None
    values: dict[str, Kind] = Field({})
    cases: tuple[KindCase, ...] = ()
    otherwise: Kind | None = Field(None, description="where no value or case fits; else the row is rejected")

    @model_validator(mode="after")
    def _one_way(self) -> "KindRule":
        if sum((self.fixed is not None, self.column is not None, bool(self.cases))) != 1:
            raise ValueError("takes exactly one of: is, column (with values), cases")
        for name in (self.fixed, self.otherwise, *self.values.values()):
            if name is not None and name not in columns.KINDS:
                raise ValueError(f"kind {name!r} is unknown; use one of: {', '.join(columns.KINDS)}")
        return self


class Value(NumberForm):
    """Money of a line: `column` times `scale` is in currency units, for the whole line or per unit."""

    column: str
    per: Literal["line", "unit"] = "line"
    scale: float = Field(1.0, gt=0, description="0.01 where the column counts cents")


class Position(Section):
    """A place in the list shown, or a page; `from` is the number of the first one."""

    column: str
    first: Literal[0, 1] = Field(1, alias="from")


class Quantity(NumberForm):
    """How many: `most` is the largest credible count. What is above is a measure and counts as one."""

    column: str
    most: int | None = Field(None, ge=1)
    absolute: bool = Field(False, description="drop the sign, where a negative count marks a return")


def _as_kind(value: Any) -> Any:
    return {"is": value} if isinstance(value, str) else value


class EventSource(RowSource):
    """Files with one event a row."""

    user: str
    item: str | None = None
    kind: Annotated[KindRule, BeforeValidator(_as_kind)]
    time: Annotated[Time, BeforeValidator(as_column)]
    event_id: str | None = None
    event_id_prefix: str | None = Field(
        None, description='kept before each id; "" where ids are unique in the whole shop'
    )
    session: str | None = Field(None, description="column of the session or basket")
    query: str | None = None
    request: str | None = None
    query_id: str | None = Field(None, description="column of the search with all of its pages")
    results: str | None = Field(None, description="column of how many items a search found in all")
    filters: str | None = Field(None, description="column of a search's filters, a JSON object as text")
    surface: str | None = Field(None, description="column of the place of the shop")
    page: Annotated[Position | None, BeforeValidator(as_column)] = Field(
        None, description="the page of a search's results, from 1"
    )
    visible_ms: str | None = Field(None, description="column of milliseconds that an item was in sight")
    viewable: str | None = Field(None, description="column of true and false: whether it was really seen")
    token: str | None = Field(None, description="column of the token of a sponsored item")
    position: Annotated[Position | None, BeforeValidator(as_column)] = Field(
        None, description="the place in the list shown, from 1"
    )
    value: Annotated[Value | None, BeforeValidator(as_column)] = None
    quantity: Annotated[Quantity | None, BeforeValidator(as_column)] = None
    weight: str | None = Field(None, description="column of the weight, instead of [weights]")
    reject: tuple[Reject, ...] = ()

    @model_validator(mode="after")
    def _names_files(self) -> "EventSource":
        if not self.files:
            raise ValueError("needs `files`")
        if self.event_id_prefix is not None and self.event_id is None:
            raise ValueError("`event_id_prefix` needs `event_id`, the column of the ids")
        return self
