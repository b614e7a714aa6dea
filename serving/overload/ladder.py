"""How much effort goes into answers, by how long requests wait for their turn. Pure: time is given."""

from recsys.funnel.requests import Effort

CALM_INTERVALS = 2  # in a row, after which answers are one rung better


class Ladder:
    """Goes one rung down in effort while requests queue, and back up when they no longer do.

    Each interval is judged by the shortest wait in it: a queue that stands keeps every request waiting, a
    burst keeps only some. More than the target: the next rung. Less than half of it, or nobody who asks,
    for CALM_INTERVALS: the rung before. Between the two the rung stays.

    Paper: Nichols and Jacobson 2012, "Controlling Queue Delay" (CoDel), with simpler answers for drops.

    Args:
        target_seconds: wait that is as it should be. interval_seconds: what is judged at a time.
        now: monotonic seconds, here and below.
    """

    def __init__(self, target_seconds: float, interval_seconds: float, now: float) -> None:
        self._target = target_seconds
        self._interval = interval_seconds
        self._began = now
        self._least: float | None = None  # wait of this interval
        self._calm = 0
        self._rung = Effort.FULL

    def note(self, waited: float, now: float) -> None:
        """Takes the seconds that a request has waited until `now`."""
        self.rung(now)
        self._least = waited if self._least is None else min(self._least, waited)

    def rung(self, now: float) -> Effort:
        """The effort of an answer that is begun at `now`."""
        ended = int((now - self._began) / self._interval)
        if ended > 0:
            self._judge(self._least)
            self._grow_calm(ended - 1)  # nobody asked in those
            self._least = None
            self._began += ended * self._interval
        return self._rung

    def _judge(self, least: float | None) -> None:
        if least is None or least < self._target / 2:
            self._grow_calm(1)
        else:
            self._calm = 0
            if least > self._target:
                self._rung = Effort(min(self._rung + 1, max(Effort)))

    def _grow_calm(self, intervals: int) -> None:
        rungs, self._calm = divmod(self._calm + intervals, CALM_INTERVALS)
        self._rung = Effort(max(self._rung - rungs, Effort.FULL))
