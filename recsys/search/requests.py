"""What is asked of search."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from recsys.errors import RequestError, did_you_mean
from recsys.filters import Filters

MAX_QUERY = 1000  # characters
MAX_ITEMS = 100  # the longest page
MAX_FACETS = 20
MAX_VALUES = 1000  # of one facet
MAX_RANGES = 50

RELEVANCE, CHEAPEST, DEAREST, NEWEST, POPULAR = "relevance", "price", "-price", "new", "popular"
SORTS = (RELEVANCE, CHEAPEST, DEAREST, NEWEST, POPULAR)

ATTRIBUTE = "attributes."  # before the name of an attribute, where a facet or a filter names one


@dataclass(frozen=True)
class FacetRequest:
    """One facet of the answer.

    Attributes:
        name: `category`, `brand`, `category_path`, `price` or `attributes.NAME`.
        count: values listed, at most; selected ones are listed beyond it.
        ranges: bounds [from, to) to count by, None = open; of prices and numeric attributes. Empty: about
            five ranges are chosen by what is there.
    """

    name: str
    count: int = 20
    ranges: tuple[tuple[float | None, float | None], ...] = ()


@dataclass(frozen=True)
class SearchRequest:
    """A page of items for what somebody typed.

    Attributes:
        query: as it was typed; without a word in it, all items that pass the filters are found.
        user_id: None for a visitor; an unknown user's page is not personalised.
        cursor: of the page before; None = the first page.
        personalisation: 0 = by the query alone, 1 = as far as goes; None: the service's setting.
        without: names of rewriters that are not to be used, see `recsys.search.understanding`.
        diversity: 0 = by score alone, of the first page; None: the service's setting.
        session_id: of a visitor, who has no user id.
        surface: where in the shop the page is shown.
    """

    request_id: str
    query: str = ""
    user_id: str | None = None
    filters: Filters = Filters()
    facets: tuple[FacetRequest, ...] = ()
    sort: str = RELEVANCE
    k: int = 20
    cursor: str | None = None
    personalisation: float | None = None
    without: frozenset[str] = frozenset()
    diversity: float | None = None
    session_id: str | None = None
    surface: str = "search"
    context: Mapping[str, str] = field(default_factory=dict)


def check_request(request: SearchRequest) -> None:
    """Raises RequestError where `request` asks for what cannot be."""
    if len(request.query) > MAX_QUERY:
        raise RequestError(
            f"query: it has {len(request.query)} characters; the most is {MAX_QUERY}. Shorten it."
        )
    if request.sort not in SORTS:
        near = did_you_mean(request.sort, SORTS)
        raise RequestError(f"sort: {request.sort!r} is not an order.{near} Use one of {', '.join(SORTS)}.")
