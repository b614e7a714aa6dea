"""A process that charges clicks in batches until it is done or killed; says on stdout when a batch begins."""

import sys
import time

from recsys.config import load_settings
from recsys.stores.ads.leases import Lease
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.registry.database import database_url, open_engine
from tests.stores.ads.books_shop import click

SECONDS = 20.0  # of a lease
CAMPAIGNS = 3


def main(owner: str, count: int, batch: int, micros: int) -> None:
    """Charges `count` clicks at `micros` each, the same ones in every process, on three campaigns in turn."""
    books = AdsLedger(open_engine(database_url(load_settings())))
    for start in range(0, count, batch):
        lease = wait_for_lease(books, owner)
        say(f"began {start}")
        clicks = [click(f"t{n}", micros, 1 + n % CAMPAIGNS) for n in range(start, min(start + batch, count))]
        billed = [each.micros for each in books.charge_all(lease, clicks) if not each.is_duplicate]
        books.end_lease(lease)
        say(f"billed {sum(billed)}")


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def wait_for_lease(books: AdsLedger, owner: str) -> Lease:
    """The lease, once nobody else has it."""
    while True:
        lease = books.take_lease("acc_1", owner, SECONDS)
        if lease is not None:
            return lease
        time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
