"""What several threads ask for at about the same time, computed in one call."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass
class _Asked(Generic[Q, A]):
    question: Q
    answered: threading.Event = field(default_factory=threading.Event)
    answer: A | None = None
    error: BaseException | None = None


class MicroBatcher(Generic[Q, A]):
    """Answers questions of many threads by few calls: a GPU needs about as long for one row as for many.

    The first thread that asks waits for others, computes all of their questions, and hands out the answers;
    who asks meanwhile begins the next batch. Nobody waits for others for longer than `wait_seconds`.
    """

    def __init__(self, compute: Callable[[Sequence[Q]], Sequence[A]], wait_seconds: float, most: int) -> None:
        """Args:
        compute: the answers, in the order of the questions; called by one thread at a time.
        most: questions of a batch; with so many it waits no longer.
        """
        self._compute = compute
        self._wait_seconds = wait_seconds
        self._most = most
        self._arrival = threading.Condition()
        self._waiting: list[_Asked[Q, A]] = []
        self._computing = threading.Lock()

    def ask(self, question: Q) -> A:
        """The answer to one question.

        Raises whatever `compute` raised for the batch.
        """
        asked: _Asked[Q, A] = _Asked(question)
        with self._arrival:
            batch = self._waiting
            if len(batch) >= self._most:  # whoever began it has not yet woken up
                batch = self._waiting = []
            batch.append(asked)
            first = len(batch) == 1
            if len(batch) >= self._most:
                self._arrival.notify_all()
        if first:
            self._answer(batch)
        asked.answered.wait()
        if asked.error is not None:
            raise asked.error
        return asked.answer  # type: ignore[return-value]  # set before `answered`

    def _answer(self, batch: list[_Asked[Q, A]]) -> None:
        """Waits for the batch to fill and answers it."""
        until = time.monotonic() + self._wait_seconds
        with self._arrival:
            self._arrival.wait_for(lambda: len(batch) >= self._most, until - time.monotonic())
        with self._computing:
            with self._arrival:
                if self._waiting is batch:  # closed only now: who came while another was computed is in it
                    self._waiting = []
            self._compute_all(batch)

    def _compute_all(self, batch: list[_Asked[Q, A]]) -> None:
        try:
            answers = self._compute([asked.question for asked in batch])
            for asked, answer in zip(batch, answers, strict=True):
                asked.answer = answer
        except BaseException as error:
            for asked in batch:
                asked.error = error
        for asked in batch:
            asked.answered.set()
