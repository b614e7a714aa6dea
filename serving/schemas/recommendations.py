"""What clients send: the request bodies, checked, and the funnel's requests that they become."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, StringConstraints, WithJsonSchema

from recsys.filters import (
    MOST_CHARACTERS,
    MOST_CONDITIONS,
    MOST_DEPTH,
    MOST_IDS,
    MOST_PRICE,
    MOST_VALUES,
    Filters,
    filters_from_json,
)
from recsys.funnel.requests import MAX_BATCH, MAX_ITEMS, RecommendRequest, SimilarRequest
from recsys.streaming.tokens import TOKEN_PATTERN

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS)]
Language = Literal["en", "zh"]
Micros = Annotated[int, Field(ge=0, le=MOST_PRICE)]
Count = Annotated[int, Field(ge=1, le=MAX_ITEMS)]
MAX_EXCLUDED = 1000
MAX_TOKEN = 32_768  # characters: a body of events for each of 1,024 partitions and the catalog's

_COUNT = "how many items, at most"
_EXCLUDE = "ids of items never to show; ids that the catalog lacks are ignored"
_LANGUAGE = "of the reasons; default: the first of Accept-Language that reasons are written in, else en"


class Body(BaseModel):
    """A request body: unknown fields and values of another type are refused: no typo passes in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


_VALUE = {"anyOf": [{"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}, {"type": "number"}]}
_VALUES = {"type": "array", "items": _VALUE, "minItems": 1, "maxItems": MOST_VALUES}
_RANGE = {
    "type": "object",
    "properties": {
        "min": {"type": "number", "description": "least number"},
        "max": {"type": "number", "description": "largest number"},
    },
    "additionalProperties": False,
    "minProperties": 1,
}
_NOT = {
    "type": "object",
    "properties": {
        "not": {
            "anyOf": [_VALUE, _VALUES],
            "description": "items with this value, or one of these, do not pass",
        }
    },
    "required": ["not"],
    "additionalProperties": False,
}
# Checked by `filters_from_json`, whose messages tell more than those of a union.
Condition = Annotated[Any, WithJsonSchema({"anyOf": [_VALUE, _VALUES, _RANGE, _NOT]})]
Instant = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Names = Annotated[list[Name], Field(max_length=MOST_VALUES)]
Ids = Annotated[list[Name], Field(max_length=MOST_IDS)]


class FiltersBody(Body):
    """What an item must be to be shown; a field that is left out asks for nothing, all others must be met."""

    categories: Names = Field([], description="one of these categories")
    brands: Names = Field([], description="one of these brands")
    category_paths: Names = Field(
        [], description="one of these category paths, such as `Home/Kitchen`, or below one of them"
    )
    price_min_micros: Micros | None = Field(
        None, description="least price, in millionths of the currency unit; items without a price do not pass"
    )
    price_max_micros: Micros | None = Field(
        None,
        description="highest price, in millionths of the currency unit; items without a price do not pass",
    )
    first_at_min: Instant | None = Field(
        None, description="entered the shop then or later; items of which that is unknown do not pass"
    )
    first_at_max: Instant | None = Field(
        None, description="entered the shop then or earlier; items of which that is unknown do not pass"
    )
    item_ids: Ids = Field([], description="one of these items; ids that the catalog lacks are ignored")
    product_ids: Ids = Field(
        [], description="of one of these products, which variants share; an item without one is its own"
    )
    attributes: dict[Name, Condition] = Field(
        {},
        max_length=MOST_CONDITIONS,
        description="attribute name -> the value that the item has, or has among several; a list: one of "
        'these; `{"min": 40, "max": 44}`: a number from 40 to 44; `{"not": "red"}`: not this value, or none '
        "of a list. A name that no item has is an error",
    )
    include_unavailable: bool = Field(
        False, description="also items that cannot be bought now; of the outermost filters only"
    )
    any: list["FiltersBody"] = Field(
        [],
        max_length=MOST_VALUES,
        description=f"at least one of these filters is met; filters lie {MOST_DEPTH} deep at most and have "
        f"{MOST_CONDITIONS} conditions in all",
    )
    none_of: list["FiltersBody"] = Field(
        [], alias="not", max_length=MOST_VALUES, description="none of these filters is met"
    )

    def to_filters(self) -> Filters:
        """The funnel's filters.

        Raises:
            RequestError: a condition on an attribute or an instant does not fit, or there is too much.
        """
        return filters_from_json(self.model_dump(by_alias=True, exclude_unset=True))


class RecommendBody(Body):
    """A slate for one user at one place of the shop."""

    user_id: Identifier | None = Field(
        None,
        description="id of the shop's user; without a known one, context and popularity answer",
    )
    k: Count = Field(10, description=_COUNT)
    context_item_id: Identifier | None = Field(
        None, description="id of the item that the user looks at: what goes with it comes first"
    )
    context_category: Name | None = Field(
        None, description="category where the user is in the shop: its items come first"
    )
    filters: FiltersBody = Field(FiltersBody(), description="what an item must be to be shown")
    exclude: list[Identifier] = Field([], max_length=MAX_EXCLUDED, description=_EXCLUDE)
    allow_repeats: bool | None = Field(
        None,
        description="whether items of the user's own history may be shown; default: as the shop's data says",
    )
    diversity: float | None = Field(
        None,
        ge=0,
        le=1,
        description="0 = by score alone, 1 = as different as possible; default: the service's",
    )
    language: Language | None = Field(None, description=_LANGUAGE)
    token: str | None = Field(
        None,
        max_length=MAX_TOKEN,
        pattern=TOKEN_PATTERN,
        description="of POST /v1/events: the answer waits a bounded time until those events are visible",
    )

    def to_request(self, request_id: str, language: str) -> RecommendRequest:
        """The funnel's request; `language` is that of the headers, for a body that names none."""
        return RecommendRequest(
            request_id=request_id,
            user_id=self.user_id,
            k=self.k,
            context_item_id=self.context_item_id,
            context_category=self.context_category,
            filters=self.filters.to_filters(),
            exclude=tuple(self.exclude),
            allow_repeats=self.allow_repeats,
            diversity=self.diversity,
            language=self.language or language,
        )


class SimilarBody(Body):
    """Items that could stand in for one."""

    item_id: Identifier = Field(description="id of the item that others could stand in for")
    k: Count = Field(10, description=_COUNT)
    filters: FiltersBody = Field(FiltersBody(), description="what an item must be to be shown")
    exclude: list[Identifier] = Field([], max_length=MAX_EXCLUDED, description=_EXCLUDE)
    language: Language | None = Field(None, description=_LANGUAGE)

    def to_request(self, request_id: str, language: str) -> SimilarRequest:
        """The funnel's request; `language` is that of the headers, for a body that names none."""
        return SimilarRequest(
            request_id=request_id,
            item_id=self.item_id,
            k=self.k,
            filters=self.filters.to_filters(),
            exclude=tuple(self.exclude),
            language=self.language or language,
        )


class BatchBody(Body):
    """Bodies of /v1/recommend, to be answered together; each is checked by itself when its turn comes."""

    requests: list[SkipValidation[RecommendBody]] = Field(
        max_length=MAX_BATCH, description="bodies of POST /v1/recommend, each answered by itself"
    )
