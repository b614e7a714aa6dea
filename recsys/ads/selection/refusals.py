"""What a gate refused a moment ago: not asked again at once, so that who cannot pay costs no rerun."""

from threading import Lock

from recsys.ads.pacing.budget_gate import HoldRequest, Refusal, RefusalReason, UserCap

BUDGET_SECONDS = 1.0  # after which a budget that was full is asked again: holds end
CAP_SECONDS = 10.0  # after which a user's cap is
MOST = 50_000  # units, and levels, from which on those that are over are forgotten


class RecentRefusals:
    """Remembers refusals for seconds; any thread may use it. Instants are seconds of any clock."""

    def __init__(self) -> None:
        self._levels: dict[str, float] = {}  # name -> until when
        self._caps: dict[str, dict[str, float]] = {}  # unit -> campaign -> until when
        self._lock = Lock()

    def note(self, request: HoldRequest, refusal: Refusal, now: float) -> None:
        """Remembers why `request` was refused."""
        with self._lock:
            if refusal.reason is RefusalReason.FREQUENCY and request.user_cap is not None:
                self._note_cap(request.user_cap, now)
            elif refusal.level is not None:
                if len(self._levels) >= MOST:
                    self._levels = {level: until for level, until in self._levels.items() if until > now}
                self._levels[refusal.level] = now + BUDGET_SECONDS

    def full_levels(self, now: float) -> frozenset[str]:
        """Levels that had no room a moment ago."""
        if not self._levels:
            return frozenset()
        with self._lock:
            return frozenset(level for level, until in self._levels.items() if until > now)

    def capped(self, unit: str, now: float) -> frozenset[str]:
        """Campaigns that `unit` saw often enough a moment ago."""
        if unit not in self._caps:
            return frozenset()
        with self._lock:
            return frozenset(each for each, until in self._caps.get(unit, {}).items() if until > now)

    def _note_cap(self, cap: UserCap, now: float) -> None:
        if len(self._caps) >= MOST:
            self._caps = {
                unit: caps for unit, caps in self._caps.items() if max(caps.values(), default=0.0) > now
            }
        self._caps.setdefault(cap.user_id, {})[cap.campaign_id] = now + CAP_SECONDS
