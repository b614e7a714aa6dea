"""When all running numbers are read, and when only those that moved."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from recsys.ads.campaigns.bidding import Budget
from recsys.ads.selection.inventory import Inventory
from recsys.ads.selection.spending import RunningNumber, RunningNumbers
from recsys.errors import StoreUnavailableError
from serving.live.spending_reads import ALL_SECONDS, COMMIT_SECONDS, SpendingReads
from tests.ads.selection.small_market import ACME, DAY, NOW, campaign
from tests.fake_world import Clock

INVENTORY = Inventory.of([ACME], [campaign("tea", "green", budget=Budget(100))], NOW)


@dataclass
class Books:
    """Entries by number, each of which moved the day of the campaign."""

    entries: dict[int, int] = field(default_factory=dict)
    asked: list[int | None] = field(default_factory=list)
    away: bool = False

    def running_numbers(self, now: datetime, since: int | None) -> RunningNumbers:
        if self.away:
            raise StoreUnavailableError("the database", "read budgets", 0.1)
        self.asked.append(since)
        moved = [number for number in self.entries if since is None or number > since]
        spent = sum(self.entries.values())
        rows = [RunningNumber("cmp_tea", DAY, spent)] if moved else []
        return RunningNumbers(max(self.entries, default=0), rows)


@pytest.fixture
def books() -> Books:
    return Books({4: 10})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reads(books: Books, clock: Clock) -> SpendingReads:
    return SpendingReads(books.running_numbers, clock)


def spent(reads: SpendingReads, now: datetime = NOW) -> int:
    return int(reads.read(INVENTORY, now).day[1][0])


def test_after_the_first_read_only_what_was_booked_since_is_read(
    books: Books, clock: Clock, reads: SpendingReads
) -> None:
    assert spent(reads) == 10
    clock.seconds += 1
    books.entries[5] = 20
    assert spent(reads) == 30
    assert books.asked == [None, 4]


def test_an_entry_that_was_committed_after_a_later_one_is_found(
    books: Books, clock: Clock, reads: SpendingReads
) -> None:
    spent(reads)
    clock.seconds += 1
    books.entries[6] = 20
    assert spent(reads) == 30
    clock.seconds += COMMIT_SECONDS - 1
    books.entries[5] = 40
    assert spent(reads) == 70
    clock.seconds += 2
    spent(reads)
    assert books.asked[-1] == 4
    clock.seconds += 1
    spent(reads)
    assert books.asked[-1] == 6, "what was seen longer ago than a commit takes is read no more"


def test_all_is_read_again_now_and_then_with_a_new_day_and_of_other_campaigns(
    books: Books, clock: Clock, reads: SpendingReads
) -> None:
    spent(reads)
    clock.seconds += ALL_SECONDS
    spent(reads)
    spent(reads, NOW + timedelta(days=1))
    reads.read(Inventory.of([ACME], [campaign("tea", "green")], NOW), NOW)
    assert books.asked == [None] * 4


def test_a_database_that_was_set_back_is_read_anew(books: Books, clock: Clock, reads: SpendingReads) -> None:
    spent(reads)
    books.entries = {3: 7}
    assert spent(reads) == 7
    assert books.asked == [None, 4, None]


def test_a_database_that_is_away_changes_nothing(books: Books, clock: Clock, reads: SpendingReads) -> None:
    spent(reads)
    books.away = True
    with pytest.raises(StoreUnavailableError):
        spent(reads)
    books.away = False
    clock.seconds += 1
    assert (spent(reads), books.asked) == (10, [None, 4])
