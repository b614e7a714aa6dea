"""What is there after kills when everything was charged: budgets, holds, charges, and the books."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from sqlalchemy import func, select

from recsys.config import Settings
from recsys.jobs.ads.charging.budget_keeping import GATE_SECONDS, BudgetKeeper
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.ledger_tables import ChargeRow
from recsys.stores.ads.store import AdsStore
from recsys.stores.ads_gate.gate import RedisBudgetGate
from recsys.stores.registry.database import database_url, open_engine

CALLS = 200  # of the gate, each of which ends 200 holds that are due

Caps = Mapping[str, int]  # micros by name of the level


@dataclass(frozen=True)
class KillReport:
    """What was there after all kills, when every click was charged.

    Attributes:
        killed: how often each victim was.
        accepted: billable events that the stream had accepted, without replays.
        outcomes: charges by what came of them.
        lost: accepted events without a charge. unasked: charges of events that nobody sent.
        overspent: micros above each budget, where there are any.
        spent: of each budget, of what it may.
        held: micros that the gate holds after all holds were due, by budget, where there are any.
        unequal: what the gate and the books say is spent, by budget, where they differ.
        identities: of the books, that do not hold.
        answers: of the service, by status; empty where none was asked.
    """

    killed: Mapping[str, int]
    accepted: int
    outcomes: Mapping[str, int]
    lost: int
    unasked: int
    overspent: Mapping[str, int]
    spent: Mapping[str, str]
    held: Mapping[str, int]
    unequal: Mapping[str, tuple[int, int]]
    identities: Sequence[str] = field(default_factory=list)
    answers: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_right(self) -> bool:
        """Whether nothing was lost, made up, overspent, left held or booked wrongly."""
        wrong = self.lost or self.unasked or self.overspent or self.held or self.unequal or self.identities
        return not wrong

    @property
    def over_budget_share(self) -> float:
        """Of clicks, those that were free because a budget had no room."""
        return self.outcomes.get("over_budget", 0) / max(sum(self.outcomes.values()), 1)


def kill_report(
    settings: Settings,
    caps: Mapping[str, Caps],
    accepted: Collection[str],
    killed: Mapping[str, int],
    may_be_accepted: Collection[str] | None = None,
    answers: Mapping[str, int] | None = None,
) -> KillReport:
    """Looks at gate and books once every hold is due.

    Args:
        caps: of every level, by account.
        accepted: ids of the slots whose billable event the stream has accepted.
        may_be_accepted: all slots that may be charged; None = nobody knows, as who sent events was killed.
    """
    with AdsLedger.open(settings) as books, AdsStore.open(settings) as store:
        gate = RedisBudgetGate.open(settings, GATE_SECONDS)
        with closing(gate):
            BudgetKeeper(books, store, gate).keep()
            held, known = _usage(gate, caps)
        spent = {f"{row.entity_id}/{row.period}": row.spent_micros for row in books.budgets()}
        identities = [f"{each.identity} {each.subject}" for each in books.check()]
    all_caps = {name: cap for of_account in caps.values() for name, cap in of_account.items()}
    found = {name: spent.get(name, 0) for name in all_caps}
    outcomes, charged = _charges(settings)
    return KillReport(
        killed=killed,
        accepted=len(accepted),
        outcomes=outcomes,
        lost=len(set(accepted) - charged),
        unasked=0 if may_be_accepted is None else len(charged - set(may_be_accepted)),
        overspent={
            name: micros - all_caps[name] for name, micros in found.items() if micros > all_caps[name]
        },
        spent={name: f"{micros} of {all_caps[name]}" for name, micros in found.items()},
        held={name: micros for name, micros in held.items() if micros},
        unequal={name: (known[name], micros) for name, micros in found.items() if known[name] != micros},
        identities=identities,
        answers=answers or {},
    )


def _usage(gate: RedisBudgetGate, caps: Mapping[str, Caps]) -> tuple[dict[str, int], dict[str, int]]:
    """What is held and spent of every level."""
    held: dict[str, int] = {}
    spent: dict[str, int] = {}
    for account_id, of_account in caps.items():
        for _ in range(CALLS):
            usage = gate.usage(account_id, list(of_account))
        held.update(usage.held)
        spent.update(usage.spent)
    return held, spent


def _charges(settings: Settings) -> tuple[dict[str, int], set[str]]:
    engine = open_engine(database_url(settings))
    with engine.connect() as connection:
        by_outcome = select(ChargeRow.outcome, func.count()).group_by(ChargeRow.outcome)
        outcomes = {outcome: int(count) for outcome, count in connection.execute(by_outcome)}
        charged = set(connection.execute(select(ChargeRow.token_id)).scalars())
    engine.dispose()
    return outcomes, charged
