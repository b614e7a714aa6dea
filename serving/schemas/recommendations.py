"""What clients send and get: the request bodies that are checked, and the answers as OpenAPI shows them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from recsys.funnel.requests import MAX_ITEMS, Filters, RecommendRequest, SimilarRequest
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
    """A request body: unknown fields are refused, so that a typo does not pass in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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

    def filters(self) -> Filters:
        return Filters(
            tuple(self.categories),
            tuple(self.brands),
            self.price_min_micros,
            self.price_max_micros,
            self.attributes,
            self.include_unavailable,
        )


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

    def request(self, request_id: str, language: str) -> RecommendRequest:
        return RecommendRequest(
            request_id=request_id,
            user_id=self.user_id,
            k=self.k,
            context_item_id=self.context_item_id,
            context_category=self.context_category,
            filters=self.filters.filters(),
            exclude=tuple(self.exclude),
            allow_repeats=self.allow_repeats,
            diversity=self.diversity,
            language=self.language or language,
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

    def request(self, request_id: str, language: str) -> SimilarRequest:
        return SimilarRequest(
            request_id=request_id,
            item_id=self.item_id,
            k=self.k,
            filters=self.filters.filters(),
            exclude=tuple(self.exclude),
            language=self.language or language,
        )


# -- answers: the funnel's dataclasses are sent as they are; these describe them ----------------------


class ReasonAnswer(BaseModel):
    code: str
    text: str
    parameters: dict[str, str]


class SlateItemAnswer(BaseModel):
    position: int
    item_id: str
    title: str
    category: str | None
    price_micros: int | None
    score: float = Field(description="comparable within one slate only")
    p_click: float | None = Field(description="calibrated probability; null without ranker or features")
    source: str
    reason: ReasonAnswer


class ViewAnswer(BaseModel):
    oldest_at: datetime | None
    newest_at: datetime | None
    rows: int
    missing: int


class FeaturesAnswer(BaseModel):
    service: str
    freshness_seconds: float | None = Field(description="age of the oldest row used")
    views: dict[str, ViewAnswer]


class SlateAnswer(BaseModel):
    """An ordered slate and what it was made from."""

    request_id: str
    user_id: str | None
    bundle_id: str
    at: datetime
    items: list[SlateItemAnswer]
    candidates: int
    features: FeaturesAnswer
    cold_start: bool
    degraded: list[str] = Field(description="what was not as it should be; empty on a good day")


class ItemAnswer(BaseModel):
    """One item: the catalog's facts and the online store's."""

    item_id: str
    title: str
    category: str | None
    brand: str | None
    price_micros: int | None
    available: bool
    attributes: dict[str, Any]
    popularity: float
    features: dict[str, Any]
    bundle_id: str
    degraded: list[str]


class HistoryEntryAnswer(BaseModel):
    item_id: str
    title: str
    kind: str
    at: datetime


class HistoryAnswer(BaseModel):
    """A user's last actions, the latest first."""

    user_id: str
    entries: list[HistoryEntryAnswer]


class VerdictAnswer(BaseModel):
    """A row that was refused, or that was accepted under an id which the service made."""

    index: int = Field(description="place in the body, from 0")
    verdict: Literal["refused", "generated"]
    event_id: str | None
    message: str


class CollectedAnswer(BaseModel):
    """What became of a body of events; rows without a verdict were accepted as they were."""

    accepted: int
    refused: int
    token: str | None = Field(description="for /v1/recommend; null where nothing was accepted")
    verdicts: list[VerdictAnswer]


class HealthAnswer(BaseModel):
    status: Literal["ok"]
    bundle_id: str | None = None


class ErrorDetail(BaseModel):
    code: str
    message: str
    remedy: str | None = None
    request_id: str


class ErrorAnswer(BaseModel):
    """Every answer of 400 and above."""

    error: ErrorDetail
