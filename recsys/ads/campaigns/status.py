"""Status of campaigns and lines, and review: which changes there are, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from recsys.errors import RequestError

Status = Literal["draft", "active", "paused", "archived"]
STATUSES: tuple[Status, ...] = get_args(Status)
Action = Literal["pause", "resume", "archive"]
ReviewState = Literal["pending", "approved", "rejected"]
MOST_REASON = 500  # characters

LEADS_TO: Mapping[Action, Status] = {"pause": "paused", "resume": "active", "archive": "archived"}
# From where each action starts. An archived campaign has ended for good: its bill is closed.
STARTS_FROM: Mapping[Action, tuple[Status, ...]] = {
    "pause": ("active",),
    "resume": ("draft", "paused"),
    "archive": ("draft", "active", "paused"),
}
_REMEDIES: Mapping[Status, str] = {
    "draft": "`resume` starts it.",
    "active": "`pause` stops it, `archive` ends it for good.",
    "paused": "`resume` starts it again, `archive` ends it for good.",
    "archived": "That is for good: create another one.",
}


def changed_status(what: str, status: Status, action: Action) -> Status:
    """The status after `action`.

    Args:
        what: kind and name of what is changed, for messages.

    Raises:
        RequestError: nothing leads there; the message says what can be done instead.

    >>> changed_status("campaign 'a'", "active", "pause")
    'paused'
    """
    if status in STARTS_FROM[action]:
        return LEADS_TO[action]
    already = f"is {status} already" if LEADS_TO[action] == status else f"is {status}, so {action} cannot be"
    raise RequestError(f"{what} {already}. {_REMEDIES[status]}")


def check_editable(what: str, status: Status) -> None:
    """Raises RequestError where something archived would be changed."""
    if status == "archived":
        raise RequestError(f"{what} is archived and cannot be changed. {_REMEDIES[status]}")


@dataclass(frozen=True)
class Review:
    """Whether the shop lets it be shown. `reason`: of a rejection, for the advertiser."""

    state: ReviewState = "pending"
    reason: str = ""


PENDING, APPROVED = Review(), Review("approved")


def rejection(reason: str) -> Review:
    """The review that refuses; raises RequestError without a reason, as the advertiser has to know it."""
    if not reason.strip() or len(reason) > MOST_REASON:
        raise RequestError(f"a rejection needs a reason of 1 to {MOST_REASON} characters. Say what to mend.")
    return Review("rejected", reason.strip())
