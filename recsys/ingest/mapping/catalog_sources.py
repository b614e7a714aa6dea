"""What a mapping says of the files of items and users."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from recsys import columns
from recsys.ingest.mapping.row_sources import RowSource
from recsys.ingest.mapping.sources import Condition, NumberForm, Reject, Source, Time, as_column
from recsys.ingest.mapping.template import Template
from recsys.settings_section import Section

VectorName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]


class Attribute(NumberForm):
    """An attribute of an item or a user: a text (a column or a template), a number, or a list."""

    column: Template | None = None
    type: Literal["text", "number", "list"] = "text"
    flags: tuple[str, ...] = Field((), description="a list of the names of those columns that say 1")

    @model_validator(mode="after")
    def _one_way(self) -> "Attribute":
        if (self.column is None) is not bool(self.flags):
            raise ValueError("takes either `column` or `flags`")
        if self.type != "number" and (self.decimal or self.strip):
            raise ValueError('takes `decimal` and `strip` only with type = "number"')
        return self


class Price(NumberForm):
    """An item's price: a column, or the median unit price of its latest purchases (`from = "events"`)."""

    column: str | None = None
    source: Literal["column", "events"] = Field("column", alias="from")
    scale: float = Field(1.0, gt=0)

    @model_validator(mode="after")
    def _one_way(self) -> "Price":
        if (self.column is None) is (self.source == "column"):
            raise ValueError('takes `column`, or from = "events"')
        return self


class CategoryPath(Section):
    """Where items stand in the shop: a column for each level, widest first, or one that has all levels."""

    column: Template | None = None
    separator: str | None = Field(
        None, min_length=1, description="between the levels in `column`, such as `>`; a slash if absent"
    )
    columns: tuple[Template, ...] = Field((), description="the levels, the widest first")

    @model_validator(mode="after")
    def _one_way(self) -> "CategoryPath":
        if (self.column is None) is not bool(self.columns):
            raise ValueError("takes either `column` or `columns`")
        if self.columns and self.separator is not None:
            raise ValueError("takes `separator` only with `column`: each of `columns` is one level")
        return self


def as_levels(value: Any) -> Any:
    """A bare text names a column that has all levels, a bare list the columns of the levels."""
    return {"columns": value} if isinstance(value, list | tuple) else as_column(value)


class Long(Section):
    """A long table: one property of an item a row. The latest value counts, by `time` or file order."""

    name: str = Field(description="column with the property's name; names become columns")
    value: str
    time: Annotated[Time | None, BeforeValidator(as_column)] = None

    @field_validator("time")
    @classmethod
    def _a_clock(cls, time: Time | None) -> Time | None:
        if time is not None and time.unit == "order":
            raise ValueError("names a column whose numbers count up as it is; leave `unit` out")
        return time


Rows = Literal["merge", "last", "first"]
_ROWS = "of several rows with one id: the last value of each column that is not blank, or one row whole"
Attributes = dict[str, Annotated[Attribute, BeforeValidator(as_column)]]


class VectorSource(Source):
    """A ready vector: a column of the items' files or, with `files`, of files of its own joined by `id`."""

    column: str
    id: str = columns.ITEM_ID

    @model_validator(mode="after")
    def _joins_files(self) -> "VectorSource":
        if not self.files and self.model_fields_set - {"column"}:
            raise ValueError("names no `files`; write the column alone, or add `files`")
        return self


class ItemSource(RowSource):
    """The catalog: one item a row, or one property a row (`long`). Without `files`, what events name."""

    id: str = columns.ITEM_ID
    title: Template | None = None
    text: Template | None = Field(None, description="what the text encoder reads; the title if absent")
    category: Template | None = None
    brand: Template | None = None
    product_id: str | None = Field(None, description="column that the variants of one product share")
    category_path: Annotated[CategoryPath | None, BeforeValidator(as_levels)] = None
    first_at: Annotated[Time | None, BeforeValidator(as_column)] = Field(
        None, description="when the item entered the shop"
    )
    price: Annotated[Price | None, BeforeValidator(as_column)] = None
    unavailable: tuple[Condition, ...] = Field((), description="items that meet any of these are not offered")
    attributes: Attributes = Field({})
    vectors: dict[VectorName, Annotated[VectorSource, BeforeValidator(as_column)]] = Field(
        {}, description="name -> column with a ready vector in each cell"
    )
    long: Long | None = None
    reject: tuple[Reject, ...] = ()
    rows: Rows = Field("merge", description=_ROWS)
    unknown: Literal["keep", "quarantine"] = Field(
        "keep", description="events of items without a row: the id is the title, or the event is rejected"
    )
    without_events: Literal["keep", "quarantine"] = "keep"

    @field_validator("first_at")
    @classmethod
    def _an_instant(cls, time: Time | None) -> Time | None:
        if time is not None and time.unit == "order":
            raise ValueError("is an instant; name a column with times, or leave it out")
        return time

    @model_validator(mode="after")
    def _files_or_nothing(self) -> "ItemSource":
        named = (self.title, self.text, self.attributes, self.vectors, self.category)
        if not self.files and any((*named, self.product_id, self.category_path, self.first_at)):
            raise ValueError("has columns but no `files`")
        if not self.files and self.unknown == "quarantine":
            raise ValueError('unknown = "quarantine" would reject every event: there are no `files`')
        return self


class UserSource(RowSource):
    """What is known of users: one a row."""

    id: str = columns.USER_ID
    attributes: Attributes = Field({})
    rows: Rows = Field("merge", description=_ROWS)

    @model_validator(mode="after")
    def _names_files(self) -> "UserSource":
        if not self.files:
            raise ValueError("needs `files`")
        return self
