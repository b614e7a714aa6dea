"""Accounts and campaigns as rows, and changes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import RowMapping

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget
from recsys.ads.campaigns.campaign import Campaign, FrequencyCap, Line
from recsys.ads.campaigns.documents import (
    bidding_of,
    bidding_to_json,
    cap_to_json,
    targets_of,
    targets_to_json,
)
from recsys.ads.campaigns.schedule import Schedule
from recsys.ads.campaigns.status import Review
from recsys.documents import JsonObject
from recsys.stores.ads.tables import AdsKind


@dataclass(frozen=True)
class Author:
    """Who changes something. `remark`: why."""

    name: str
    remark: str = ""


@dataclass(frozen=True)
class AdsChange:
    """Who changed what, and when.

    Attributes:
        version: of the account or campaign after it.
        before, after: its document; before it was created None.
    """

    kind: AdsKind
    entity_id: str
    account_id: str
    version: int
    action: str
    before: JsonObject | None
    after: JsonObject
    changed_by: str
    changed_at: datetime
    remark: str

    def to_json(self) -> JsonObject:
        """The change as it is printed."""
        return {"at": self.changed_at, "by": self.changed_by, **vars(self)}


@dataclass(frozen=True)
class StoredAds:
    """All accounts and campaigns at one instant.

    Attributes:
        version: see `AdsStore.version`.
        unreadable: id of a campaign that this version does not read -> why.
    """

    version: int
    accounts: tuple[Account, ...]
    campaigns: tuple[Campaign, ...]
    unreadable: Mapping[str, str]


def account_of(row: RowMapping) -> Account:
    """The account of a row of `ads_accounts`."""
    values = dict(row)
    del values["changed_by"]
    return Account(**values)


def account_values(account: Account) -> JsonObject:
    """The columns of an account but its id and those of the change."""
    return {
        "name": account.name,
        "time_zone": account.time_zone,
        "budget_day_micros": account.budget_day_micros,
        "prepaid": account.prepaid,
    }


def campaign_of(row: RowMapping, lines: Sequence[Line]) -> Campaign:
    """The campaign of a row of `ads_campaigns`.

    Raises:
        DataError: something in it is none that this version reads.
    """
    cap = row["frequency_cap"]
    return Campaign(
        campaign_id=row["campaign_id"],
        account_id=row["account_id"],
        name=row["name"],
        pricing=row["pricing"],
        bidding=bidding_of(row["strategy"], row["bid_micros"], row["target_percent"]),
        budget=_budget(row),
        schedule=Schedule(row["starts_on"], row["ends_on"]),
        status=row["status"],
        review=Review(row["review_state"], row["review_reason"]),
        targets=targets_of(row["targets"]),
        lines=tuple(lines),
        placement_percents=row["placement_percents"],
        quality_floor=row["quality_floor"],
        frequency_cap=None if cap is None else FrequencyCap(cap["count"], cap["window_seconds"]),
        never_beside=tuple(row["never_beside"]),
        version=row["version"],
        changed_at=row["changed_at"],
    )


def campaign_values(campaign: Campaign) -> JsonObject:
    """The columns of a campaign but its ids and those of the change."""
    return {
        "name": campaign.name,
        "pricing": campaign.pricing,
        **bidding_to_json(campaign.bidding),
        "budget_day_micros": campaign.budget.day_micros,
        "budget_total_micros": campaign.budget.total_micros,
        "starts_on": campaign.schedule.starts_on,
        "ends_on": campaign.schedule.ends_on,
        "status": campaign.status,
        "review_state": campaign.review.state,
        "review_reason": campaign.review.reason,
        "targets": targets_to_json(campaign.targets),
        "placement_percents": dict(campaign.placement_percents),
        "quality_floor": campaign.quality_floor,
        "frequency_cap": cap_to_json(campaign.frequency_cap),
        "never_beside": list(campaign.never_beside),
    }


def line_of(row: RowMapping, items: Sequence[str]) -> Line:
    """The line of a row of `ads_lines`."""
    return Line(row["line_id"], row["name"], tuple(items), row["bid_micros"], _budget(row), row["status"])


def line_values(line: Line, place: int) -> JsonObject:
    """The columns of a line but its ids."""
    return {
        "place": place,
        "name": line.name,
        "status": line.status,
        "bid_micros": line.bid_micros,
        "budget_day_micros": line.budget.day_micros,
        "budget_total_micros": line.budget.total_micros,
    }


def _budget(row: RowMapping) -> Budget:
    return Budget(row["budget_day_micros"], row["budget_total_micros"])
