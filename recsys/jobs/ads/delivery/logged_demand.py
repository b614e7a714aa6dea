"""What requests for ads were about of late: how many there were, and how many meet a campaign's targets."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from recsys.ads.campaigns.targets import SURFACES, Surface, Targets
from recsys.ads.delivery.counts import CountedHour
from recsys.ads.delivery.forecast import SurfaceDemand
from recsys.ads.matching.targeting import AdRequest, is_targeted
from recsys.funnel.served_answer import RECOMMEND, SEARCH, SIMILAR, ServedAnswer
from recsys.stores.served.answer_files import read_answers

MOST_ANSWERS = 20_000  # of the log, the latest
_DAY = timedelta(days=1)
_SURFACE_OF_KIND: dict[str, Surface] = {RECOMMEND: "home", SIMILAR: "product", SEARCH: "search"}


def logged_answers(folder: Path, start: datetime) -> tuple[ServedAnswer, ...]:
    """The latest answers of the log since `start`, first pages alone, the oldest first.

    Raises:
        DataError: a file cannot be read.
    """
    since = (each for each in read_answers(folder) if each.at >= start and (each.page or 1) == 1)
    return tuple(deque(since, MOST_ANSWERS))


def counted_demand(hours: Iterable[CountedHour], end: datetime, days: int) -> dict[Surface, list[int]]:
    """Surface -> requests for ads in each of the `days` times 24 hours before `end`, the oldest first."""
    found: dict[Surface, list[int]] = {}
    for hour in hours:
        place = days - 1 - (end - _DAY / 24 - hour.hour) // _DAY
        if not hour.holdout and 0 <= place < days:
            found.setdefault(hour.surface, [0] * days)[place] += hour.requests
    return _from_the_first(found)


def answered_demand(answers: Iterable[ServedAnswer], end: datetime, days: int) -> dict[Surface, list[int]]:
    """Surface -> answers as in `counted_demand`: what a shop that has no ads yet would have asked for."""
    found: dict[Surface, list[int]] = {}
    for answer in answers:
        place = days - 1 - (end - answer.at) // _DAY
        if 0 <= place < days and (surface := surface_of(answer)) is not None:
            found.setdefault(surface, [0] * days)[place] += 1
    return _from_the_first(found)


def targeted_demand(
    demand: dict[Surface, list[int]],
    answers: Iterable[ServedAnswer],
    targets: Targets,
    categories: Mapping[str, tuple[str, ...]],
) -> tuple[SurfaceDemand, ...]:
    """Each surface with how many of its logged requests meet the targets.

    The log has queries, and categories where they were filtered by. Of a product's page it has the items
    beside it, of which the first tells the category. Whom a segment has is not looked at: all count as in it.

    Args:
        categories: item id -> its category and path.
    """
    anybody = replace(targets, segment=None)
    asked = dict.fromkeys(SURFACES, 0)
    met = dict.fromkeys(SURFACES, 0)
    for answer in answers:
        if (surface := surface_of(answer)) is not None:
            asked[surface] += 1
            met[surface] += is_targeted(anybody, _request(answer, surface, categories))
    found = []
    for surface, requests in sorted(demand.items()):
        if targets.is_open and not targets.keywords:
            is_met = not targets.surfaces or surface in targets.surfaces
            found.append(SurfaceDemand(surface, tuple(requests), 1, int(is_met)))
        else:
            found.append(SurfaceDemand(surface, tuple(requests), asked[surface], met[surface]))
    return tuple(found)


def surface_of(answer: ServedAnswer) -> Surface | None:
    """Where the answer was shown: what its request said, else by its kind; None where neither tells."""
    for surface in SURFACES:
        if answer.surface == surface:
            return surface
    return _SURFACE_OF_KIND.get(answer.kind or "")


def _request(answer: ServedAnswer, surface: Surface, categories: Mapping[str, tuple[str, ...]]) -> AdRequest:
    filtered = tuple((answer.filters or {}).get("categories", ()))
    if surface == "product" and answer.items:
        filtered = (*filtered, *categories.get(answer.items[0].item_id, ()))
    return AdRequest(surface, answer.query or "", filtered)


def _from_the_first(found: dict[Surface, list[int]]) -> dict[Surface, list[int]]:
    """Without the days before the first request of all."""
    first = min((place for days in found.values() for place, count in enumerate(days) if count), default=0)
    return {surface: days[first:] for surface, days in found.items()}
