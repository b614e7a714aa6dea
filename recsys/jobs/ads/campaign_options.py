"""What an operator writes of a campaign, as texts, and the campaign that this makes of another one."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from recsys.ads.campaigns.bidding import PRICINGS, Bidding, Budget, FixedBid, MostClicks, Pricing, TargetRoas
from recsys.ads.campaigns.campaign import Campaign, FrequencyCap, Line
from recsys.ads.campaigns.schedule import Schedule, parse_day
from recsys.ads.campaigns.status import check_editable
from recsys.ads.campaigns.targets import Surface, Targets, parse_keyword, parse_surface
from recsys.amounts import parse_amount
from recsys.errors import RequestError, did_you_mean
from recsys.identifiers import trimmed_identifier

NONE = "none"  # takes away what is there
MAIN_LINE = "main"  # of which the items are where no line is named
_TARGETS = ("category", "item", "segment", "surface")
_CAP = re.compile(r"([0-9]{1,6})/([0-9]{1,5})([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_PERCENT = re.compile(r"([0-9]{1,6})%")


@dataclass(frozen=True)
class CampaignOptions:
    """What is given; None = as it is. The texts are those of `recsys ads campaign create --help`.

    Attributes:
        items: ids, see `read_item_ids`.
        line: whose `items`, `line_bid`, `line_budget_per_day` and `line_budget_total` are; None = `main`.
    """

    name: str | None = None
    pricing: str | None = None
    bid: str | None = None
    target_roas: str | None = None
    most_clicks: bool = False
    max_bid: str | None = None
    budget_per_day: str | None = None
    budget_total: str | None = None
    start: str | None = None
    end: str | None = None
    targets: Sequence[str] | None = None
    keywords: Sequence[str] | None = None
    placements: Sequence[str] | None = None
    quality_floor: float | None = None
    cap: str | None = None
    never_beside: Sequence[str] | None = None
    items: Sequence[str] | None = None
    line: str | None = None
    line_bid: str | None = None
    line_budget_per_day: str | None = None
    line_budget_total: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no option is given."""
        return self == CampaignOptions()

    def check_complete(self) -> None:
        """Raises RequestError where a new campaign would lack what each needs."""
        if self.bid is None and self.target_roas is None and not self.most_clicks:
            raise RequestError(
                "the campaign has no bid. Give --bid 0.40, or --target-roas or --most-clicks for automatic "
                "bidding."
            )
        if self.items is None:
            raise RequestError("the campaign advertises nothing. Give --items with ids, or with @FILE.")

    def apply(self, campaign: Campaign, currency: str | None, new_line_id: Callable[[], str]) -> Campaign:
        """`with_options` of these."""
        return with_options(campaign, self, currency, new_line_id)


def with_options(
    campaign: Campaign, given: CampaignOptions, currency: str | None, new_line_id: Callable[[], str]
) -> Campaign:
    """`campaign` with what is `given` in the place of what it had.

    Args:
        currency: the shop's code, which amounts may name.
        new_line_id: makes an id where `given` names a line that is not there.

    Raises:
        RequestError: a text cannot be read; the message names the option.
    """
    amounts = _Amounts(currency)
    return replace(
        campaign,
        name=given.name.strip() if given.name is not None else campaign.name,
        pricing=campaign.pricing if given.pricing is None else _pricing(given.pricing),
        bidding=_bidding(campaign.bidding, given, amounts),
        budget=Budget(
            amounts.changed("--budget-per-day", given.budget_per_day, campaign.budget.day_micros),
            amounts.changed("--budget-total", given.budget_total, campaign.budget.total_micros),
        ),
        schedule=Schedule(
            _day("--start", given.start, campaign.schedule.starts_on),
            _day("--end", given.end, campaign.schedule.ends_on),
        ),
        targets=_targets(campaign.targets, given),
        lines=_lines(campaign.lines, given, amounts, new_line_id),
        placement_percents=(
            campaign.placement_percents if given.placements is None else _placements(given.placements)
        ),
        quality_floor=campaign.quality_floor if given.quality_floor is None else given.quality_floor,
        frequency_cap=_cap(given.cap, campaign.frequency_cap),
        never_beside=campaign.never_beside if given.never_beside is None else _texts(given.never_beside),
    )


@dataclass(frozen=True)
class _Amounts:
    currency: str | None

    def read(self, option: str, text: str) -> int:
        return parse_amount(option, text, self.currency)

    def changed(self, option: str, text: str | None, now: int | None) -> int | None:
        if text is None:
            return now
        return None if text == NONE else self.read(option, text)


def _pricing(text: str) -> Pricing:
    for pricing in PRICINGS:
        if text == pricing:
            return pricing
    raise RequestError(f"--pricing {text[:40]!r} is unknown. Write one of: {', '.join(PRICINGS)}.")


def _bidding(now: Bidding, given: CampaignOptions, amounts: _Amounts) -> Bidding:
    if sum((given.bid is not None, given.target_roas is not None, given.most_clicks)) > 1:
        raise RequestError("--bid, --target-roas and --most-clicks exclude each other. Give one of them.")
    if given.bid is not None:
        if given.max_bid is not None:
            raise RequestError("--max-bid is for automatic bidding; --bid is the most already. Leave it out.")
        return FixedBid(amounts.read("--bid", given.bid))
    most = None if isinstance(now, FixedBid) else now.most_bid_micros
    if given.most_clicks:
        now = MostClicks(most)
    elif given.target_roas is not None:
        now = TargetRoas(_roas(given.target_roas), most)
    if given.max_bid is None:
        return now
    if isinstance(now, FixedBid):
        raise RequestError(
            "--max-bid is for automatic bidding. Give --target-roas or --most-clicks, or --bid."
        )
    return replace(now, most_bid_micros=amounts.changed("--max-bid", given.max_bid, None))


def _roas(text: str) -> int:
    found = _PERCENT.fullmatch(text.strip())
    if found is None:
        raise RequestError(
            f"--target-roas {text[:40]!r} is no percentage. Write 400% for sales of four units for one spent."
        )
    return int(found[1])


def _day(option: str, text: str | None, now: date | None) -> date | None:
    if text is None:
        return now
    return None if text == NONE else parse_day(option, text)


def _targets(now: Targets, given: CampaignOptions) -> Targets:
    found = now
    if given.targets is not None:
        named: dict[str, list[str]] = {name: [] for name in _TARGETS}
        for text in _texts(given.targets):
            name, equals, value = (part.strip() for part in text.partition("="))
            if name not in _TARGETS or not equals or not value:
                near = did_you_mean(name, _TARGETS)
                raise RequestError(
                    f"--target {text[:100]!r} is no target.{near} Write category=NAME, item=ID, "
                    "surface=NAME or segment=EXPRESSION; several by repeating --target."
                )
            named[name].append(value)
        if len(named["segment"]) > 1:
            raise RequestError("there are several segments. Join them by `and` or `or` in one --target.")
        found = Targets(
            categories=tuple(named["category"]),
            items=tuple(named["item"]),
            keywords=now.keywords,
            segment=next(iter(named["segment"]), None),
            surfaces=tuple(parse_surface(name) for name in named["surface"]),
        )
    if given.keywords is not None:
        words = [word for text in _texts(given.keywords) for word in text.split(",") if word.strip()]
        found = replace(found, keywords=tuple(dict.fromkeys(parse_keyword(word) for word in words)))
    return found


def _placements(given: Sequence[str]) -> dict[Surface, int]:
    found: dict[Surface, int] = {}
    for text in _texts(given):
        surface, _, percent = text.partition("=")
        matched = _PERCENT.fullmatch(percent.strip())
        if matched is None:
            raise RequestError(
                f"--placement {text[:40]!r} cannot be read. Write search=150%; 100% changes nothing."
            )
        found[parse_surface(surface.strip())] = int(matched[1])
    return found


def _cap(text: str | None, now: FrequencyCap | None) -> FrequencyCap | None:
    if text is None:
        return now
    if text == NONE:
        return None
    found = _CAP.fullmatch(text)
    if found is None:
        raise RequestError(
            f"--cap {text[:40]!r} cannot be read. Write 3/1d for three a day; m and h are known too."
        )
    return FrequencyCap(int(found[1]), int(found[2]) * _SECONDS[found[3]])


def _lines(
    now: Sequence[Line], given: CampaignOptions, amounts: _Amounts, new_line_id: Callable[[], str]
) -> tuple[Line, ...]:
    of_line = (given.items, given.line_bid, given.line_budget_per_day, given.line_budget_total)
    if all(each is None for each in of_line):
        if given.line is not None:
            raise RequestError(f"nothing is said of line {given.line!r}. Give --items or one of --line-...")
        return tuple(now)
    name = (given.line or MAIN_LINE).strip()
    before = next((line for line in now if line.name == name), None)
    line = before or Line(new_line_id(), name, ())
    check_editable(f"line {name!r}", line.status)
    changed = replace(
        line,
        items=line.items if given.items is None else _item_ids(given.items),
        bid_micros=amounts.changed("--line-bid", given.line_bid, line.bid_micros),
        budget=Budget(
            amounts.changed("--line-budget-per-day", given.line_budget_per_day, line.budget.day_micros),
            amounts.changed("--line-budget-total", given.line_budget_total, line.budget.total_micros),
        ),
    )
    if before is None:
        return (*now, changed)
    return tuple(changed if each is before else each for each in now)


def read_item_ids(given: Sequence[str]) -> list[str]:
    """The ids of `--items`: with commas between them, or `@FILE` with one a line.

    Only for options of this machine's commands, as it reads any file that this account may read.

    Raises:
        RequestError: a file cannot be read.
    """
    texts: list[str] = []
    for text in given:
        texts += _lines_of(Path(text[1:])) if text.startswith("@") else text.split(",")
    return [text for text in texts if text.strip()]


def _item_ids(texts: Sequence[str]) -> tuple[str, ...]:
    """Each id once, in their order; raises RequestError where one cannot be an id."""
    found = []
    for text in texts:
        try:
            found.append(trimmed_identifier(text))
        except ValueError as error:
            raise RequestError(f"--items {text[:100]!r} {error}. Write ids, or @FILE.") from error
    return tuple(dict.fromkeys(found))


def _lines_of(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RequestError(
            f"--items @{path} cannot be read: {told}. Name a text file with one id a line."
        ) from error


def _texts(given: Sequence[str]) -> tuple[str, ...]:
    """The texts, each once; nothing where they are `none`."""
    return () if list(given) == [NONE] else tuple(dict.fromkeys(text.strip() for text in given))
