"""`recsys ads attribution`: what campaigns sold, by the ad log, the event lake and the catalog."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.ads.attribution.new_to_brand import YEAR_MICROS
from recsys.ads.attribution.records import ItemGroups, Purchases, Touches, standing_purchases
from recsys.ads.attribution.rule import HALOS, WINDOWS, AttributionRule
from recsys.ads.attribution.totals import CampaignSales, campaign_sales
from recsys.ads.labels.slot_labels import SlotLabels
from recsys.amounts import PIECE, amount_text
from recsys.arrays import IntArray, combined
from recsys.config import Settings
from recsys.dataset.cancellations import read_amounts
from recsys.documents import JsonObject
from recsys.errors import ConfigError
from recsys.instants import to_micros, utc_now
from recsys.jobs.ads.campaigns import CampaignEditing
from recsys.jobs.ads.served_labels import read_served_labels
from recsys.jobs.ads.shown_campaign import ShownCampaign
from recsys.stores.lake.dataset_files import load_items
from recsys.stores.lake.event_lake import open_lake
from recsys.stores.served.ad_log_files import AdLogGap

MOST_DAYS = 366
_KINDS = pa.array([columns.PURCHASE, columns.CANCEL])
_COLUMNS = (
    columns.USER_ID,
    columns.ITEM_ID,
    columns.KIND,
    columns.AT,
    columns.QUANTITY,
    columns.VALUE_MICROS,
)


@dataclass(frozen=True)
class SalesQuestion:
    """Whose sales, of the purchases of the last `days` days, by which rule.

    Attributes:
        account, campaign: by name or id; None = all.
    """

    account: str | None = None
    campaign: str | None = None
    days: int = 28
    rule: AttributionRule = AttributionRule()

    def __post_init__(self) -> None:
        """Raises ConfigError where the days are out of range."""
        if not 1 <= self.days <= MOST_DAYS:
            raise ConfigError(f"--days {self.days} is not between 1 and {MOST_DAYS}.")

    @classmethod
    def of(
        cls, account: str | None, campaign: str | None, days: int, window: int, view_window: int, halo: str
    ) -> "SalesQuestion":
        """The question that options ask; raises ConfigError where one is none of those offered."""
        if halo not in HALOS:
            raise ConfigError(f"--halo {halo!r} is not known. Use {', '.join(HALOS)}.")
        return cls(account, campaign, days, AttributionRule(window, view_window, halo))


@dataclass(frozen=True)
class SalesReport:
    """What campaigns sold from `since` to `until`.

    Attributes:
        sales: by campaign, in the order of `campaigns`.
        gaps: what the ad log lacks of the time of the touches.
    """

    since: datetime
    until: datetime
    rule: AttributionRule
    campaigns: tuple[ShownCampaign, ...]
    sales: tuple[CampaignSales, ...]
    gaps: tuple[AdLogGap, ...]

    def to_rows(self) -> list[JsonObject]:
        """A line a campaign, for people."""
        return [
            {
                "account": shown.account.name,
                "campaign": shown.campaign.name,
                "purchases": sold.purchases,
                "by click": sold.by_click,
                "by view": sold.by_view,
                "same item": sold.same_item,
                "halo": sold.halo,
                "new to brand": sold.new_to_brand,
                "undone": sold.undone,
                "pieces": f"{sold.quantity / PIECE:g}",
                "value": amount_text(sold.value_micros, shown.currency),
                "taken back": amount_text(sold.taken_micros, shown.currency),
            }
            for shown, sold in zip(self.campaigns, self.sales, strict=True)
        ]

    def to_json(self) -> JsonObject:
        """What `--json` prints."""
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "rule": asdict(self.rule),
            "gaps": [str(gap) for gap in self.gaps],
            "campaigns": [
                {
                    "account": shown.account.name,
                    "campaign": shown.campaign.name,
                    "campaign_id": shown.campaign.campaign_id,
                    "currency": shown.currency,
                    **asdict(sold),
                }
                for shown, sold in zip(self.campaigns, self.sales, strict=True)
            ],
        }


def attributed_sales(settings: Settings, question: SalesQuestion, now: datetime | None = None) -> SalesReport:
    """What the campaigns sold that are asked for; touches of all campaigns compete for each purchase.

    An impression touches its user at the instant of its answer, if it was viewable; a click at its own, if
    it counts as a label does: invalid traffic and ghosts touch nobody, nor do slots without a user.

    Raises:
        UnknownCampaignError: there is no such account or campaign.
        DataError: nothing was imported, or a file cannot be read.
    """
    now = now or utc_now()
    editing = CampaignEditing(settings)
    asked = (
        [editing.campaign(question.campaign, question.account)]
        if question.campaign is not None
        else editing.campaigns(question.account, archived=True)
    )
    since = now - timedelta(days=question.days)
    served = read_served_labels(settings, since - timedelta(days=max(WINDOWS)), now, now)
    year = timedelta(microseconds=YEAR_MICROS)
    events = open_lake(settings.paths).read_as_happened(_COLUMNS, since - year)
    events = events.filter(pc.is_in(events[columns.KIND], value_set=_KINDS))
    ids = [shown.campaign.campaign_id for shown in asked]
    known = list(dict.fromkeys([*ids, *(slot.campaign_id for slot in served.labels.slots)]))
    touches, purchases, groups = _coded(served.labels, events, load_items(settings.paths), known)
    counted = (purchases.at >= to_micros(since)) & (purchases.at <= to_micros(now))
    sales = campaign_sales(touches, purchases, groups, [question.rule] * len(known), counted)
    return SalesReport(since, now, question.rule, tuple(asked), sales[: len(ids)], served.gaps)


def _coded(
    labels: SlotLabels, events: pa.Table, items: pa.Table, campaigns: Sequence[str]
) -> tuple[Touches, Purchases, ItemGroups]:
    """Touches and purchases with one code for each user and item, and the groups of those items."""
    slots = labels.slots
    has_user = np.array([slot.user_id is not None for slot in slots], bool)
    views = np.flatnonzero((labels.viewable == 1) & ~labels.invalid & has_user)
    clicks = np.flatnonzero(labels.clicked & ~labels.invalid & has_user)
    rows = np.concatenate([views, clicks])
    users = [slots[row].user_id for row in rows] + events[columns.USER_ID].to_pylist()
    ads = [slots[row].item_id for row in rows] + events[columns.ITEM_ID].to_pylist()
    user = np.asarray(pd.factorize(np.array(users, object))[0], np.int64)
    item, names = pd.factorize(np.array(ads, object))
    item = np.asarray(item, np.int64)
    places = {campaign: place for place, campaign in enumerate(campaigns)}
    touches = Touches(
        rows,
        np.array([places[slots[row].campaign_id] for row in rows], np.int64),
        user[: len(rows)],
        item[: len(rows)],
        np.concatenate([labels.served_at[views], labels.clicked_at[clicks]]),
        np.arange(len(rows)) >= len(views),
    )
    cancels = np.asarray(combined(pc.equal(events[columns.KIND], columns.CANCEL)), bool)
    at = np.asarray(combined(events[columns.AT]).cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    bought = standing_purchases(
        user[len(rows) :], item[len(rows) :], at, cancels, *read_amounts(events, cancels)
    )
    return touches, bought, _groups(items, names.tolist())


def _groups(items: pa.Table, names: Sequence[str]) -> ItemGroups:
    """The brand and the category of each item; what the catalog lacks belongs to none."""
    ids = items[columns.ITEM_ID].to_pylist()

    def codes(column: str) -> IntArray:
        of_item: Mapping[str, str | None] = dict(zip(ids, items[column].to_pylist(), strict=True))
        values = np.array([of_item.get(name) for name in names], object)
        return np.asarray(pd.factorize(values)[0], np.int64) + 1  # None is -1, and so 0

    return ItemGroups(codes(columns.BRAND), codes(columns.CATEGORY))
