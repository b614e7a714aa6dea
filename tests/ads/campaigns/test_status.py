"""Which changes of a status there are; the table of all of them is the oracle."""

import pytest

from recsys.ads.campaigns.status import (
    STATUSES,
    Action,
    Status,
    changed_status,
    check_editable,
    rejection,
)
from recsys.errors import RequestError

ALLOWED: dict[tuple[Status, Action], Status] = {
    ("active", "pause"): "paused",
    ("draft", "resume"): "active",
    ("paused", "resume"): "active",
    ("draft", "archive"): "archived",
    ("active", "archive"): "archived",
    ("paused", "archive"): "archived",
}
ACTIONS: tuple[Action, ...] = ("pause", "resume", "archive")


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("action", ACTIONS)
def test_only_the_allowed_changes_are_made(status: Status, action: Action) -> None:
    if (status, action) in ALLOWED:
        assert changed_status("campaign 'a'", status, action) == ALLOWED[status, action]
    else:
        with pytest.raises(RequestError, match=f"campaign 'a' is {status}") as told:
            changed_status("campaign 'a'", status, action)
        assert "`" in str(told.value) or "create another" in str(told.value), "the remedy"


def test_nothing_leads_out_of_the_archive() -> None:
    with pytest.raises(RequestError, match="archived and cannot be changed"):
        check_editable("campaign 'a'", "archived")
    for status in ("draft", "active", "paused"):
        check_editable("campaign 'a'", status)


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 501])
def test_a_rejection_without_a_reason_or_with_a_novel_is_refused(reason: str) -> None:
    with pytest.raises(RequestError, match="needs a reason"):
        rejection(reason)
