"""All ads that may be shown, as arrays: made when campaigns change, looked up by every request. Immutable."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import IMPRESSIONS_OF_CPM, FixedBid, MostClicks, TargetRoas
from recsys.ads.campaigns.campaign import AS_IT_IS, Campaign, Line
from recsys.ads.campaigns.targets import SURFACES
from recsys.ads.matching.target_index import TargetIndex
from recsys.amounts import MOST_MICROS
from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.catalog import stable_key
from recsys.errors import RecsysError
from recsys.instants import to_micros
from recsys.rules.expression_parsing import parse_expression

NO_CAP = 2**62  # micros
FIXED, ROAS, CLICKS = range(3)  # codes of bidding strategies
# What "most clicks" bids at most of the smallest budget where the campaign names no largest bid.
LARGEST_SHARE = 20  # one in so many
_EARLIEST, _LATEST = -(2**62), 2**62  # microseconds
_PRICINGS = {"cpc": PricingCode.CPC, "cpm": PricingCode.CPM, "cpa": PricingCode.CPA}


@dataclass(frozen=True, eq=False)
class ItemColumns:
    """What the catalog says of the items of A ads; (A,) each.

    Attributes:
        available: whether the catalog has the item, and it can be bought now.
        price_micros: 0 where it is not known.
        product: `stable_key` of the product, which variants share.
    """

    available: BoolArray
    price_micros: IntArray
    product: IntArray

    @classmethod
    def nothing(cls, count: int) -> "ItemColumns":
        """Of a catalog that has none of the items."""
        return cls(np.zeros(count, bool), np.zeros(count, np.int64), np.zeros(count, np.int64))


@dataclass(frozen=True, eq=False)
class Inventory:
    """G accounts, C campaigns, L lines and A ads; those of one campaign stand next to each other.

    Attributes:
        left_out: campaign id -> why it cannot be shown although it should be.
        index: of the campaigns' targets; a campaign's number is its place in `campaigns`.
        campaign_account, line_campaign, ad_line: which one each belongs to.
        starts_at, ends_at: (C,) microseconds, from when to when it runs.
        percents: (C, 4) of the bid, by the order of SURFACES.
        strategy: (C,) FIXED, ROAS or CLICKS. target_percent: (C,) of ROAS.
        line_bid: (L,) the bid; of automatic bidding the largest one.
        account_day, campaign_day, campaign_total, line_day, line_total: caps in micros, else NO_CAP.
        first_ad: (C + 1,) where the ads of each campaign begin.
        line_key, ad_key: the same for one line or ad wherever and whenever it is drawn.
        items: of the ads.
    """

    accounts: tuple[Account, ...]
    campaigns: tuple[Campaign, ...]
    lines: tuple[Line, ...]
    item_ids: tuple[str, ...]
    left_out: Mapping[str, str]
    index: TargetIndex
    campaign_account: IntArray
    line_campaign: IntArray
    ad_line: IntArray
    starts_at: IntArray
    ends_at: IntArray
    pricing: IntArray
    percents: IntArray
    quality_floor: DoubleArray
    strategy: IntArray
    target_percent: DoubleArray
    line_bid: IntArray
    account_day: IntArray
    campaign_day: IntArray
    campaign_total: IntArray
    line_day: IntArray
    line_total: IntArray
    first_ad: IntArray
    line_key: IntArray
    ad_key: IntArray
    items: ItemColumns

    @classmethod
    def of(
        cls,
        accounts: Sequence[Account],
        campaigns: Sequence[Campaign],
        now: datetime,
        unreadable: Mapping[str, str] | None = None,
    ) -> "Inventory":
        """Those of `campaigns` that are active, approved and not over; the catalog is not looked at yet.

        Args:
            unreadable: campaigns that could not even be read, with the reason.
        """
        left_out = dict(unreadable or {})
        by_id = {account.account_id: account for account in accounts}
        shown = []
        for campaign in campaigns:
            if campaign.status != "active" or campaign.review.state != "approved":
                continue
            problem = _problem(campaign, by_id.get(campaign.account_id), now)
            if problem:
                left_out[campaign.campaign_id] = problem
            elif _is_over(campaign, by_id[campaign.account_id], now):
                continue
            else:
                shown.append(campaign)
        return _inventory([*by_id.values()], shown, left_out)

    @cached_property
    def places(self) -> Mapping[str, tuple[int, int, int]]:
        """Id of an account, campaign or line -> 0, 1 or 2, its number, and that of its account."""
        of_campaign = self.campaign_account.tolist()
        found = {each.account_id: (0, at, at) for at, each in enumerate(self.accounts)}
        for at, campaign in enumerate(self.campaigns):
            found[campaign.campaign_id] = (1, at, of_campaign[at])
        for at, (line, number) in enumerate(zip(self.lines, self.line_campaign.tolist(), strict=True)):
            found[line.line_id] = (2, at, of_campaign[number])
        return found

    def with_items(self, items: ItemColumns) -> "Inventory":
        """The same with what the catalog says of `item_ids` now."""
        return replace(self, items=items)

    def running(self, numbers: IntArray, now: datetime) -> IntArray:
        """Those campaigns of `numbers` that run at `now`."""
        at = to_micros(now)
        return numbers[(self.starts_at[numbers] <= at) & (at < self.ends_at[numbers])]

    @cached_property
    def campaign_ids(self) -> npt.NDArray[np.object_]:
        """(C,) their ids."""
        return np.array([each.campaign_id for each in self.campaigns], object)

    @cached_property
    def _ids_of_items(self) -> npt.NDArray[np.object_]:
        return np.array(self.item_ids, object)

    def items_of(self, ads: IntArray) -> list[str]:
        """The ids of the items of these ads."""
        found: list[str] = self._ids_of_items[ads].tolist()
        return found

    def ads_of(self, campaigns: IntArray) -> IntArray:
        """The ads of these campaigns whose items can be bought, campaign after campaign."""
        starts = self.first_ad[campaigns]
        counts = self.first_ad[campaigns + 1] - starts
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        ads: IntArray = np.repeat(starts, counts) + inside
        return ads[self.items.available[ads]]

    def __len__(self) -> int:
        return len(self.item_ids)


def _problem(campaign: Campaign, account: Account | None, now: datetime) -> str:
    """Why an active campaign cannot be shown, empty where it can."""
    if account is None:
        return f"its account {campaign.account_id} is not there."
    try:
        if campaign.targets.segment is not None:
            parse_expression(campaign.targets.segment)
        campaign.schedule.phase(now, account.zone)
        campaign.schedule.bounds(account.zone)
    except RecsysError as error:
        return str(error)
    return ""


def _is_over(campaign: Campaign, account: Account, now: datetime) -> bool:
    return campaign.schedule.phase(now, account.zone) == "over"


def _inventory(
    accounts: Sequence[Account], campaigns: Sequence[Campaign], left_out: Mapping[str, str]
) -> Inventory:
    numbers = {account.account_id: number for number, account in enumerate(accounts)}
    of_account = [numbers[campaign.account_id] for campaign in campaigns]
    bounds = [
        campaign.schedule.bounds(accounts[number].zone)
        for campaign, number in zip(campaigns, of_account, strict=True)
    ]
    lines = [
        (number, line)
        for number, campaign in enumerate(campaigns)
        for line in campaign.lines
        if line.status == "active"
    ]
    ads = _distinct_ads(lines)
    caps = _int([_cap(account.budget_day_micros) for account in accounts])
    of_ads = np.bincount([lines[place][0] for place, _, _ in ads], minlength=len(campaigns))
    return Inventory(
        accounts=tuple(accounts),
        campaigns=tuple(campaigns),
        lines=tuple(line for _, line in lines),
        item_ids=tuple(item for _, item, _ in ads),
        left_out=left_out,
        index=TargetIndex(campaigns),
        campaign_account=_int(of_account),
        line_campaign=_int(number for number, _ in lines),
        ad_line=_int(place for place, _, _ in ads),
        starts_at=_int(_EARLIEST if start is None else to_micros(start) for start, _ in bounds),
        ends_at=_int(_LATEST if end is None else to_micros(end) for _, end in bounds),
        pricing=_int(_PRICINGS[each.pricing] for each in campaigns),
        percents=_int(
            [each.placement_percents.get(surface, AS_IT_IS) for surface in SURFACES] for each in campaigns
        ).reshape(-1, len(SURFACES)),
        quality_floor=np.array([each.quality_floor for each in campaigns], np.float64),
        strategy=_int(_strategy(each) for each in campaigns),
        target_percent=np.array([_target_percent(each) for each in campaigns], np.float64),
        line_bid=_int(
            _line_bid(campaigns[number], line, int(caps[of_account[number]])) for number, line in lines
        ),
        account_day=caps,
        campaign_day=_int(_cap(each.budget.day_micros) for each in campaigns),
        campaign_total=_int(_cap(each.budget.total_micros) for each in campaigns),
        line_day=_int(_cap(line.budget.day_micros) for _, line in lines),
        line_total=_int(_cap(line.budget.total_micros) for _, line in lines),
        first_ad=np.concatenate([[0], np.cumsum(of_ads)]).astype(np.int64),
        line_key=_int(stable_key(line.line_id) for _, line in lines),
        ad_key=_int(key for _, _, key in ads),
        items=ItemColumns.nothing(len(ads)),
    )


def _distinct_ads(lines: Sequence[tuple[int, Line]]) -> list[tuple[int, str, int]]:
    """Line, item and key of each ad; of two with one key, which never happens, the first."""
    found: dict[int, tuple[int, str, int]] = {}
    for place, (_, line) in enumerate(lines):
        for item in line.items:
            key = stable_key(f"{line.line_id} {item}")
            found.setdefault(key, (place, item, key))
    return list(found.values())


def _strategy(campaign: Campaign) -> int:
    bidding = campaign.bidding
    return ROAS if isinstance(bidding, TargetRoas) else CLICKS if isinstance(bidding, MostClicks) else FIXED


def _target_percent(campaign: Campaign) -> float:
    bidding = campaign.bidding
    return float(bidding.percent) if isinstance(bidding, TargetRoas) else float(AS_IT_IS)


def _line_bid(campaign: Campaign, line: Line, account_cap: int) -> int:
    """The bid, or of automatic bidding the largest one: never more than the smallest budget pays for."""
    bidding = campaign.bidding
    if isinstance(bidding, FixedBid):
        bid = campaign.line_bid_micros(line)
        return 0 if bid is None else bid
    amounts = (*_amounts(campaign), line.budget.day_micros, line.budget.total_micros)
    smallest = min([account_cap, *(each for each in amounts if each is not None)])
    events = IMPRESSIONS_OF_CPM if campaign.pricing == "cpm" else 1
    most = min(smallest * events, MOST_MICROS)
    if bidding.most_bid_micros is not None:
        return min(bidding.most_bid_micros, most)
    return most // LARGEST_SHARE if isinstance(bidding, MostClicks) else most


def _amounts(campaign: Campaign) -> tuple[int | None, int | None]:
    return campaign.budget.day_micros, campaign.budget.total_micros


def _cap(micros: int | None) -> int:
    return NO_CAP if micros is None else micros


def _int(values: Iterable[object]) -> IntArray:
    return np.array(list(values), np.int64)
