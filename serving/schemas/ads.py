"""Ads and pages over HTTP: the bodies, what the routes answer, and examples of the demo shop."""

from typing import Any, get_args

from pydantic import Field

from recsys.ads.campaigns.targets import Surface
from recsys.ads.tokens.page_token import MOST_CHARACTERS
from recsys.funnel.slate import DEGRADATIONS
from recsys.health.problems import PROBLEM_KINDS
from recsys.pages.answer import (
    ADS_DEGRADATIONS,
    AdsAnswer,
    PageAnswer,
    PageItem,
    SlotExplanation,
    SponsoredAd,
)
from recsys.pages.requests import MOST_ITEMS, MOST_SLOTS, AdsRequest, PageRequest, Place
from recsys.search.answer import SEARCH_DEGRADATIONS
from recsys.search.requests import MAX_QUERY
from serving.schemas import examples
from serving.schemas.answers import answer_model
from serving.schemas.examples import Examples
from serving.schemas.recommendations import Body, FiltersBody, Identifier, Language, Name

_SURFACE = "place of the shop; default: by what is given"
_USER = "id of the shop's user; without one, a visitor"
_SESSION = "id of the session, of a visitor above all: it bounds how often an ad is seen"
_TOKEN = "of the answer before, of one visit: what it showed is not advertised again"
_QUERY = "as it was typed"
_CATEGORY = "name or path of the category that is shown"
_ITEM = "id of the item that is shown"


class ContextBody(Body):
    """What the place is about: one of the three, or nothing."""

    query: str | None = Field(None, max_length=MAX_QUERY, description=_QUERY)
    category: Name | None = Field(None, description=_CATEGORY)
    item_id: Identifier | None = Field(None, description=_ITEM)


class AdsBody(Body):
    """Ads alone, for a page that the client makes."""

    user_id: Identifier | None = Field(None, description=_USER)
    session_id: Identifier | None = Field(None, description=_SESSION)
    surface: Surface | None = Field(None, description=_SURFACE)
    slots: int = Field(1, ge=1, le=MOST_SLOTS, description="how many ads, at most")
    context: ContextBody = Field(ContextBody(), description="what the place is about")
    page_token: str | None = Field(None, max_length=MOST_CHARACTERS, description=_TOKEN)
    explain: bool = Field(False, description="tell who won, at which price and why; for operators alone")

    def to_request(self, request_id: str) -> AdsRequest:
        """The request of the ads.

        Raises:
            RequestError: surface and context do not fit.
        """
        context = self.context
        place = Place(
            self.surface,
            self.user_id,
            self.session_id,
            context.query,
            context.category,
            context.item_id,
        )
        return AdsRequest(request_id, place, self.slots, self.page_token, self.explain)


class PageBody(Body):
    """A page of organic and sponsored items."""

    surface: Surface | None = Field(None, description=_SURFACE)
    user_id: Identifier | None = Field(None, description=_USER)
    session_id: Identifier | None = Field(None, description=_SESSION)
    query: str | None = Field(None, max_length=MAX_QUERY, description=_QUERY)
    category: Name | None = Field(None, description=_CATEGORY)
    item_id: Identifier | None = Field(None, description=_ITEM)
    filters: FiltersBody = Field(FiltersBody(), description="what an organic item must be to be shown")
    k: int = Field(20, ge=1, le=MOST_ITEMS, description="positions of the page, at most")
    page_token: str | None = Field(
        None, max_length=MOST_CHARACTERS, description="of the page before: this one goes on behind it"
    )
    language: Language | None = Field(None, description="of the shopper; default: Accept-Language, else en")

    def to_request(self, request_id: str, language: str) -> PageRequest:
        """The request of the page; `language` is that of the headers, for a body that names none.

        Raises:
            RequestError: surface and context do not fit, or a filter does not.
        """
        place = Place(self.surface, self.user_id, self.session_id, self.query, self.category, self.item_id)
        filters = self.filters.to_filters()
        return PageRequest(request_id, place, self.k, filters, self.page_token, self.language or language)


SlotExplanationAnswer = answer_model(
    "SlotExplanationAnswer",
    SlotExplanation,
    "How a slot was won.",
    {"pricing": ("cpc", "cpm", "cpa")},
)
SponsoredAdAnswer = answer_model("SponsoredAdAnswer", SponsoredAd, "One ad, to be labelled as sponsored.")
_SURFACES = get_args(Surface)
AdsAnswerModel = answer_model(
    "AdsAnswer",
    AdsAnswer,
    "Ads for a page that the client makes.",
    {"degraded": ADS_DEGRADATIONS, "surface": _SURFACES},
)
PageItemAnswer = answer_model("PageItemAnswer", PageItem, "One position of a page, organic or sponsored.")
PageAnswerModel = answer_model(
    "PageAnswer",
    PageAnswer,
    "A page of organic and sponsored items.",
    {
        "degraded": (
            *DEGRADATIONS,
            *(kind.code for kind in PROBLEM_KINDS if kind.degrades),
            *SEARCH_DEGRADATIONS,
            *ADS_DEGRADATIONS,
        ),
        "surface": _SURFACES,
    },
)


_AT = "2026-11-27T06:30:00.250000+00:00"
_PAGE_TOKEN = "a.WzEsInNob3AiXQ.AAAAAAAAAAA"
ADS: Examples = {
    "two ads for a search": {
        "value": {"user_id": examples.USER, "slots": 2, "context": {"query": "bananas"}}
    },
    "one ad on the page of an item": {"value": {"context": {"item_id": examples.BANANAS}}},
}
PAGE: Examples = {
    "a home page": {"value": {"surface": "home", "user_id": examples.USER, "k": 10}},
    "a search": {"value": {"query": "milk", "session_id": "s-17", "k": 10}},
}
_MILK = {
    "item_id": examples.MILK,
    "title": "Fluid Milk White Only 1 GA",
    "category": "FLUID MILK PRODUCTS",
    "brand": "National",
    "price_micros": 2_790_000,
}
_BANANAS = {
    "item_id": examples.BANANAS,
    "title": "Bananas 40 LB",
    "category": examples.FRUIT,
    "brand": "National",
    "price_micros": 980_000,
}
ADS_EXAMPLE: dict[str, Any] = {
    "request_id": "4f1d6a0c9b2e8735",
    "surface": "search",
    "at": _AT,
    "ads": [{"slot": 1, **_MILK, "sponsored": True, "token": "a.WzEsInNob3AiXQ.bWlsaw", "explanation": None}],
    "page_token": _PAGE_TOKEN,
    "degraded": [],
}
PAGE_EXAMPLE: dict[str, Any] = {
    "request_id": "4f1d6a0c9b2e8735",
    "surface": "home",
    "user_id": examples.USER,
    "bundle_id": "complete-journey-20261127-060000-1a2b",
    "at": _AT,
    "items": [
        {"position": 1, **_BANANAS, "sponsored": False, "token": None},
        {"position": 2, **_MILK, "sponsored": True, "token": "a.WzEsInNob3AiXQ.bWlsaw"},
    ],
    "total": None,
    "page_token": _PAGE_TOKEN,
    "degraded": [],
}
