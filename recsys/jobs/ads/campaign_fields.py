"""What is said of a campaign as JSON, in the form in which campaigns are answered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from recsys.ads.campaigns.bidding import Bidding, Budget
from recsys.ads.campaigns.campaign import Campaign, FrequencyCap, Line
from recsys.ads.campaigns.documents import FIXED_BID, MOST_CLICKS, TARGET_ROAS, bidding_of
from recsys.ads.campaigns.schedule import Schedule, parse_day
from recsys.ads.campaigns.status import check_editable
from recsys.ads.campaigns.targets import Targets, parse_keyword, parse_surface
from recsys.documents import JsonObject
from recsys.errors import DataError, RequestError
from recsys.identifiers import trimmed_identifier

STRATEGIES = (FIXED_BID, TARGET_ROAS, MOST_CLICKS)


@dataclass(frozen=True)
class CampaignFields:
    """Fields of a campaign by their names in `campaign_to_json`, of the types that they have there.

    What is not there stays as it is; null takes a bound away. `targets` and `bidding` are replaced as a
    whole. A line of `lines` is added, or changes the one of its name; others stay.
    """

    given: Mapping[str, Any]

    @property
    def name(self) -> str | None:
        """The name that is given."""
        found = self.given.get("name")
        return None if found is None else str(found)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is given."""
        return not self.given

    def check_complete(self) -> None:
        """Raises RequestError where a new campaign would lack what each needs."""
        for name in ("bidding", "lines"):
            if not self.given.get(name):
                raise RequestError(f"a new campaign needs `{name}`. Give it.")

    def apply(self, campaign: Campaign, currency: str | None, new_line_id: Callable[[], str]) -> Campaign:
        """`campaign` with what is given.

        Raises:
            RequestError: a value cannot be; the message names it.
        """
        given = self.given
        changes: dict[str, Any] = {
            "budget": _budget(campaign.budget, given),
            "schedule": Schedule(
                _day("starts_on", given, campaign.schedule.starts_on),
                _day("ends_on", given, campaign.schedule.ends_on),
            ),
        }
        if "name" in given:
            changes["name"] = str(given["name"]).strip()
        for name in ("pricing", "quality_floor", "placement_percents"):
            if name in given:
                changes[name] = given[name]
        for name, read in _READ.items():
            if name in given:
                changes[name] = read(given[name])
        if "lines" in given:
            changes["lines"] = _lines(campaign.lines, given["lines"], new_line_id)
        return replace(campaign, **changes)


def _budget(now: Budget, given: Mapping[str, Any]) -> Budget:
    return Budget(
        given.get("budget_day_micros", now.day_micros), given.get("budget_total_micros", now.total_micros)
    )


def _day(name: str, given: Mapping[str, Any], now: date | None) -> date | None:
    if name not in given:
        return now
    return None if given[name] is None else parse_day(name, given[name])


def _bidding(given: JsonObject) -> Bidding:
    strategy, bid, percent = given["strategy"], given.get("bid_micros"), given.get("target_percent")
    if strategy == FIXED_BID and bid is None:
        raise RequestError(f"the strategy {FIXED_BID} needs `bid_micros`. Give it.")
    if (strategy == TARGET_ROAS) != (percent is not None):
        raise RequestError(f"`target_percent` is of the strategy {TARGET_ROAS} alone, which needs it.")
    try:
        return bidding_of(strategy, bid, percent)
    except DataError as error:
        raise RequestError(f"the strategy {strategy!r} is none of {', '.join(STRATEGIES)}.") from error


def _targets(given: JsonObject) -> Targets:
    return Targets(
        categories=_texts(given.get("categories", ())),
        items=_ids(given.get("items", ())),
        keywords=tuple(dict.fromkeys(parse_keyword(text) for text in given.get("keywords", ()))),
        segment=given.get("segment"),
        surfaces=tuple(dict.fromkeys(parse_surface(text) for text in given.get("surfaces", ()))),
    )


def _cap(given: JsonObject | None) -> FrequencyCap | None:
    return None if given is None else FrequencyCap(given["count"], given["window_seconds"])


def _texts(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.strip() for text in given))


_READ: Mapping[str, Callable[[Any], Any]] = {
    "bidding": _bidding,
    "targets": _targets,
    "frequency_cap": _cap,
    "never_beside": _texts,
}


def _lines(
    now: Sequence[Line], given: Sequence[JsonObject], new_line_id: Callable[[], str]
) -> tuple[Line, ...]:
    lines = {line.name: line for line in now}
    for each in given:
        name = each["name"].strip()
        line = lines.get(name) or Line(new_line_id(), name, ())
        check_editable(f"line {name!r}", line.status)
        lines[name] = replace(
            line,
            items=_ids(each["items"]) if "items" in each else line.items,
            bid_micros=each.get("bid_micros", line.bid_micros),
            budget=_budget(line.budget, each),
        )
    return tuple(lines.values())


def _ids(given: Sequence[str]) -> tuple[str, ...]:
    found = []
    for text in given:
        try:
            found.append(trimmed_identifier(text))
        except ValueError as error:
            raise RequestError(f"the item id {text[:100]!r} {error}.") from error
    return tuple(dict.fromkeys(found))
