"""Campaigns of the demo shop: twelve of its coupon lists as ads, with bids and budgets of our own choice.

The package says which coupons a campaign sent and when, not who paid what. So advertisers, bids and budgets
are made up and stated here; the dates are those of the list, moved so that each campaign began yesterday.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from recsys.config import Settings
from recsys.instants import utc_now
from recsys.jobs.ads.accounts import AccountEditing
from recsys.jobs.ads.campaign_options import CampaignOptions
from recsys.jobs.ads.campaigns import CampaignEditing
from recsys.jobs.data.demo import demo_folder
from recsys.stores.lake.dataset_files import load_items

ADVERTISERS = ("North Brands", "South Brands", "West Brands")
BUDGET_OF_ADVERTISER = "60.00"  # a day
TIME_ZONE = "America/New_York"
ITEMS, CATEGORIES = 20, 5  # of a campaign: those that were bought most, and what they are
_TYPES = ("Type B", "Type C")
_BIDS = (  # pricing, bid, budget a day
    ("cpc", "0.60", "12.00"),
    ("cpc", "0.45", "10.00"),
    ("cpc", "0.35", "8.00"),
    ("cpc", "0.50", "15.00"),
    ("cpc", "0.25", "6.00"),
    ("cpm", "4.00", "9.00"),
    ("cpc", "0.40", "10.00"),
    ("cpc", "0.30", "7.00"),
    ("cpa", "1.50", "20.00"),
    ("cpc", "0.55", "12.00"),
    ("cpc", "0.20", "5.00"),
    ("cpc", "0.65", "14.00"),
)


@dataclass(frozen=True)
class PlannedCampaign:
    """One coupon list as a campaign of ads."""

    name: str
    advertiser: str
    pricing: str
    bid: str
    budget_per_day: str
    items: tuple[str, ...]
    categories: tuple[str, ...]
    start: date
    end: date

    def options(self) -> CampaignOptions:
        """What `recsys ads campaign create` would be given."""
        return CampaignOptions(
            name=self.name,
            pricing=self.pricing,
            bid=self.bid,
            budget_per_day=self.budget_per_day,
            start=self.start.isoformat(),
            end=self.end.isoformat(),
            targets=[f"category={category}" for category in self.categories],
            items=self.items,
        )


def create_demo_campaigns(settings: Settings) -> list[PlannedCampaign]:
    """The campaigns, made now where their advertisers are not there yet; the same ones the next time.

    Raises:
        DataError: the demo shop's package is not installed, or nothing was imported.
    """
    folder = demo_folder(settings.paths)
    bought = pd.read_parquet(folder / "transactions.parquet", columns=["product_id"])["product_id"]
    items = load_items(settings.paths).select(["item_id", "category", "available"]).to_pandas()
    buyable = items[items["available"].fillna(True).astype(bool) & items["category"].notna()]
    planned = plan_campaigns(
        pd.read_parquet(folder / "coupons.parquet"),
        pd.read_parquet(folder / "campaign_descriptions.parquet"),
        dict(zip(buyable["item_id"], buyable["category"], strict=True)),
        {str(item): int(count) for item, count in bought.astype(str).value_counts().items()},
        utc_now().date(),
    )
    accounts, campaigns = AccountEditing(settings), CampaignEditing(settings)
    there = {each.account.name for each in accounts.accounts()}
    for name in ADVERTISERS:
        if name not in there:
            accounts.create(name, TIME_ZONE, BUDGET_OF_ADVERTISER)
    known = {(each.account.name, each.campaign.name) for each in campaigns.campaigns(archived=True)}
    for each in planned:
        if (each.advertiser, each.name) not in known:
            campaigns.create(each.advertiser, each.options())
    return planned


def plan_campaigns(
    coupons: pd.DataFrame,
    descriptions: pd.DataFrame,
    categories: Mapping[str, str],
    purchases: Mapping[str, int],
    today: date,
) -> list[PlannedCampaign]:
    """The first lists of the types B and C that have items of the catalog, one for each of the stated bids.

    Args:
        coupons: campaign_id, product_id. descriptions: campaign_id, campaign_type, start_date, end_date.
        categories: of items that can be bought. purchases: of items.
    """
    of_type = descriptions[descriptions["campaign_type"].astype(str).isin(_TYPES)]
    lasted = pd.to_datetime(of_type["end_date"]) - pd.to_datetime(of_type["start_date"])
    of_type = of_type.assign(number=of_type["campaign_id"].astype(int), days=lasted.dt.days)
    listed = {name: set(rows) for name, rows in coupons.groupby("campaign_id")["product_id"]}
    planned: list[PlannedCampaign] = []
    for row in of_type.sort_values("number").to_dict("records"):
        products = {str(product) for product in listed.get(row["campaign_id"], ())}
        items = most_bought(products & categories.keys(), purchases)
        if not items or len(planned) == len(_BIDS):
            continue
        pricing, bid, budget = _BIDS[len(planned)]
        start = today - timedelta(days=1)
        planned.append(
            PlannedCampaign(
                name=f"coupons {row['number']}",
                advertiser=ADVERTISERS[len(planned) % len(ADVERTISERS)],
                pricing=pricing,
                bid=bid,
                budget_per_day=budget,
                items=tuple(items),
                categories=_most_frequent([categories[item] for item in items]),
                start=start,
                end=start + timedelta(days=int(row["days"])),
            )
        )
    return planned


def most_bought(items: Collection[str], purchases: Mapping[str, int]) -> list[str]:
    """At most ITEMS of them, those that were bought most first."""
    return sorted(items, key=lambda item: (-purchases.get(item, 0), item))[:ITEMS]


def _most_frequent(names: Sequence[str]) -> tuple[str, ...]:
    counts = pd.Series(names).value_counts(sort=True)
    return tuple(sorted(counts.index, key=lambda name: (-counts[name], name))[:CATEGORIES])
