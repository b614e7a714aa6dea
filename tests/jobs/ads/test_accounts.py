"""Accounts are made and changed."""

from pathlib import Path

import pytest

from recsys.errors import RequestError, UnknownCampaignError
from recsys.jobs.ads.accounts import AccountEditing
from tests.jobs.ads.ads_shop import make_shop


@pytest.fixture
def editing(tmp_path: Path) -> AccountEditing:
    return AccountEditing(make_shop(tmp_path / "home"), "ann")


def test_an_account_is_made_listed_and_changed(editing: AccountEditing) -> None:
    made = editing.create(" acme ", "Asia/Shanghai", "500.00 EUR", prepaid=True)
    assert (made.account.name, made.account.budget_day_micros) == ("acme", 500_000_000)
    assert editing.account("acme") == made == editing.accounts()[0]
    assert made.to_row()["budget a day"] == "500.00 EUR"
    changed = editing.edit("acme", name="Acme Foods", budget_per_day="none", remark="asked by phone")
    assert (changed.account.name, changed.account.budget_day_micros) == ("Acme Foods", None)
    assert [(each.action, each.remark) for each in editing.history("Acme Foods")] == [
        ("create", ""),
        ("change", "asked by phone"),
    ]


@pytest.mark.parametrize(
    ("name", "zone", "budget", "told"),
    [
        ("", "UTC", None, "cannot be the name of an account"),
        ("acme", "Shanghai", None, "time zone 'Shanghai' is unknown"),
        ("acme", "UTC", "0", "above 0"),
        ("acme", "UTC", "5 USD", "the shop's is EUR"),
    ],
)
def test_what_cannot_be_is_refused(
    editing: AccountEditing, name: str, zone: str, budget: str | None, told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        editing.create(name, zone, budget)
    assert editing.accounts() == []


def test_an_edit_needs_a_change_and_an_account(editing: AccountEditing) -> None:
    with pytest.raises(RequestError, match="Give another name or budget a day"):
        editing.edit("acme")
    with pytest.raises(UnknownCampaignError, match="no account 'acme'"):
        editing.edit("acme", name="b")
