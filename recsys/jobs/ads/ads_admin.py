"""Accounts and campaigns as an HTTP service lists, changes and explains them: each caller what it may see."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recsys.ads.campaigns.status import Action
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import RequestError
from recsys.instants import utc_now
from recsys.jobs.ads.accounts import AccountEditing
from recsys.jobs.ads.campaign_fields import CampaignFields
from recsys.jobs.ads.campaigns import CampaignEditing
from recsys.jobs.ads.delivery.campaign_delivery import CampaignDelivery


@dataclass(frozen=True)
class AdsCaller:
    """Who asks.

    Attributes:
        author: for the audit.
        account_id: of the advertiser, who sees nothing else; None = the shop's operator.
    """

    author: str
    account_id: str | None


class AdsAdmin:
    """The accounts and campaigns of one shop. What another account has is unknown to an advertiser.

    Every method opens the database for itself, and raises StoreUnavailableError where it does not answer;
    UnknownCampaignError for what is not there, StaleVersionError for a `version` that is an older one, and
    RequestError for what cannot be.
    """

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = utc_now) -> None:
        self._settings = settings
        self._clock = clock

    # -- accounts -----------------------------------------------------------------------------

    def accounts(self, caller: AdsCaller) -> JsonObject:
        """All accounts that the caller sees."""
        return {"accounts": [each.to_json() for each in self._accounts(caller).accounts()]}

    def account(self, caller: AdsCaller, which: str) -> JsonObject:
        """An account by id or name."""
        return self._accounts(caller).account(which).to_json()

    def create_account(self, caller: AdsCaller, given: Mapping[str, Any]) -> JsonObject:
        """A new account.

        Args:
            given: `name`, `time_zone`, and where wanted `budget_day_micros` and `prepaid`.
        """
        editing = self._accounts(caller)
        made = editing.create(
            given["name"],
            given["time_zone"],
            given.get("budget_day_micros"),
            prepaid=given.get("prepaid", False),
        )
        return made.to_json()

    def change_account(
        self, caller: AdsCaller, which: str, given: Mapping[str, Any], version: int, remark: str
    ) -> JsonObject:
        """The account renamed, or with another budget a day; null takes the bound away."""
        budget = given.get("budget_day_micros")
        if budget is None and "budget_day_micros" in given:
            budget = "none"
        editing = self._accounts(caller)
        return editing.edit(which, given.get("name"), budget, remark, version).to_json()

    # -- campaigns ----------------------------------------------------------------------------

    def campaigns(self, caller: AdsCaller, account: str | None, archived: bool) -> JsonObject:
        """Campaigns by account and name, of one account or of all that the caller sees."""
        found = self._campaigns(caller).campaigns(account, archived)
        return {"campaigns": [each.to_json() for each in found]}

    def campaign(self, caller: AdsCaller, which: str) -> JsonObject:
        """A campaign by id or name."""
        return self._campaigns(caller).campaign(which).to_json()

    def create(
        self, caller: AdsCaller, account: str | None, given: Mapping[str, Any], draft: bool
    ) -> JsonObject:
        """A new campaign; an advertiser's is of its own account where none is named."""
        owner = account or caller.account_id
        if owner is None:
            raise RequestError("whose campaign it is was not said. Give `account`.")
        return self._campaigns(caller).create(owner, CampaignFields(given), draft).to_json()

    def change(
        self, caller: AdsCaller, which: str, given: Mapping[str, Any], version: int, remark: str
    ) -> JsonObject:
        """The campaign with what is given in the place of what it had."""
        editing = self._campaigns(caller)
        return editing.edit(which, CampaignFields(given), remark=remark, version=version).to_json()

    def change_status(
        self, caller: AdsCaller, which: str, action: Action, line: str | None, version: int, remark: str
    ) -> JsonObject:
        """The campaign, or one of its lines, paused, resumed or archived."""
        editing = self._campaigns(caller)
        return editing.change_status(which, action, None, line, remark, version).to_json()

    def review(self, caller: AdsCaller, which: str, rejected_for: str | None, version: int) -> JsonObject:
        """The campaign approved, or rejected for a reason."""
        return self._campaigns(caller).review(which, rejected_for, version=version).to_json()

    def history(self, caller: AdsCaller, which: str) -> JsonObject:
        """Who changed a campaign, oldest first."""
        return {"changes": [each.to_json() for each in self._campaigns(caller).history(which)]}

    # -- what was delivered -------------------------------------------------------------------

    def report(self, caller: AdsCaller, which: str, first: str | None, last: str | None) -> JsonObject:
        """What a campaign delivered, day by day."""
        return self._delivery(caller).report(which, first=first, last=last).to_json()

    def why_not(self, caller: AdsCaller, which: str) -> JsonObject:
        """Why a campaign is not shown."""
        return self._delivery(caller).why_not(which).to_json()

    def _accounts(self, caller: AdsCaller) -> AccountEditing:
        return AccountEditing(self._settings, caller.author, self._clock, caller.account_id)

    def _campaigns(self, caller: AdsCaller) -> CampaignEditing:
        return CampaignEditing(self._settings, caller.author, caller.account_id, self._clock)

    def _delivery(self, caller: AdsCaller) -> CampaignDelivery:
        return CampaignDelivery(self._settings, caller.account_id, self._clock)
