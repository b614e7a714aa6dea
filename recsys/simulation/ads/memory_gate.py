"""A gate of budgets in the memory of one process, quick enough for millions of auctions."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from recsys.ads.pacing.budget_gate import HoldRequest, Refusal, RefusalReason, Spent, Usage, UserCap
from recsys.service_settings import AdsSettings

_REBUILD = Refusal(RefusalReason.REBUILD)


@dataclass
class _Account:
    """Attributes:
    expected: a generation that is newer than its own: the account has to be rebuilt.
    ends: by pricing, since holds of one pricing end in the order in which they began.
    """

    generation: int = 0
    spent: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    holds: dict[str, tuple[float, HoldRequest]] = field(default_factory=dict)
    ends: dict[str, deque[tuple[float, str]]] = field(default_factory=dict)
    expected: int = 0


class MemoryBudgetGate:
    """`BudgetGate` for one process; every call takes constant time but for the holds that end in it.

    Args:
        clock: seconds from any instant on, never going back.
    """

    def __init__(self, clock: Callable[[], float], settings: AdsSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._accounts: dict[str, _Account] = {}
        self._seen: dict[tuple[str, str], dict[str, float]] = {}
        self._lock = Lock()

    def hold(self, request: HoldRequest) -> Refusal | None:
        """See `BudgetGate`; these go for the other methods too."""
        with self._lock:
            account = self._account(request.account_id)
            if not account.generation:
                return _REBUILD
            if request.hold_id in account.holds:
                return None
            cost, spent, held = request.cost_micros, account.spent, account.held
            for level in request.levels:
                wanted = max(held.get(level.name, 0) + cost, request.price_micros)
                if spent.get(level.name, 0) + wanted > level.cap_micros:
                    return Refusal(RefusalReason.BUDGET, level.name)
            if request.user_cap is not None and not self._may_see(request.user_cap, request.hold_id):
                return Refusal(RefusalReason.FREQUENCY)
            for level in request.levels:
                held[level.name] = held.get(level.name, 0) + cost
            ends = self._clock() + self._settings.hold_seconds_of(request.pricing)
            account.generation += 1
            account.holds[request.hold_id] = (ends, request)
            account.ends.setdefault(request.pricing, deque()).append((ends, request.hold_id))
            return None

    def release(self, request: HoldRequest) -> None:
        """Ends a hold of an ad that was not shown."""
        with self._lock:
            self._end(self._account(request.account_id), request.hold_id)
            if cap := request.user_cap:
                self._seen.get((cap.user_id, cap.campaign_id), {}).pop(request.hold_id, None)

    def settle(self, account_id: str, hold_id: str, spent: Spent) -> None:
        """Ends a hold whose charge was written."""
        with self._lock:
            account = self._account(account_id)
            self._end(account, hold_id)
            _raise_spent(account, spent)

    def usage(self, account_id: str, names: Sequence[str]) -> Usage:
        """What is spent and held."""
        with self._lock:
            account = self._account(account_id)
            spent = {name: account.spent.get(name, 0) for name in names}
            return Usage(account.generation, spent, {name: account.held.get(name, 0) for name in names})

    def usages(self, asked: Mapping[str, Sequence[str]]) -> Mapping[str, Usage]:
        """What is spent and held of many accounts."""
        return {account_id: self.usage(account_id, names) for account_id, names in asked.items()}

    def refresh(self, account_id: str, spent: Spent) -> bool:
        """Raises what was spent."""
        with self._lock:
            account = self._account(account_id)
            if not account.generation:
                return False
            account.generation += 1
            _raise_spent(account, spent)
            return True

    def rebuild(self, account_id: str, spent: Spent) -> None:
        """Forgets all of an account and takes `spent`."""
        with self._lock:
            before = self._account(account_id)
            generation = max(before.generation, before.expected) + 1
            self._accounts[account_id] = _Account(generation, dict(spent))

    def expect(self, account_id: str, generation: int) -> None:
        """Refuses an account whose generation is older, until it is rebuilt."""
        with self._lock:
            account = self._account(account_id)
            if account.generation < generation:
                self._accounts[account_id] = _Account(expected=generation)

    def forget(self, account_id: str, names: Sequence[str]) -> None:
        """Forgets levels whose day is over, and the holds that are on them."""
        with self._lock:
            account = self._account(account_id)
            gone = {*names}
            for key, (_, request) in list(account.holds.items()):
                if any(level.name in gone for level in request.levels):
                    self._end(account, key)
            for name in names:
                account.spent.pop(name, None)
                account.held.pop(name, None)

    def lose_everything(self) -> None:
        """What a flush does: every account has to be rebuilt."""
        with self._lock:
            self._accounts.clear()
            self._seen.clear()

    def _account(self, account_id: str) -> _Account:
        """The account after the holds that are due have ended."""
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = _Account()
        now = self._clock()
        for waiting in account.ends.values():
            while waiting and waiting[0][0] <= now:
                ended_at, hold_id = waiting.popleft()
                hold = account.holds.get(hold_id)
                if hold is not None and hold[0] == ended_at:  # not one that began anew under this id
                    self._end(account, hold_id)
        return account

    @staticmethod
    def _end(account: _Account, hold_id: str) -> None:
        hold = account.holds.pop(hold_id, None)
        if hold is not None:
            for level in hold[1].levels:
                account.held[level.name] -= hold[1].cost_micros

    def _may_see(self, cap: UserCap, hold_id: str) -> bool:
        now = self._clock()
        seen = self._seen.setdefault((cap.user_id, cap.campaign_id), {})
        for key in [key for key, at in seen.items() if at <= now - cap.cap.window_seconds]:
            del seen[key]
        if hold_id not in seen and len(seen) >= cap.cap.count:
            return False
        seen.setdefault(hold_id, now)
        return True


def _raise_spent(account: _Account, spent: Spent) -> None:
    for name, micros in spent.items():
        if micros > account.spent.get(name, 0):
            account.spent[name] = micros
