"""The requests that the funnel answers."""

from dataclasses import dataclass

from recsys.filters import Filters

MAX_ITEMS = 100  # the longest slate
MAX_BATCH = 100  # requests that are answered together
LANGUAGES = ("en", "zh")


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
