"""What clients send: the request bodies, checked."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from recsys.funnel.requests import MAX_ITEMS
from recsys.streaming.tokens import TOKEN_PATTERN

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Language = Literal["en", "zh"]
Micros = Annotated[int, Field(ge=0, le=10**15, description="millionths of the currency unit")]
Count = Annotated[int, Field(ge=1, le=MAX_ITEMS, description="how many items")]
MAX_EXCLUDED = 1000
MAX_VALUES = 100
MAX_TOKEN = 32_768  # characters: a body of events for each of 1,024 partitions and the catalog's


class Body(BaseModel):
    """A request body: unknown fields and values of another type are refused: no typo passes in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FiltersBody(Body):
    """What an item must be to be shown."""

    categories: Annotated[list[Name], Field(max_length=MAX_VALUES, description="one of these")] = []
    brands: Annotated[list[Name], Field(max_length=MAX_VALUES, description="one of these")] = []
    price_min_micros: Micros | None = None
    price_max_micros: Micros | None = None
    attributes: Annotated[
        dict[Name, str | float], Field(max_length=20, description="attribute name -> value that the item has")
    ] = {}
    include_unavailable: bool = False


class RecommendBody(Body):
    """A slate for one user at one place of the shop."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"user_id": "household-1", "k": 10},
                {"user_id": "household-1", "k": 5, "filters": {"price_max_micros": 5_000_000}},
                {"user_id": "household-1", "token": "3:1889041423237021696"},
            ]
        },
    )

    user_id: Identifier | None = Field(None, description="none or unknown: context and popularity answer")
    k: Count = 10
    context_item_id: Identifier | None = Field(None, description="what the user looks at")
    context_category: Name | None = Field(None, description="where in the shop the user is")
    filters: FiltersBody = FiltersBody()
    exclude: list[Identifier] = Field([], max_length=MAX_EXCLUDED, description="items never to show")
    allow_repeats: bool | None = Field(None, description="default: as the shop's data says")
    diversity: float | None = Field(
        None, ge=0, le=1, description="0 = by score alone; default: the service's"
    )
    language: Language | None = Field(None, description="of the reasons; default: Accept-Language, else en")
    token: str | None = Field(
        None,
        max_length=MAX_TOKEN,
        pattern=TOKEN_PATTERN,
        description="of POST /v1/events: the answer waits a bounded time until those events are visible",
    )


class SimilarBody(Body):
    """Items that could stand in for one."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"item_id": "item-1", "k": 10}]}
    )

    item_id: Identifier
    k: Count = 10
    filters: FiltersBody = FiltersBody()
    exclude: list[Identifier] = Field([], max_length=MAX_EXCLUDED)
    language: Language | None = None
