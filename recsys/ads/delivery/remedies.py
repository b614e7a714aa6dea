"""What helps a campaign that loses most of its requests at a step."""

from collections.abc import Mapping

from recsys.ads.delivery.waterfall import LossStep, Waterfall

REMEDIES: Mapping[LossStep, tuple[str, str]] = {
    "running": (
        "the campaign was not running",
        "Resume it, have it reviewed, or move its dates: `recsys ads campaign why-not` names which.",
    ),
    "targets": (
        "the requests were about nothing that it targets",
        "Add categories or keywords, or take targets away by --target none.",
    ),
    "quality": (
        "the items fit badly, or nobody is expected to click them",
        "Advertise items that fit the targets better, or lower --quality-floor.",
    ),
    "floor": ("it bids less than the reserve of the place", "Raise --bid."),
    "budget": (
        "a budget had no room: the campaign's, a line's or the account's",
        "Raise --budget-per-day, or the account's budget or its wallet.",
    ),
    "pacing": (
        "its budget was spread over the day and allowed fewer auctions",
        "Raise --budget-per-day for more; nothing is wrong where the day's budget was spent.",
    ),
    "cap": ("users had seen it as often as they may", "Raise --cap, or reach more users by wider targets."),
    "outbid": (
        "others ranked before it",
        "Raise --bid, or advertise items that are clicked more often.",
    ),
    "page": (
        "it won the auction, and the page was better without it or had shown it before",
        "Advertise more items, and such as fit better what is looked at.",
    ),
}
"""Step -> why requests are lost there, and the remedy."""


def loss_message(waterfall: Waterfall) -> str | None:
    """Where most requests were lost, why, and what helps; None where there were none or none was lost."""
    step = waterfall.largest_loss()
    if step is None:
        return None
    why, remedy = REMEDIES[step]
    lost, before = waterfall.losses()[step], _arrived(waterfall, step)
    return f"{lost:,} of the {before:,} requests that came so far: {why}. {remedy}"


def _arrived(waterfall: Waterfall, step: LossStep) -> int:
    """How many requests had not left before `step`."""
    remaining = waterfall.requests
    for each, lost in waterfall.losses().items():
        if each == step:
            break
        remaining -= lost
    return remaining
