"""A policy over some days of a market: requests in the order of time, and every charge when it is due."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from recsys.ads.ledger.budgets import Caps
from recsys.ads.ledger.charges import event_price_nanos
from recsys.service_settings import AdsSettings
from recsys.simulation.ads.billing import BillingQueue, Outage
from recsys.simulation.ads.controllers import BudgetDay, Controllers
from recsys.simulation.ads.exploring import Exploring
from recsys.simulation.ads.market import Market
from recsys.simulation.ads.memory_gate import MemoryBudgetGate
from recsys.simulation.ads.memory_ledger import MemoryLedger, Payer
from recsys.simulation.ads.policy import AdPolicy
from recsys.simulation.ads.predictor import ErringPredictor, Predicted
from recsys.simulation.ads.server import AdServer, Shown
from recsys.simulation.ads.tally import Tally, shown_rows
from recsys.simulation.ads.traffic import Requests, Traffic, weekly_forecast

STARTS = datetime(2026, 5, 4, tzinfo=UTC)  # a Monday
STEP_SECONDS = 10.0  # between two looks of the controllers
DAY_SECONDS, DAY_HOURS = 86_400, 24


@dataclass(frozen=True, eq=False)
class PolicyRun:
    """What a policy did.

    Attributes:
        budget_days: of every account and campaign with a budget a day. waiting: events after the end.
    """

    policy: AdPolicy
    tally: Tally
    budget_days: tuple[BudgetDay, ...]
    waiting: int


def market_traffic(market: Market, days: int, requests: int) -> Traffic:
    """The requests of `days` days, the same for every policy."""
    return Traffic(
        starts=STARTS,
        hours=days * DAY_HOURS,
        requests=requests,
        seed=market.seed,
        activity=market.activity,
        page_weights=market.page_weights,
        campaigns=len(market.campaigns),
        ads=len(market.ads),
        slots=len(market.truth.examination),
    )


def run_policy(
    market: Market,
    policy: AdPolicy,
    traffic: Traffic,
    advance: Callable[[int], None] = lambda requests: None,
    outages: Sequence[Outage] = (),
) -> PolicyRun:
    """Answers all requests of `traffic` by `policy`; equal arguments give equal results.

    Args:
        advance: told how many requests were answered.
        outages: see `BillingQueue`.
    """
    run = _Run(market, policy, traffic, outages)
    for requests in traffic.blocks():
        run.answer(requests)
        advance(len(requests))
    run.until(traffic.hours * 3600.0)
    return PolicyRun(policy, run.tally, tuple(run.controllers.closed()), len(run.billing))


class _Run:
    """The parts of one run, and its clock."""

    def __init__(self, market: Market, policy: AdPolicy, traffic: Traffic, outages: Sequence[Outage]) -> None:
        self._seconds = 0.0
        self._next_step = STEP_SECONDS
        self._starts, self._days = traffic.starts, traffic.hours // DAY_HOURS
        gate = MemoryBudgetGate(lambda: self._seconds, AdsSettings())
        ledger = MemoryLedger(_payers(market), keeps_keys=False)
        ends = traffic.starts + timedelta(hours=traffic.hours)
        self.controllers = Controllers(
            market, policy.pacing, gate, ledger, weekly_forecast(), traffic.starts, ends
        )
        self.billing = BillingQueue(ledger, gate, traffic.starts, outages)
        exploring = Exploring(market, policy, traffic.starts)
        self._server = AdServer(market, policy, gate, self.controllers, self.billing, exploring)
        self._predictor = ErringPredictor(market, policy)
        self.tally = Tally(self._days, market)

    def answer(self, requests: Requests) -> None:
        """Answers a block, which lies within one hour."""
        shown, predicted = Shown(), self._predictor.predict(requests)
        self._answer_all(requests, predicted, shown)
        self._predictor.saw(shown.viewed)
        day = int(requests.at[0] // DAY_SECONDS)
        rows = shown_rows(shown.ad, shown.slot, shown.predicted, shown.attraction)
        self.tally.add_shown(day, len(requests), shown.clicks, rows)
        self.tally.explored[day] += shown.explored

    def _answer_all(self, requests: Requests, predicted: Predicted, shown: Shown) -> None:
        for row, at in enumerate(requests.at.tolist()):
            self.until(at)
            self._server.serve(requests, row, predicted, shown)

    def until(self, at: float) -> None:
        """Charges what is due and steers until `at`, in the order of time."""
        while True:
            due = self.billing.next_due
            if min(due, self._next_step) > at:
                break
            if due <= self._next_step:
                self._seconds = due
                self._charge()
            else:
                self._seconds = self._next_step
                self.controllers.steer(self._starts + timedelta(seconds=self._next_step))
                self._server.steered()
                self._next_step += STEP_SECONDS
        self._seconds = at

    def _charge(self) -> None:
        shown, occurred, result = self.billing.charge_next()
        day = min(int(occurred // DAY_SECONDS), self._days - 1)
        self.tally.add_charge(day, result, event_price_nanos(shown.pricing, shown.price_micros))
        if result.outcome == "charged":
            self.controllers.note_charge(shown.campaign)


def _payers(market: Market) -> dict[str, Payer]:
    """By line."""
    accounts = {account.account_id: account for account in market.accounts}
    payers = {}
    for campaign in market.campaigns:
        account = accounts[campaign.account_id]
        for line in campaign.lines:
            levels = (
                Caps("account", account.account_id, account.budget_day_micros),
                Caps("campaign", campaign.campaign_id, campaign.budget.day_micros),
                Caps("line", line.line_id),
            )
            payers[line.line_id] = Payer(account.zone, levels)
    return payers
