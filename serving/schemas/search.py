"""What clients send to search: the body, checked, and the request that it becomes."""

from typing import Annotated, Literal

from pydantic import Field

from recsys.search.pages import MAX_CURSOR
from recsys.search.requests import (
    MAX_FACETS,
    MAX_ITEMS,
    MAX_QUERY,
    MAX_RANGES,
    MAX_VALUES,
    RELEVANCE,
    SORTS,
    FacetRequest,
    SearchRequest,
)
from recsys.streaming.tokens import TOKEN_PATTERN
from serving.schemas.recommendations import MAX_TOKEN, Body, FiltersBody, Identifier, Name

Range = Annotated[list[float | int | None], Field(min_length=2, max_length=2)]


class FacetBody(Body):
    """One facet of the answer."""

    field: Name = Field(description="category, brand, category_path, price or attributes.NAME")
    count: int = Field(20, ge=1, le=MAX_VALUES, description="values listed; selected ones always are")
    ranges: list[Range] = Field(
        [],
        max_length=MAX_RANGES,
        description="[from, to) to count a number by, null = open; prices in millionths of the currency "
        "unit; without them about five are chosen",
    )

    def to_facet(self) -> FacetRequest:
        """The request of search."""
        return FacetRequest(self.field, self.count, tuple((least, below) for least, below in self.ranges))


class SearchBody(Body):
    """A page of items for what somebody typed."""

    query: str = Field(
        "",
        max_length=MAX_QUERY,
        description='as it was typed; "a phrase" and -word are strict; empty: browse',
    )
    user_id: Identifier | None = Field(None, description="id of the shop's user; without one, a visitor")
    session_id: Identifier | None = Field(None, description="id of the session, of a visitor above all")
    filters: FiltersBody = Field(FiltersBody(), description="what an item must be to be found")
    facets: list[Name | FacetBody] = Field(
        [], max_length=MAX_FACETS, description="fields whose values are counted among what is found"
    )
    sort: Literal[SORTS] = Field(  # type: ignore[valid-type]  # the orders are listed there
        RELEVANCE, description="the order; `-price` is the dearest first"
    )
    k: int = Field(20, ge=1, le=MAX_ITEMS, description="how many products, at most")
    cursor: str | None = Field(
        None, max_length=MAX_CURSOR, description="of the page before; the rest of the body as it was then"
    )
    personalisation: float | None = Field(
        None, ge=0, le=1, description="0 = by the query alone, 1 = as far as goes; default: the service's"
    )
    without: list[Name] = Field(
        [], max_length=20, description="rewriters not to use, as `rewrites` of an answer names them"
    )
    diversity: float | None = Field(
        None, ge=0, le=1, description="of the first page, 0 = by score alone; default: the service's"
    )
    surface: Name = Field("search", description="where in the shop the page is shown; rules may ask for it")
    token: str | None = Field(
        None,
        max_length=MAX_TOKEN,
        pattern=TOKEN_PATTERN,
        description="of POST /v1/events: the answer waits a bounded time until those events are visible",
    )

    def to_request(self, request_id: str) -> SearchRequest:
        """The request of search."""
        return SearchRequest(
            request_id=request_id,
            query=self.query,
            user_id=self.user_id,
            filters=self.filters.to_filters(),
            facets=tuple(
                FacetRequest(facet) if isinstance(facet, str) else facet.to_facet() for facet in self.facets
            ),
            sort=self.sort,
            k=self.k,
            cursor=self.cursor,
            personalisation=self.personalisation,
            without=frozenset(self.without),
            diversity=self.diversity,
            session_id=self.session_id,
            surface=self.surface,
        )
