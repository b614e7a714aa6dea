"""A gate of budgets in memory: what the contract asks for and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from recsys.ads.pacing.budget_gate import HoldRequest, Refusal, RefusalReason, Spent, Usage
from recsys.errors import StoreUnavailableError
from recsys.service_settings import AdsSettings


@dataclass
class _Account:
    generation: int = 0
    spent: dict[str, int] = field(default_factory=dict)
    holds: dict[str, tuple[float, HoldRequest]] = field(default_factory=dict)  # until when, what


class FakeBudgetGate:
    """`BudgetGate` in memory; set `away` and every method raises as if the gate did not answer."""

    def __init__(self, clock: Callable[[], float], settings: AdsSettings) -> None:
        self.away = False
        self._clock = clock
        self._settings = settings
        self._accounts: dict[str, _Account] = {}
        self._expected: dict[str, int] = {}
        self._seen: dict[tuple[str, str], dict[str, float]] = {}
        self._lock = Lock()

    def lose_everything(self) -> None:
        """What a flush does."""
        with self._lock:
            self._accounts.clear()
            self._seen.clear()

    def hold(self, request: HoldRequest) -> Refusal | None:
        with self._lock:
            account = self._account(request.account_id)
            if not account.generation:
                return Refusal(RefusalReason.REBUILD)
            if request.hold_id in account.holds:
                return None
            for level in request.levels:
                spent, held = account.spent.get(level.name, 0), self._held(account, level.name)
                if spent + max(held + request.cost_micros, request.price_micros) > level.cap_micros:
                    return Refusal(RefusalReason.BUDGET, level.name)
            if not self._may_see(request):
                return Refusal(RefusalReason.FREQUENCY)
            lasts = self._settings.hold_seconds_of(request.pricing)
            account.generation += 1
            account.holds[request.hold_id] = (self._clock() + lasts, request)
            return None

    def release(self, request: HoldRequest) -> None:
        with self._lock:
            self._account(request.account_id).holds.pop(request.hold_id, None)
            if cap := request.user_cap:
                self._seen.get((cap.user_id, cap.campaign_id), {}).pop(request.hold_id, None)

    def settle(self, account_id: str, hold_id: str, spent: Spent) -> None:
        with self._lock:
            account = self._account(account_id)
            account.holds.pop(hold_id, None)
            self._raise(account, spent)

    def usage(self, account_id: str, names: Sequence[str]) -> Usage:
        with self._lock:
            account = self._account(account_id)
            if not account.generation:
                return Usage(0, dict.fromkeys(names, 0), dict.fromkeys(names, 0))
            spent = {name: account.spent.get(name, 0) for name in names}
            return Usage(account.generation, spent, {name: self._held(account, name) for name in names})

    def usages(self, asked: Mapping[str, Sequence[str]]) -> dict[str, Usage]:
        return {account_id: self.usage(account_id, names) for account_id, names in asked.items()}

    def refresh(self, account_id: str, spent: Spent) -> bool:
        with self._lock:
            account = self._account(account_id)
            if not account.generation:
                return False
            account.generation += 1
            self._raise(account, spent)
            return True

    def rebuild(self, account_id: str, spent: Spent) -> None:
        with self._lock:
            newest = max(self._account(account_id).generation, self._expected.get(account_id, 0))
            generation = newest + 1
            self._accounts[account_id] = _Account(generation, dict(spent))

    def expect(self, account_id: str, generation: int) -> None:
        with self._lock:
            self._expected[account_id] = max(self._expected.get(account_id, 0), generation)
            if self._accounts.get(account_id, _Account()).generation < generation:
                self._accounts.pop(account_id, None)

    def forget(self, account_id: str, names: Sequence[str]) -> None:
        with self._lock:
            account = self._account(account_id)
            for name in names:
                account.spent.pop(name, None)
            gone = [
                key for key, (_, held) in account.holds.items() if {e.name for e in held.levels} & {*names}
            ]
            for key in gone:
                del account.holds[key]

    def _account(self, account_id: str) -> _Account:
        if self.away:
            raise StoreUnavailableError("the gate", "answer", 0.0)
        account = self._accounts.setdefault(account_id, _Account())
        now = self._clock()
        account.holds = {key: hold for key, hold in account.holds.items() if hold[0] > now}
        return account

    def _held(self, account: _Account, name: str) -> int:
        return sum(
            request.cost_micros
            for _, request in account.holds.values()
            if name in {level.name for level in request.levels}
        )

    def _may_see(self, request: HoldRequest) -> bool:
        if (cap := request.user_cap) is None:
            return True
        since = self._clock() - cap.cap.window_seconds
        seen = self._seen.setdefault((cap.user_id, cap.campaign_id), {})
        for key in [key for key, at in seen.items() if at <= since]:
            del seen[key]
        if request.hold_id not in seen and len(seen) >= cap.cap.count:
            return False
        seen.setdefault(request.hold_id, self._clock())
        return True

    def _raise(self, account: _Account, spent: Spent) -> None:
        for name, micros in spent.items():
            account.spent[name] = max(account.spent.get(name, 0), micros)
