"""A process that counts requests for ads until it is killed, and prints what it counted and what it wrote."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from recsys.ads.delivery.counts import CountedHour, DeliveryCounts
from recsys.ads.delivery.steps import Step
from recsys.config import Settings
from recsys.instants import utc_now
from recsys.stores.ads.delivery.flusher import DeliveryFlusher
from recsys.stores.ads.delivery.store import DeliveryStore
from tests.ads.delivery.named_steps import named_steps


class ToldStore:
    """Prints how many requests are in the database for sure."""

    def __init__(self, store: DeliveryStore) -> None:
        self._store = store
        self._written = 0

    def add(self, process: str, sequence: int, counts: Sequence[CountedHour]) -> bool:
        is_new = self._store.add(process, sequence, counts)
        self._written += sum(each.requests for each in counts)
        say("written", self._written)
        return is_new

    def end(self, process: str) -> None:
        self._store.end(process)

    def remove_oldest(self) -> None:
        self._store.remove_oldest()


def main(home: str) -> None:
    counts = DeliveryCounts()
    store = DeliveryStore.open(Settings(home=Path(home)))
    DeliveryFlusher(counts, ToldStore(store), "killed").start()
    for count in range(1, 1_000_000):
        say("counted", count)  # before it is: what is written was counted
        counts.count(utc_now(), "home", named_steps(cmp_1=Step.WON), holdout=False)
        time.sleep(0.002)


def say(what: str, number: int) -> None:
    """One line, at once and whole, whichever thread says it."""
    sys.stdout.write(f"{what} {number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
