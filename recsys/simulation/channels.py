"""Two ways in which an item comes before a shopper's eyes: a search, or what the shop shows unasked."""

from collections.abc import Iterable

from recsys.events import Search, UserEvent
from recsys.simulation.delivery import Delivered


def without_search(log: Iterable[Delivered]) -> list[Delivered]:
    """The log less searches and all that was shown and done in answer to one, in the same order."""
    delivered = list(log)
    searches = {event.request_id for _, event in delivered if isinstance(event, Search)}
    return [one for one in delivered if not came_by_search(one[1], searches)]


def came_by_search(event: UserEvent, searches: set[str | None]) -> bool:
    """Whether `event` answers one of the requests `searches`; a machine's view, say, answers none."""
    return event.request_id is not None and event.request_id in searches
