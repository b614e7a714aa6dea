"""Campaigns made, changed, reviewed and looked at, by the shop's operator or by their advertiser."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import FixedBid
from recsys.ads.campaigns.campaign import Campaign, review_after
from recsys.ads.campaigns.checks import check_campaign
from recsys.ads.campaigns.readiness import Obstacle, campaign_state, obstacles
from recsys.ads.campaigns.status import APPROVED, Action, changed_status, check_editable, rejection
from recsys.ads.matching.keywords import units_of
from recsys.config import Settings
from recsys.errors import DataError, RequestError
from recsys.instants import utc_now
from recsys.jobs.ads.accounts import new_id, shop_currency
from recsys.jobs.ads.catalog_facts import ShopCatalog, items_of
from recsys.jobs.ads.shown_campaign import ShownCampaign
from recsys.processes import current_user
from recsys.rules.expression_parsing import parse_expression
from recsys.rules.fields import FieldNames
from recsys.stores.ads.records import AdsChange, Author
from recsys.stores.ads.store import AdsStore
from recsys.stores.rules.user_attributes import UserAttributes

NO_BID = FixedBid(0)


class GivenCampaign(Protocol):
    """What is said of a campaign that is made or changed."""

    @property
    def name(self) -> str | None:
        """Its name; None = as it is."""
        ...

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said."""
        ...

    def check_complete(self) -> None:
        """Raises RequestError where a new campaign would lack what each needs."""
        ...

    def apply(self, campaign: Campaign, currency: str | None, new_line_id: Callable[[], str]) -> Campaign:
        """`campaign` with what is said in the place of what it had; raises RequestError where it cannot."""
        ...


class CampaignEditing:
    """The campaigns of one home. Every method opens the database for itself.

    Args:
        author: who changes something; None = who runs this process.
        account_id: of the advertiser that acts and sees nothing else; None = the shop's operator.
    """

    def __init__(
        self,
        settings: Settings,
        author: str | None = None,
        account_id: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings = settings
        self._author = author or current_user() or "unknown"
        self._account_id = account_id
        self._clock = clock

    def create(self, account: str, given: GivenCampaign, draft: bool = False) -> ShownCampaign:
        """A new campaign of the account of that name or id; a draft is not shown until it is resumed.

        Raises:
            UnknownCampaignError: there is no such account.
            RequestError: something is wrong with the campaign, or the catalog lacks what it names.
            DataError: nothing was imported.
        """
        with self._store() as store:
            owner, campaign = self._new(store, account, given, draft)
            return self._shown(owner, store.add_campaign(campaign, Author(self._author)))

    def planned(self, account: str, given: GivenCampaign) -> ShownCampaign:
        """The campaign that `create` would make; nothing is kept. Raises as that does."""
        with self._store() as store:
            return self._shown(*self._new(store, account, given, draft=False))

    def edit(
        self,
        which: str,
        given: GivenCampaign,
        account: str | None = None,
        remark: str = "",
        version: int | None = None,
    ) -> ShownCampaign:
        """Changes what is given of a campaign.

        Args:
            version: that was read; None = whatever it is now.

        Raises:
            RequestError: nothing is given, the campaign is archived, or as `create` does.
            UnknownCampaignError: there is no such campaign. DataError: nothing was imported.
            StaleVersionError: somebody else changed it meanwhile.
        """
        if given.is_empty:
            raise RequestError("nothing is to be changed. Give something, such as another budget a day.")
        with self._store() as store:
            owner, campaign = self._changed(store, which, given, account, version)
            return self._shown(owner, store.save_campaign(campaign, Author(self._author, remark)))

    def changed(self, which: str, given: GivenCampaign, account: str | None = None) -> ShownCampaign:
        """The campaign that `edit` would make, or as it is where nothing is given; nothing is kept."""
        with self._store() as store:
            return self._shown(*self._changed(store, which, given, account))

    def change_status(
        self,
        which: str,
        action: Action,
        account: str | None = None,
        line: str | None = None,
        remark: str = "",
        version: int | None = None,
    ) -> ShownCampaign:
        """Pauses, resumes or archives a campaign, or one of its lines.

        Args:
            version: as of `edit`.

        Raises:
            UnknownCampaignError: there is no such campaign.
            RequestError: its status does not allow it, or it has no such line.
            StaleVersionError: somebody else changed it meanwhile.
        """
        with self._store() as store:
            owner, before = _at_version(store, which, account, version)
            what = f"campaign {before.name!r}"
            if line is None:
                after = replace(before, status=changed_status(what, before.status, action))
            else:
                check_editable(what, before.status)
                after = _with_line_status(before, line, action)
            saved = store.save_campaign(after, Author(self._author, remark), action)
            return self._shown(owner, saved)

    def review(
        self,
        which: str,
        rejected_for: str | None,
        account: str | None = None,
        version: int | None = None,
    ) -> ShownCampaign:
        """Approves a campaign, or rejects it for a reason; `version` as of `edit`.

        Raises:
            UnknownCampaignError: there is no such campaign.
            RequestError: an advertiser asks, or the reason cannot be one.
        """
        if self._account_id is not None:
            raise RequestError("an advertiser reviews no campaigns. Ask the shop's operator.")
        verdict = APPROVED if rejected_for is None else rejection(rejected_for)
        with self._store() as store:
            owner, before = _at_version(store, which, account, version)
            check_editable(f"campaign {before.name!r}", before.status)
            action = "approve" if verdict == APPROVED else "reject"
            saved = store.save_campaign(replace(before, review=verdict), Author(self._author), action)
            return self._shown(owner, saved)

    def campaigns(self, account: str | None = None, archived: bool = False) -> list[ShownCampaign]:
        """Campaigns, of one account or of all, by account and name; archived ones where they are asked for.

        Raises:
            UnknownCampaignError: there is no such account.
        """
        with self._store() as store:
            owners = store.accounts() if account is None else (store.account(account),)
            found = store.campaigns(None if account is None else owners[0].account_id)
        by_id = {owner.account_id: owner for owner in owners}
        shown = [each for each in found if archived or each.status != "archived"]
        shown.sort(key=lambda each: (by_id[each.account_id].name, each.name))
        return [self._shown(by_id[each.account_id], each) for each in shown]

    def campaign(self, which: str, account: str | None = None) -> ShownCampaign:
        """The campaign of that name or id; raises UnknownCampaignError if there is none."""
        with self._store() as store:
            return self._shown(*found_campaign(store, which, account))

    def why_not(self, which: str, account: str | None = None) -> tuple[Obstacle, ...]:
        """What keeps the ads of a campaign away now; empty = nothing that can be told without serving.

        Raises:
            UnknownCampaignError: there is no such campaign. DataError: nothing was imported.
        """
        found = self.campaign(which, account)
        catalog = ShopCatalog(self._settings.paths).facts(items_of(found.campaign))
        return obstacles(found.account, found.campaign, catalog, self._clock())

    def history(self, which: str, account: str | None = None) -> list[AdsChange]:
        """Who changed the campaign, oldest first; raises UnknownCampaignError if there is none."""
        with self._store() as store:
            return [*store.history(found_campaign(store, which, account)[1].campaign_id)]

    def _new(
        self, store: AdsStore, account: str, given: GivenCampaign, draft: bool
    ) -> tuple[Account, Campaign]:
        owner = store.account(account)
        given.check_complete()
        name = given.name or _free_name(store.campaigns(owner.account_id))
        empty = Campaign(new_id("cmp_"), owner.account_id, name, "cpc", NO_BID)
        campaign = self._with_options(empty, given)
        review = review_after(None, campaign, self._account_id is None)
        campaign = replace(campaign, status="draft" if draft else "active", review=review)
        self._check(owner, campaign)
        return owner, campaign

    def _changed(
        self,
        store: AdsStore,
        which: str,
        given: GivenCampaign,
        account: str | None,
        version: int | None = None,
    ) -> tuple[Account, Campaign]:
        owner, before = _at_version(store, which, account, version)
        check_editable(f"campaign {before.name!r}", before.status)
        campaign = self._with_options(before, given)
        campaign = replace(campaign, review=review_after(before, campaign, self._account_id is None))
        self._check(owner, campaign)
        return owner, campaign

    def _with_options(self, campaign: Campaign, given: GivenCampaign) -> Campaign:
        return given.apply(campaign, shop_currency(self._settings), lambda: new_id("lin_"))

    def _check(self, owner: Account, campaign: Campaign) -> None:
        check_campaign(owner, campaign)
        ShopCatalog(self._settings.paths).check(campaign)
        for word in campaign.targets.keywords:
            if not units_of(word.text):
                raise RequestError(f"--keywords {word.text!r} has neither a word nor a number. Leave it out.")
        if campaign.targets.segment is not None:
            users = UserAttributes(self._settings.paths)
            users.refresh()
            try:
                parse_expression(campaign.targets.segment, FieldNames(users.kinds()))
            except DataError as error:
                raise RequestError(f"--target segment: {error}") from error

    def _shown(self, owner: Account, campaign: Campaign) -> ShownCampaign:
        state = campaign_state(owner, campaign, self._clock())
        return ShownCampaign(owner, campaign, state, shop_currency(self._settings))

    @contextmanager
    def _store(self) -> Iterator[AdsStore]:
        with AdsStore.open(self._settings, self._clock) as store:
            yield store if self._account_id is None else store.within(self._account_id)


def found_campaign(store: AdsStore, which: str, account: str | None) -> tuple[Account, Campaign]:
    """The campaign of that name or id, of that account where one is named, with its account.

    Raises:
        UnknownCampaignError: there is none. RequestError: several accounts have one of that name.
    """
    owner_id = None if account is None else store.account(account).account_id
    campaign = store.campaign(which, owner_id)
    return store.account(campaign.account_id), campaign


def _at_version(
    store: AdsStore, which: str, account: str | None, version: int | None
) -> tuple[Account, Campaign]:
    """The campaign as it is, said to be of the `version` that was read: the store refuses another one."""
    owner, campaign = found_campaign(store, which, account)
    return owner, campaign if version is None else replace(campaign, version=version)


def _with_line_status(campaign: Campaign, name: str, action: Action) -> Campaign:
    line = campaign.line(name)
    if line is None:
        known = ", ".join(each.name for each in campaign.lines)
        raise RequestError(f"campaign {campaign.name!r} has no line {name[:100]!r}. It has: {known}.")
    changed = replace(line, status=changed_status(f"line {line.name!r}", line.status, action))
    lines = tuple(changed if each is line else each for each in campaign.lines)
    return replace(campaign, lines=lines)


def _free_name(campaigns: tuple[Campaign, ...]) -> str:
    """`campaign 1`, or with the first number that no campaign of the account has."""
    taken = {campaign.name for campaign in campaigns}
    return next(name for count in range(1, len(taken) + 2) if (name := f"campaign {count}") not in taken)
