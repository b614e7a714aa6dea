"""A shop whose ads are clicked, for tests of the charge worker: its books are real, its stream in memory."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import orjson

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget, FixedBid, Pricing
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.ads.tokens.impression_token import ImpressionTokens, SponsoredImpression
from recsys.ads.tokens.keys import TokenKeys
from recsys.config import Settings
from recsys.events import Click, UserEvent, encode_event
from recsys.instants import to_micros
from recsys.jobs.ads.charging.budget_keeping import BudgetKeeper
from recsys.jobs.ads.charging.charge_worker import ChargeWorker
from recsys.jobs.ads.charging.event_charging import ChargingStores, EventCharging
from recsys.service_settings import AdsSettings
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.records import Author
from recsys.stores.ads.store import AdsStore
from recsys.stores.ads.traffic import AdsTraffic
from recsys.stores.stream.partition_locks import PartitionLocks
from recsys.streaming.stream import partition_of
from tests.fake_budget_gate import FakeBudgetGate
from tests.fake_stream import FakeEventStream
from tests.stores.ads.books_shop import NOON, Clock

ANN = Author("ann")
ACME = Account("acc_1", "acme", "UTC")
CPC, CPM, CPA = "cpc", "cpm", "cpa"
CODES: dict[Pricing, PricingCode] = {"cpc": PricingCode.CPC, "cpm": PricingCode.CPM, "cpa": PricingCode.CPA}
TOKENS = ImpressionTokens(TokenKeys("k1", {"k1": b"s" * 32}), "shop-1")
PARTITIONS = 2
NO_BUDGET, DEFAULTS = Budget(), AdsSettings()
PRICE = 400


def campaign(pricing: Pricing, budget: Budget = NO_BUDGET, account: str = "acc_1") -> Campaign:
    """The campaign `cmp_cpc`, `cmp_cpm` or `cmp_cpa`; its line `lin_...` has the items 1 and 2."""
    line = Line(f"lin_{pricing}", "main", ("1", "2"))
    return Campaign(f"cmp_{pricing}", account, pricing, pricing, FixedBid(1000), budget, lines=(line,))


def served(
    slot_id: str, pricing: Pricing = "cpc", item: str = "1", at: datetime = NOON, **changed: Any
) -> str:
    """The token of an ad that was served to the user u1 at noon."""
    impression = SponsoredImpression(
        slot_id=slot_id,
        ad=item,
        account="acc_1",
        campaign=f"cmp_{pricing}",
        line=f"lin_{pricing}",
        slot=1,
        price_micros=PRICE,
        pricing=CODES[pricing],
        p=0.05,
        served_at=at,
        surface="home",
        request_id="r",
        unit="user:u1",
    )
    return TOKENS.encode(replace(impression, **changed))


@dataclass
class ChargingShop:
    """A shop whose charge worker is driven by hand: `send` events, then `charge`."""

    books: AdsLedger
    traffic: AdsTraffic
    campaigns: AdsStore
    clock: Clock
    settings: Settings
    ads: AdsSettings = DEFAULTS
    stream: FakeEventStream = field(default_factory=lambda: FakeEventStream(PARTITIONS))
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def __post_init__(self) -> None:
        self.gate = FakeBudgetGate(lambda: self.clock.now.timestamp(), self.ads)
        self.begin()

    def begin(self) -> None:
        """What a new process does; the one before is gone."""
        stores = ChargingStores(self.books, self.traffic, self.campaigns, self.gate, TOKENS)
        owner = f"worker-{next(self.numbers)}"
        self.charging = EventCharging(stores, self.ads, owner, self.clock, self._pause)
        self.keeper = BudgetKeeper(self.books, self.campaigns, self.gate, self.clock)

    def send(
        self,
        token: str | None = None,
        cls: type[UserEvent] = Click,
        seconds: float = 60,
        origin: str = "",
        **values: Any,
    ) -> None:
        """Appends an event of the user u1 about item 1, so long after noon."""
        at = NOON + timedelta(seconds=seconds)
        given = {"event_id": f"e{next(self.numbers)}", "user_id": "u1", "item_id": "1", "at": at, **values}
        event = cls(token=token, **given) if token is not None else cls(**given)
        body = orjson.dumps(encode_event(event))
        rows = [(partition_of(event.user_id, PARTITIONS), body)]
        self.stream.append(rows, to_micros(event.at), origin=origin)

    def charge(self) -> Counter[str]:
        """Charges what waits, as a worker does."""
        with self.worker() as worker:
            counts = worker.drain()
        return Counter({name: count for name, count in counts.items() if count and name != "read"})

    @contextmanager
    def worker(self) -> Iterator[ChargeWorker]:
        """A worker on the partitions that are free."""
        locks = PartitionLocks(self.settings.paths.charging, PARTITIONS + 1, pinned=range(PARTITIONS))
        try:
            yield ChargeWorker(self.stream, self.charging, self.keeper, locks, 100, Event())
        finally:
            locks.close()

    def spent(self, entity: str, period: str = "total") -> int:
        """The running number of an account, campaign or line."""
        return {(row.entity_id, row.period): row.spent_micros for row in self.books.budgets()}.get(
            (entity, period), 0
        )

    def _pause(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)


@contextmanager
def charging_shop(
    settings: Settings, *campaigns: Campaign, ads: AdsSettings = DEFAULTS
) -> Iterator[ChargingShop]:
    """The shop of acme with these campaigns; at its end the books are right."""
    clock = Clock(NOON)
    with (
        AdsLedger.open(settings, clock) as books,
        AdsTraffic.open(settings, clock) as traffic,
        AdsStore.open(settings, clock) as store,
    ):
        store.add_account(ACME, ANN)
        for each in campaigns:
            store.add_campaign(each, ANN)
        yield ChargingShop(books, traffic, store, clock, settings, ads)
        assert books.check() == ()
