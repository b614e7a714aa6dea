"""What a mapping file may say: how the files of a shop become canonical events, items and users.

`docs/mapping.md` is the same for people, `recsys/mappings/template.toml` the same as an example.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from recsys import columns
from recsys.config import Section
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.ingest.mapping.template import Template

DEFAULT_WEIGHTS = {
    columns.SEARCH: 0.0,
    columns.IMPRESSION: 0.0,
    columns.VIEW: 0.3,
    columns.CLICK: 0.3,
    columns.CART: 0.6,
    columns.PURCHASE: 1.0,
    columns.CANCEL: 0.0,
    columns.LIKE: 1.0,
}


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str | int | float) else value


def _kind(name: str) -> str:
    if name not in columns.KINDS:
        raise ValueError(f"{name!r} is not a kind of event; use one of: {', '.join(columns.KINDS)}")
    return name


def _one_character(text: str) -> str:
    if len(text) > 1:
        raise ValueError("must be one character, or empty for none")
    return text


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Texts = Annotated[tuple[str | int | float, ...], BeforeValidator(_listed)]
Kind = Annotated[str, Field(min_length=1)]
VectorName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]


class Source(Section):
    """Files of one shape and how to read them."""

    files: Names = Field((), description="names or globs below the source folder; `.gz` may be left out")
    format: Literal["csv", "jsonl", "parquet"] | None = Field(
        None, description="by the file's name if absent"
    )
    delimiter: str | None = Field(None, min_length=1, description="`,`, or a tab for .tsv; may be long: `::`")
    header: bool = True
    names: tuple[str, ...] = Field((), description="column names in order, for files without a header")
    encoding: str = "utf-8"
    quote: str = '"'
    nulls: tuple[str, ...] = Field(("",), description="texts that mean nothing, such as `NULL`")
    lists: dict[str, str] = Field({}, description="column -> separator, where a cell holds a list")

    _quote = field_validator("quote")(_one_character)

    @model_validator(mode="after")
    def _columns_are_named(self) -> "Source":
        if self.header is bool(self.names):
            wanted = "header = false needs `names`" if not self.header else "`names` needs header = false"
            raise ValueError(f"{wanted}, the column names from left to right")
        return self


class Condition(Section):
    """A test of one column; all that are given must hold. A missing cell passes only `missing`."""

    column: str
    is_in: Texts | None = Field(None, alias="in")
    not_in: Texts | None = None
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


class KindCase(Condition):
    """A condition and the kind of the rows that meet it."""

    kind: Kind

    _known = field_validator("kind")(_kind)


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


class Time(Section):
    """When an event happened.

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


class Value(Section):
    """Money of a line: `column` times `scale` is in currency units, for the whole line or per unit."""

    column: str
    per: Literal["line", "unit"] = "line"
    scale: float = Field(1.0, gt=0, description="0.01 where the column counts cents")


class Quantity(Section):
    """How many: `most` is the largest credible count. What is above is a measure and counts as one."""

    column: str
    most: int | None = Field(None, ge=1)
    absolute: bool = Field(False, description="drop the sign, where a negative count marks a return")


def _as_kind(value: Any) -> Any:
    return {"is": value} if isinstance(value, str) else value


def _as_column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class EventSource(Source):
    """Files with one event a row."""

    user: str
    item: str | None = None
    kind: Annotated[KindRule, BeforeValidator(_as_kind)]
    time: Annotated[Time, BeforeValidator(_as_column)]
    event_id: str | None = None
    session: str | None = Field(None, description="column of the session or basket")
    query: str | None = None
    request: str | None = None
    position: str | None = Field(None, description="column of the place in the list shown, from 1")
    value: Annotated[Value | None, BeforeValidator(_as_column)] = None
    quantity: Annotated[Quantity | None, BeforeValidator(_as_column)] = None
    weight: str | None = Field(None, description="column of the weight, instead of [weights]")
    reject: tuple[Reject, ...] = ()

    @model_validator(mode="after")
    def _names_files(self) -> "EventSource":
        if not self.files:
            raise ValueError("needs `files`")
        return self


class Attribute(Section):
    """An attribute of an item or a user: a text (a column or a template), a number, or a list."""

    column: Template | None = None
    type: Literal["text", "number", "list"] = "text"
    flags: tuple[str, ...] = Field((), description="a list of the names of those columns that say 1")

    @model_validator(mode="after")
    def _one_way(self) -> "Attribute":
        if (self.column is None) is not bool(self.flags):
            raise ValueError("takes either `column` or `flags`")
        return self


class Price(Section):
    """An item's price: a column, or the median unit price of its latest purchases (`from = "events"`)."""

    column: str | None = None
    source: Literal["column", "events"] = Field("column", alias="from")
    scale: float = Field(1.0, gt=0)
    strip: str = Field("", description="characters to ignore, such as `$,`")

    @model_validator(mode="after")
    def _one_way(self) -> "Price":
        if (self.column is None) is (self.source == "column"):
            raise ValueError('takes `column`, or from = "events"')
        return self


class Long(Section):
    """A long table: one property of an item a row. The latest value counts, by `time` or file order."""

    name: str = Field(description="column with the property's name; names become columns")
    value: str
    time: str | None = None


Attributes = dict[str, Annotated[Attribute, BeforeValidator(_as_column)]]


class VectorSource(Source):
    """A ready vector: a column of the items' files or, with `files`, of files of its own joined by `id`."""

    column: str
    id: str = columns.ITEM_ID

    @model_validator(mode="after")
    def _joins_files(self) -> "VectorSource":
        if not self.files and self.model_fields_set - {"column"}:
            raise ValueError("names no `files`; write the column alone, or add `files`")
        return self


class ItemSource(Source):
    """The catalog: one item a row, or one property a row (`long`). Without `files`, what events name."""

    id: str = columns.ITEM_ID
    title: Template | None = None
    text: Template | None = Field(None, description="what the text encoder reads; the title if absent")
    category: Template | None = None
    brand: Template | None = None
    price: Annotated[Price | None, BeforeValidator(_as_column)] = None
    unavailable: tuple[Condition, ...] = Field((), description="items that meet any of these are not offered")
    attributes: Attributes = Field({})
    vectors: dict[VectorName, Annotated[VectorSource, BeforeValidator(_as_column)]] = Field(
        {}, description="name -> column with a ready vector in each cell"
    )
    long: Long | None = None
    reject: tuple[Reject, ...] = ()
    unknown: Literal["keep", "quarantine"] = Field(
        "keep", description="events of items without a row: the id is the title, or the event is rejected"
    )
    without_events: Literal["keep", "quarantine"] = "keep"

    @model_validator(mode="after")
    def _files_or_nothing(self) -> "ItemSource":
        if not self.files and (self.title or self.text or self.attributes or self.vectors or self.category):
            raise ValueError("has columns but no `files`")
        if not self.files and self.unknown == "quarantine":
            raise ValueError('unknown = "quarantine" would reject every event: there are no `files`')
        return self


class UserSource(Source):
    """What is known of users: one a row."""

    id: str = columns.USER_ID
    attributes: Attributes = Field({})

    @model_validator(mode="after")
    def _names_files(self) -> "UserSource":
        if not self.files:
            raise ValueError("needs `files`")
        return self


class Clock(Section):
    """What to do with the time axis of the whole shop."""

    shift: Literal["none", "weeks-to-now"] = Field(
        "none", description="weeks-to-now: move a historic log by whole weeks, so that it ends this week"
    )


class ShopMapping(Section):
    """A whole mapping file."""

    name: str = Field(min_length=1)
    description: str = ""
    currency: str | None = None
    repeats: bool = Field(description="whether buying or viewing the same item again is normal")
    label_kinds: Annotated[tuple[str, ...], Field(min_length=1)]
    events: tuple[EventSource, ...] = Field(min_length=1)
    items: ItemSource = Field(default_factory=lambda: ItemSource())
    users: UserSource | None = None
    weights: dict[str, float] = Field({})
    time: Clock = Clock()
    cleaning: CleaningRules = CleaningRules()

    @field_validator("label_kinds")
    @classmethod
    def _known_labels(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_kind(kind) for kind in kinds)

    @field_validator("weights")
    @classmethod
    def _known_weights(cls, weights: dict[str, float]) -> dict[str, float]:
        for kind, weight in weights.items():
            _kind(kind)
            if not 0 <= weight <= 1000:
                raise ValueError(f"the weight of {kind!r} must be from 0 to 1000 (got {weight})")
        return weights

    @model_validator(mode="after")
    def _one_clock(self) -> "ShopMapping":
        if len({source.time.unit == "order" for source in self.events}) > 1:
            raise ValueError('either all [[events]] have a clock or all have unit = "order"')
        return self

    @property
    def clock(self) -> Literal["time", "order"]:
        """`order` where the files only say what came after what."""
        return "order" if self.events[0].time.unit == "order" else "time"

    @property
    def kind_weights(self) -> dict[str, float]:
        """The weight of every kind, defaults included."""
        return {**DEFAULT_WEIGHTS, **self.weights}
