"""Why a campaign is not shown, as far as that can be told without serving: `recsys ads campaign why-not`."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.campaigns.checks import campaign_problems
from recsys.ads.campaigns.schedule import Schedule
from recsys.ads.campaigns.targets import Match, Targets
from recsys.amounts import amount_text

STATES = ("draft", "paused", "archived", "rejected", "in review", "scheduled", "running", "ended")
_SHOWN = 5  # ids that a message names
_MATCHES: tuple[Match, ...] = ("exact", "phrase", "broad")


@dataclass(frozen=True)
class CatalogFacts:
    """What the catalog says now of what a campaign names.

    Attributes:
        items: ids, of those that were asked for, that are there. available: of these, that can be bought.
        categories: every category, and every path with the paths above it.
    """

    items: Collection[str]
    available: Collection[str]
    categories: Collection[str]


@dataclass(frozen=True)
class Obstacle:
    """One thing that keeps ads away.

    Attributes:
        step: `status`, `review`, `dates`, `items`, `targets`, `placement`, or that of a `Problem`.
        blocks: whether it keeps all of the campaign's ads away, or some.
        message: what it is, and the remedy.
    """

    step: str
    blocks: bool
    message: str


def campaign_state(account: Account, campaign: Campaign, now: datetime) -> str:
    """How a campaign stands at `now`: one of STATES.

    `draft`, `paused` or `archived`; else `rejected` or `in review`; else `scheduled`, `running` or `ended`.
    """
    if campaign.status != "active":
        return campaign.status
    if campaign.review.state != "approved":
        return "rejected" if campaign.review.state == "rejected" else "in review"
    phases = {"before": "scheduled", "open": "running", "over": "ended"}
    return phases[campaign.schedule.phase(now, account.zone)]


def obstacles(
    account: Account, campaign: Campaign, catalog: CatalogFacts, now: datetime
) -> tuple[Obstacle, ...]:
    """What keeps the ads of `campaign` away at `now`, in the order in which it is met; empty = nothing."""
    return (
        *_status_obstacles(campaign),
        *_date_obstacles(campaign.schedule, account, now),
        *_item_obstacles(campaign, catalog),
        *_target_obstacles(campaign.targets, catalog),
        *_placement_obstacles(campaign),
        *(Obstacle(each.step, True, each.message) for each in campaign_problems(account, campaign)),
    )


def _status_obstacles(campaign: Campaign) -> Iterator[Obstacle]:
    remedies = {
        "draft": "was never started. `recsys ads campaign resume` starts it.",
        "paused": "is paused. `recsys ads campaign resume` starts it again.",
        "archived": "is archived, for good. Create another one.",
    }
    if campaign.status in remedies:
        yield Obstacle("status", True, f"the campaign {remedies[campaign.status]}")
    living = [line for line in campaign.lines if line.status != "archived"]
    idle = [line.name for line in living if line.status != "active"]
    if idle:
        blocks = len(idle) == len(living)
        yield Obstacle("status", blocks, f"lines that are not active: {', '.join(idle)}. Resume them.")
    if campaign.review.state == "pending":
        yield Obstacle("review", True, "the shop has not reviewed it. `recsys ads campaign review` does.")
    if campaign.review.state == "rejected":
        reason = campaign.review.reason.rstrip(".")
        yield Obstacle("review", True, f"the shop rejected it: {reason}. Mend that by an edit.")


def _date_obstacles(schedule: Schedule, account: Account, now: datetime) -> Iterator[Obstacle]:
    phase = schedule.phase(now, account.zone)
    starts, ends = schedule.bounds(account.zone)
    if phase == "before":
        yield Obstacle(
            "dates",
            True,
            f"it starts on {schedule.starts_on} in {account.time_zone}, at {starts:%Y-%m-%d %H:%M} UTC. "
            "Wait, or edit --start.",
        )
    if phase == "over":
        yield Obstacle(
            "dates",
            True,
            f"it ended with {schedule.ends_on} in {account.time_zone}, at {ends:%Y-%m-%d %H:%M} UTC. Edit "
            "--end.",
        )


def _item_obstacles(campaign: Campaign, catalog: CatalogFacts) -> Iterator[Obstacle]:
    ids = [item for line in campaign.lines if line.status == "active" for item in line.items]
    gone = [item for item in ids if item not in catalog.items]
    out = [item for item in ids if item in catalog.items and item not in catalog.available]
    none_left = len(gone) + len(out) == len(ids)
    if gone:
        yield Obstacle("items", none_left, f"no longer in the catalog: {_named(gone)}. Take them out.")
    if out:
        yield Obstacle(
            "items", none_left, f"cannot be bought now: {_named(out)}. Wait for stock, or add others."
        )


def _target_obstacles(targets: Targets, catalog: CatalogFacts) -> Iterator[Obstacle]:
    """Targets that nothing can meet any more."""
    categories = [name for name in targets.categories if name not in catalog.categories]
    items = [item for item in targets.items if item not in catalog.items]
    negative = {(word.text.casefold(), word.match) for word in targets.keywords if word.negative}
    words = [
        word.text
        for word in targets.positive_keywords
        if any((word.text.casefold(), match) in negative for match in _wider_or_equal(word.match))
    ]
    met = len(targets.categories) + len(targets.items) + len(targets.positive_keywords)
    empty = met == len(categories) + len(items) + len(words) and not targets.is_open
    for what, names in (
        ("categories without items", categories),
        ("target items that are gone", items),
        ("keywords that a negative one excludes", words),
    ):
        if names:
            tail = "Nothing is left that a request could be about: edit" if empty else "Edit"
            yield Obstacle("targets", empty, f"{what}: {_named(names)}. {tail} --target or --keywords.")
    only_words = not targets.categories and not targets.items and targets.positive_keywords
    if only_words and targets.surfaces and "search" not in targets.surfaces:
        yield Obstacle(
            "targets", True, "keywords are of searches, and surface=search is not among the targets."
        )


def _wider_or_equal(match: Match) -> tuple[Match, ...]:
    """The negative matches of the same words that exclude all that `match` finds."""
    return _MATCHES[_MATCHES.index(match) :]


def _placement_obstacles(campaign: Campaign) -> Iterator[Obstacle]:
    """Surfaces on which nothing is bid."""
    bids = [bid for line in campaign.lines if (bid := campaign.line_bid_micros(line)) is not None]
    for surface, percent in campaign.placement_percents.items():
        if percent == 0:
            yield Obstacle("placement", False, f"nothing is bid on {surface}: its multiplier is 0%.")
        elif bids and campaign.placed_bid_micros(max(bids), surface) == 0:
            told = amount_text(max(bids))
            yield Obstacle("placement", False, f"{percent}% of {told} on {surface} is below a millionth.")


def _named(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more
