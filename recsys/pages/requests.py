"""What is asked for: ads alone, or a whole page."""

from dataclasses import dataclass, field
from datetime import datetime

from recsys.ads.campaigns.targets import Surface
from recsys.ads.selection.prediction import AdContext
from recsys.errors import RequestError
from recsys.experiments.assignment import assignment_unit, request_unit
from recsys.filters import Filters

MOST_SLOTS = 4  # of an answer with ads alone
MOST_ITEMS = 50  # of a page


@dataclass(frozen=True)
class Place:
    """Where in the shop, and who looks.

    Attributes:
        surface: None = by what is given: a query is of search, an item of its page, a category of its page.
        query, category, item_id: what the place is about; at most one of them.

    Raises:
        RequestError: several of them are given, or the surface needs another one.
    """

    surface: Surface | None = None
    user_id: str | None = None
    session_id: str | None = None
    query: str | None = None
    category: str | None = None
    item_id: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("query", "category", "item_id") if getattr(self, name) is not None]
        if len(given) > 1:
            raise RequestError(f"{' and '.join(given)} are given. A place is about one of them: send one.")
        needed = {"search": "query", "category": "category", "product": "item_id"}.get(self.surface or "")
        if needed is not None and given != [needed]:
            raise RequestError(f"surface {self.surface!r} needs {needed}. Send it, or another surface.")
        if self.surface == "home" and given:
            raise RequestError(f"surface 'home' takes no {given[0]}. Leave it out, or send another surface.")

    @property
    def place(self) -> Surface:
        """The surface, also where none was named."""
        if self.surface is not None:
            return self.surface
        if self.query is not None:
            return "search"
        return "product" if self.item_id is not None else "home" if self.category is None else "category"

    def context(self, request_id: str, now: datetime) -> AdContext:
        """Whom ads are chosen for.

        Where nobody is known the unit is the request's own: it is never held out, and nothing is capped.
        """
        is_known = self.user_id is not None or self.session_id is not None
        unit = assignment_unit(self.user_id, self.session_id) if is_known else request_unit(request_id)
        return AdContext(
            self.place, unit, now, self.user_id, self.session_id, self.query, self.category, self.item_id
        )


@dataclass(frozen=True)
class AdsRequest:
    """Ads alone, for a page that the client makes.

    Attributes:
        slots: from 1 to MOST_SLOTS, best first; the client shows them in this order.
        page_token: of the answer before, of one visit; None = a first page.
        explain: whether who won, at which price and why is told.
    """

    request_id: str
    place: Place
    slots: int = 1
    page_token: str | None = None
    explain: bool = False


@dataclass(frozen=True)
class PageRequest:
    """A whole page.

    Attributes:
        k: positions, from 1 to MOST_ITEMS.
        filters: what organic items must be.
        page_token: of the page before; None = the first page of a visit.
    """

    request_id: str
    place: Place
    k: int = 20
    filters: Filters = field(default_factory=Filters)
    page_token: str | None = None
    language: str = "en"
