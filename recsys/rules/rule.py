"""A merchandising rule: on which surfaces, under which conditions, what is to be done."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, get_args

from recsys.documents import JsonObject
from recsys.filters import Filters

Surface = Literal["search", "recommend", "similar"]
SURFACES: tuple[Surface, ...] = get_args(Surface)
ActionName = Literal["pin", "hide", "boost", "bury", "filter", "redirect", "note"]
ACTIONS: tuple[ActionName, ...] = get_args(ActionName)


@dataclass(frozen=True)
class Conditions:
    """When a rule fires: all conditions that are there hold; one with several values, where one of them does.

    `query_is` and `query_contains` are one condition, of the query. A rule without any fires always.

    Attributes:
        query_is: the query, as it was typed or after rewriting, is one of these.
        query_contains: it has the words of one of these, next to each other and in that order.
        categories: the request is for one of these: its category, or that of its filters.
        context_items: ids of the item that is looked at. context_categories: its category, or the one where
            the user is in the shop.
        segment: name of a segment that the user belongs to.
        starts_at: from this instant on. ends_at: before this instant. Both aware.
    """

    query_is: tuple[str, ...] = ()
    query_contains: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    context_items: tuple[str, ...] = ()
    context_categories: tuple[str, ...] = ()
    segment: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True)
class PinItem:
    """Shows an item at a position, from 1."""

    item_id: str
    position: int


@dataclass(frozen=True)
class HideItems:
    """Removes these items and those that pass the filters."""

    item_ids: tuple[str, ...] = ()
    filters: Filters | None = None


@dataclass(frozen=True)
class WeighItems:
    """Moves these items, and those that pass the filters, up (factor above 1) or down (below 1)."""

    factor: float
    item_ids: tuple[str, ...] = ()
    filters: Filters | None = None


@dataclass(frozen=True)
class RequireFilters:
    """Shows only what passes the filters."""

    filters: Filters


@dataclass(frozen=True)
class Redirect:
    """Sends the user to another page instead."""

    url: str


@dataclass(frozen=True)
class Note:
    """Hands something to the page that shows the answer."""

    content: str | JsonObject


Action: TypeAlias = PinItem | HideItems | WeighItems | RequireFilters | Redirect | Note


def action_name(action: Action) -> ActionName:
    """What an action is called."""
    if isinstance(action, WeighItems):
        return "boost" if action.factor > 1 else "bury"
    names: dict[type[Action], ActionName] = {
        PinItem: "pin",
        HideItems: "hide",
        RequireFilters: "filter",
        Redirect: "redirect",
        Note: "note",
    }
    return names[type(action)]


@dataclass(frozen=True)
class Rule:
    """What a merchandiser decided.

    Attributes:
        surfaces: where it counts; none = everywhere.
        priority: a higher one is stronger; see docs/rules.md for the order among rules.
        version: of this rule, from 1; 0 = not stored yet. changed_at: when it became that.
    """

    rule_id: str
    name: str
    actions: tuple[Action, ...]
    conditions: Conditions = Conditions()
    surfaces: tuple[Surface, ...] = ()
    priority: int = 0
    enabled: bool = True
    version: int = 0
    changed_at: datetime | None = None


@dataclass(frozen=True)
class Segment:
    """A named predicate over what is known of a user, see `recsys.rules.expression_parsing`."""

    name: str
    expression: str
    version: int = 0
