"""A few accounts and campaigns, and questions to them, for the tests of selection."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import numpy as np

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget, FixedBid
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.ads.campaigns.status import APPROVED
from recsys.ads.selection.holds import Holds
from recsys.ads.selection.inventory import Inventory, ItemColumns
from recsys.ads.selection.prediction import AdContext, ClickEstimates, examination_by_power
from recsys.ads.selection.question import AdQuestion, Selection, SelectionRules
from recsys.ads.selection.refusals import RecentRefusals
from recsys.ads.selection.selection import select_ads
from recsys.ads.selection.spending import RunningNumber, Spending
from recsys.ads.selection.standing import Standing
from recsys.ads.selection.throttles import Throttles
from recsys.catalog import stable_key
from recsys.service_settings import AdsSettings
from tests.fake_budget_gate import FakeBudgetGate

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = "2026-05-01"
ACME, BOLT = Account("acc_1", "acme", "UTC"), Account("acc_2", "bolt", "UTC")


def campaign(name: str, *items: str, account: Account = ACME, bid: int = 400_000, **fields: Any) -> Campaign:
    """An approved campaign of one line."""
    line = Line(f"lin_{name}", name, items, budget=fields.pop("line_budget", Budget()))
    values: dict[str, Any] = {
        "pricing": "cpc",
        "bidding": FixedBid(bid),
        "review": APPROVED,
        "lines": (line,),
    }
    return Campaign(f"cmp_{name}", account.account_id, name, **{**values, **fields})


def catalog_of(
    inventory: Inventory, prices: Mapping[str, int], sold_out: Iterable[str] = (), products: Any = None
) -> Inventory:
    """With a catalog that has all items; those of `sold_out` cannot be bought."""
    ids, gone = inventory.item_ids, set(sold_out)
    return inventory.with_items(
        ItemColumns(
            np.array([each not in gone for each in ids], bool),
            np.array([prices.get(each, 0) for each in ids], np.int64),
            np.array([stable_key((products or {}).get(each, each)) for each in ids], np.int64),
        )
    )


@dataclass(frozen=True)
class FixedPredictor:
    """Says of each item what the test says."""

    attraction: Mapping[str, float] = field(default_factory=dict)
    relevance: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    viewed: Mapping[str, int] = field(default_factory=dict)
    p_purchase: float = 0.1
    version: str = "fixed"

    def estimate(self, context: AdContext, items: Sequence[str]) -> ClickEstimates:
        count = len(items)
        return ClickEstimates(
            np.array([self.attraction.get(item, 0.02) for item in items], np.float64),
            np.full(count, self.p_purchase),
            np.array([self.relevance.get(item, 1.0) for item in items], np.float64),
            np.array([self.spread.get(item, 0.0) for item in items], np.float64),
            np.array([self.viewed.get(item, 0) for item in items], np.float64),
        )

    def examination(self, surface: str, slots: int) -> tuple[float, ...]:
        return examination_by_power(slots, 1.0)


@dataclass
class Market:
    """Campaigns of two accounts behind a gate in memory."""

    campaigns: Sequence[Campaign]
    accounts: Sequence[Account] = (ACME, BOLT)
    predictor: FixedPredictor = FixedPredictor()
    prices: Mapping[str, int] = field(default_factory=dict)
    sold_out: Sequence[str] = ()
    products: Mapping[str, str] = field(default_factory=dict)
    rows: Sequence[RunningNumber] = ()
    throttles: Throttles | None = None
    rules: SelectionRules = SelectionRules()

    def __post_init__(self) -> None:
        self.seconds = 0.0
        self.gate = FakeBudgetGate(lambda: self.seconds, AdsSettings())
        self.refusals = RecentRefusals()
        self._ids = count(1)
        for account in self.accounts:
            self.gate.rebuild(account.account_id, {})

    @property
    def inventory(self) -> Inventory:
        found = Inventory.of(self.accounts, self.campaigns, NOW)
        return catalog_of(found, self.prices, self.sold_out, self.products)

    def standing(self) -> Standing:
        inventory = self.inventory
        spending = Spending.nothing(inventory, NOW).with_numbers(self.rows)
        return Standing.of(inventory, spending, self.throttles or Throttles.nothing(inventory))

    def holds(self) -> Holds:
        return Holds(self.gate, self.refusals, lambda: f"slot-{next(self._ids)}", self.seconds)

    def ask(self, asked: AdQuestion, standing: Standing | None = None) -> Selection:
        return select_ads(standing or self.standing(), asked, self.rules, self.predictor, self.holds())


def question(slots: int = 2, request_id: str = "r1", **fields: Any) -> AdQuestion:
    """What Ann is asked on the home page; fields of AdQuestion and of AdContext."""
    own = {name: fields.pop(name) for name in ("categories", "memory", "is_ghost", "facts") if name in fields}
    context = AdContext(
        **{"surface": "home", "unit": "user:ann", "now": NOW, "user_id": "ann", **fields}  # type: ignore[arg-type]
    )
    return AdQuestion(context, request_id, examination_by_power(slots, 1.0), **own)
