"""The requests that the funnel answers, and how much effort goes into an answer."""

from dataclasses import dataclass
from enum import IntEnum

from recsys.filters import Filters

MAX_ITEMS = 100  # the longest slate
MAX_BATCH = 100  # requests that are answered together
LANGUAGES = ("en", "zh")
FEWER = 5  # with fewer candidates there is one where there were five
# What `degraded` says of an answer with less than full effort, one code a rung.
EFFORT_DEGRADATIONS = ("fewer_candidates", "no_second_stage", "popularity_only")


class Effort(IntEnum):
    """What goes into an answer when more is asked than can be done: each rung leaves out more.

    FULL: everything. FEWER_CANDIDATES: a fifth of the candidates is ranked. NO_SECOND_STAGE: the first
    stage's order stands, without the ranker and the items' online features; price and stock are the
    catalog's. POPULARITY: nothing is read of the user either; what is in memory answers.
    """

    FULL = 0
    FEWER_CANDIDATES = 1
    NO_SECOND_STAGE = 2
    POPULARITY = 3

    @property
    def codes(self) -> tuple[str, ...]:
        """What `degraded` says of it; nothing for FULL."""
        return EFFORT_DEGRADATIONS[self - 1 : self]

    def share_of(self, count: int) -> int:
        """How many of `count` candidates are looked at.

        >>> Effort.FULL.share_of(500), Effort.FEWER_CANDIDATES.share_of(500)
        (500, 100)
        """
        return count if self is Effort.FULL else max(count // FEWER, 1)


@dataclass(frozen=True)
class RecommendRequest:
    """Ten items, or `k`, for one user at one place of the shop.

    Attributes:
        user_id: None for a visitor without an account; unknown users are answered likewise.
        context_item_id: what the user looks at: what goes with it comes first.
        context_category: where the user looks: its items come first.
        exclude: item ids never to show; ids that the catalog lacks are ignored.
        allow_repeats: whether items of the user's own history may be shown; None: as the shop does.
        diversity: 0 = by score alone, 1 = as different as possible; None: the service's setting.
        language: of the reasons, see LANGUAGES.
        rules: whether the shop's rules count; a preview asks without them.
    """

    request_id: str
    user_id: str | None = None
    k: int = 10
    context_item_id: str | None = None
    context_category: str | None = None
    filters: Filters = Filters()
    exclude: tuple[str, ...] = ()
    allow_repeats: bool | None = None
    diversity: float | None = None
    language: str = "en"
    rules: bool = True


@dataclass(frozen=True)
class SimilarRequest:
    """`k` items that could stand in for one item, whoever asks."""

    request_id: str
    item_id: str
    k: int = 10
    filters: Filters = Filters()
    exclude: tuple[str, ...] = ()
    language: str = "en"
