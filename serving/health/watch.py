"""Looks every few seconds what is wrong; answers, /readyz and metrics show what was found last."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from recsys.background_task import BackgroundTask
from recsys.features.windows import LONGEST_DAYS
from recsys.funnel.slate import Slate
from recsys.health.facts import Facts, ServiceFacts
from recsys.health.judge import judge
from recsys.health.problems import Problem
from recsys.health.recent import LatelyGrown, RecentShare
from recsys.instants import now_micros
from recsys.search.answer import SearchAnswer
from recsys.service_settings import HealthSettings
from serving.health.metrics import HealthMetrics
from serving.health.problem_log import ProblemLog
from serving.live.bundle_watch import BundleWatch

DROPPED_SECONDS = 600.0  # a record that was dropped is a problem for that long


class Observer(Protocol):
    """Looks at the stores of a home."""

    def look(self, now: int) -> Facts:
        """What is there now, at `now` microseconds."""
        ...

    def close(self) -> None:
        """Closes what is open."""
        ...


class RecordLog(Protocol):
    """A log of what was served."""

    @property
    def name(self) -> str:
        """What it keeps."""

    @property
    def dropped(self) -> int:
        """Records that were not written."""

    @property
    def left_out(self) -> int:
        """Records outside the share that is kept."""


Answer = TypeVar("Answer", Slate, SearchAnswer)


@dataclass(frozen=True)
class Watched:
    """What of the process itself is looked at.

    Attributes:
        tasks: all of its background work.
        keys_problem: why access keys cannot be read, empty where they can.
        rules_problem: why the shop's rules may not be the newest, empty where they are.
        ads_problem: why campaigns may not be the newest, empty where they are.
    """

    bundles: BundleWatch
    logs: Sequence[RecordLog]
    tasks: Callable[[], Sequence[BackgroundTask]]
    keys_problem: Callable[[], str] = lambda: ""
    rules_problem: Callable[[], str] = str
    ads_problem: Callable[[], str] = str


class HealthWatch:
    """What is wrong now, as of the last look; a request reads it and waits for nothing.

    Attributes:
        problems: those of the last look, replaced as a whole; none before the first.
        degraded: codes of those that make answers worse.
        task: the looking.

    Args:
        clock: monotonic seconds. now: microseconds.
    """

    def __init__(
        self,
        settings: HealthSettings,
        observer: Observer,
        watched: Watched,
        metrics: HealthMetrics,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], int] = now_micros,
    ) -> None:
        self.problems: tuple[Problem, ...] = ()
        self.task = BackgroundTask("health", self._look)
        self._settings = settings
        self._observer = observer
        self._watched = watched
        self._metrics = metrics
        self._clock = clock
        self._now = now
        self._log = ProblemLog(settings.log_seconds)
        self._cold = RecentShare(settings.cold_requests)
        self._dropped = {log.name: LatelyGrown(DROPPED_SECONDS) for log in watched.logs}
        self.degraded: tuple[str, ...] = ()
        self._lag_seconds: float | None = None

    def note_request(self, slate: Slate) -> None:
        """Counts a slate for a user; one for a visitor says nothing of what the store knows."""
        if slate.user_id is not None:
            self._cold.add(slate.cold_start)

    def mark(self, answer: Answer) -> Answer:
        """`answer` with how far the online features lag behind, and what makes it worse than it should be."""
        features = replace(answer.features, freshness_seconds=self._lag_seconds)
        return replace(answer, features=features, degraded=(*answer.degraded, *self.degraded))

    def current_problems(self) -> tuple[Problem, ...]:
        """`problems`, after making sure that somebody looks."""
        self.task.revive()
        return self.problems

    def look(self) -> None:
        """Looks now. Never raises."""
        self.task.attempt()

    def start(self) -> None:
        """Looks now and every few seconds from now on, in a thread of its own."""
        self.task.start(self._settings.check_seconds)

    def stop(self) -> None:
        """Ends the thread and closes what is open."""
        self.task.stop()
        self._observer.close()

    def _look(self) -> None:
        for task in self._watched.tasks():
            task.revive()
        service = self._service_facts()
        self._metrics.of_process((*self._watched.tasks(), self.task))
        for log in self._watched.logs:
            self._metrics.of_log(log.name, log.dropped, log.left_out)
        try:
            facts = self._observer.look(self._now())
        except BaseException as error:
            # What is known of the process is shown all the same.
            failing = {**service.failing, self.task.name: f"{type(error).__name__}: {error}"}
            self._take(Facts(self._now(), service=replace(service, failing=failing)))
            raise
        self._take(replace(facts, service=service))

    def _take(self, facts: Facts) -> None:
        self.problems = judge(facts, self._settings, LONGEST_DAYS)
        self.degraded = tuple(problem.code for problem in self.problems if problem.kind.degrades)
        self._lag_seconds = facts.online_lag_seconds
        self._metrics.of_facts(facts, self.problems)
        self._log.note(self.problems, self._clock())

    def _service_facts(self) -> ServiceFacts:
        requests, cold = self._cold.counts()
        now, bundles = self._clock(), self._watched.bundles
        return ServiceFacts(
            serves=bundles.current is not None,
            bundle_problem=bundles.problem,
            rules_problem=self._watched.rules_problem(),
            ads_problem=self._watched.ads_problem(),
            requests=requests,
            cold=cold,
            failing={task.name: task.error for task in self._watched.tasks() if task.error},
            keys_problem=self._watched.keys_problem(),
            dropped={log.name: self._dropped[log.name].look(now, log.dropped) for log in self._watched.logs},
        )
