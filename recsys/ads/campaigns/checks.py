"""What is wrong with a campaign in itself, said before it is stored and by `why-not`."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from recsys.ads.campaigns.account import Account, checked_name
from recsys.ads.campaigns.bidding import (
    Budget,
    FixedBid,
    MostClicks,
    Pricing,
    TargetRoas,
    event_cost_micros,
)
from recsys.ads.campaigns.campaign import MOST_PERCENT, Campaign, Line
from recsys.ads.campaigns.targets import MOST_KEYWORDS, MOST_TARGETS
from recsys.amounts import amount_text
from recsys.errors import RequestError

MOST_LINES = 100
MOST_ITEMS = 10_000  # of a campaign
MOST_CAP_DAYS = 30
EVENTS: Mapping[Pricing, str] = {"cpc": "click", "cpm": "impression", "cpa": "purchase"}  # what is billed
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        step: which part: `bid`, `budget`, `dates`, `lines`, `items`, `targets` or `limits`.
        message: what, with the value, and the remedy.
    """

    step: str
    message: str


def check_campaign(account: Account, campaign: Campaign) -> None:
    """Raises RequestError that tells everything that is wrong with `campaign`."""
    checked_name("a campaign", campaign.name)
    for line in campaign.lines:
        checked_name("a line", line.name)
    if found := campaign_problems(account, campaign):
        raise RequestError(" ".join(problem.message for problem in found))


def campaign_problems(account: Account, campaign: Campaign) -> tuple[Problem, ...]:
    """Everything that is wrong with `campaign` in itself and beside its account's budget."""
    return (
        *_bid_problems(campaign),
        *_budget_problems(account, campaign),
        *_date_problems(campaign),
        *_line_problems(campaign),
        *_limit_problems(campaign),
    )


def _bid_problems(campaign: Campaign) -> Iterator[Problem]:
    bidding = campaign.bidding
    if isinstance(bidding, FixedBid):
        bids = [("the bid", bidding.bid_micros)]
        bids += [
            (f"the bid of line {line.name!r}", line.bid_micros)
            for line in campaign.lines
            if line.bid_micros is not None
        ]
        for what, bid in bids:
            if bid <= 0:
                yield Problem("bid", f"{what} is {amount_text(bid)}. Give one above 0.")
        return
    if bidding.most_bid_micros is not None and bidding.most_bid_micros <= 0:
        yield Problem("bid", f"the largest bid is {amount_text(bidding.most_bid_micros)}. Give one above 0.")
    if isinstance(bidding, TargetRoas) and not 1 <= bidding.percent <= 100_000:
        yield Problem("bid", f"a target ROAS of {bidding.percent}% cannot be. Give 1% to 100000%.")
    if isinstance(bidding, MostClicks) and campaign.pricing == "cpa":
        yield Problem("bid", "most clicks within the budget pays per click or impression. Use cpc or cpm.")
    if campaign.budget == Budget():
        yield Problem(
            "budget", "automatic bidding spends what the budget allows. Give the campaign a budget."
        )
    for line in campaign.lines:
        if line.bid_micros is not None:
            yield Problem(
                "bid", f"line {line.name!r} has a bid, but the campaign sets bids itself. Leave it out."
            )


def _budget_problems(account: Account, campaign: Campaign) -> Iterator[Problem]:
    shared = [("the account's budget a day", account.budget_day_micros), *_named("", campaign.budget)]
    of_lines = {line.name: _named(f" of line {line.name!r}", line.budget) for line in campaign.lines}
    for what, micros in (*shared[1:], *(each for named in of_lines.values() for each in named)):
        if micros is not None and micros <= 0:
            yield Problem("budget", f"{what} is {amount_text(micros)}. Give one above 0.")
    told: set[str] = set()
    for line in campaign.lines:
        bid = campaign.line_bid_micros(line)
        if bid is None or bid <= 0:
            continue
        cost = event_cost_micros(campaign.pricing, bid)
        for what, micros in (*shared, *of_lines[line.name]):
            if micros is not None and 0 < micros < cost and what not in told:
                told.add(what)
                yield Problem(
                    "budget",
                    f"{what} is {amount_text(micros)}, and one {EVENTS[campaign.pricing]} may cost "
                    f"{amount_text(cost)}: nothing could ever be paid. Raise the budget or lower the bid.",
                )


def _named(of: str, budget: Budget) -> list[tuple[str, int | None]]:
    return [(f"the budget a day{of}", budget.day_micros), (f"the budget in total{of}", budget.total_micros)]


def _date_problems(campaign: Campaign) -> Iterator[Problem]:
    dates = campaign.schedule
    if not dates.is_ordered:
        yield Problem(
            "dates",
            f"the campaign ends on {dates.ends_on}, before it starts on {dates.starts_on}. Move one of them; "
            "both days are included.",
        )


def _line_problems(campaign: Campaign) -> Iterator[Problem]:
    if not 1 <= len(campaign.lines) <= MOST_LINES:
        yield Problem("lines", f"the campaign has {len(campaign.lines)} lines. Give 1 to {MOST_LINES}.")
    for name, count in Counter(line.name for line in campaign.lines).items():
        if count > 1:
            yield Problem("lines", f"{count} lines have the name {name!r}. Rename them.")
    living = [line for line in campaign.lines if line.status != "archived"]
    for line in living:
        if not line.items:
            yield Problem("items", f"line {line.name!r} has no items. Give it some, or archive it.")
    yield from _repeated_items(living)
    if (count := sum(len(line.items) for line in living)) > MOST_ITEMS:
        yield Problem("items", f"the campaign has {count} items, {MOST_ITEMS} are allowed. Make two of it.")


def _repeated_items(lines: list[Line]) -> Iterator[Problem]:
    counts = Counter(item for line in lines for item in line.items)
    repeated = sorted(item for item, count in counts.items() if count > 1)
    if repeated:
        more = f" and {len(repeated) - 5} more" if len(repeated) > 5 else ""
        shown = ", ".join(repeated[:5])
        yield Problem("items", f"in more than one line, or twice in one: {shown}{more}. Keep each once.")


def _limit_problems(campaign: Campaign) -> Iterator[Problem]:
    targets = campaign.targets
    for what, count, most in (
        ("keywords", len(targets.keywords), MOST_KEYWORDS),
        ("target categories", len(targets.categories), MOST_TARGETS),
        ("target items", len(targets.items), MOST_TARGETS),
    ):
        if count > most:
            yield Problem("targets", f"the campaign has {count} {what}, {most} are allowed. Make two of it.")
    for surface, percent in campaign.placement_percents.items():
        if not 0 <= percent <= MOST_PERCENT:
            yield Problem("limits", f"{percent}% on {surface} cannot be. Give 0% to {MOST_PERCENT}%.")
    if not 0 <= campaign.quality_floor <= 1:
        yield Problem("limits", f"a quality floor of {campaign.quality_floor:g} cannot be. Give 0 to 1.")
    cap = campaign.frequency_cap
    if cap is not None and not (cap.count >= 1 and 60 <= cap.window_seconds <= MOST_CAP_DAYS * _DAY_SECONDS):
        yield Problem(
            "limits",
            f"a cap of {cap.count} in {cap.window_seconds} seconds cannot be. Give 1 or more within 1 minute "
            f"to {MOST_CAP_DAYS} days.",
        )
