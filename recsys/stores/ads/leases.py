"""Who charges an account: one worker at a time, until its lease expires."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from recsys.errors import LeaseLostError
from recsys.stores.ads.ledger_tables import ChargeLeaseRow as Row


@dataclass(frozen=True)
class Lease:
    """The right of `owner` to charge an account before `expires_at`."""

    account_id: str
    owner: str
    expires_at: datetime


def take_lease(
    connection: Connection, account_id: str, owner: str, now: datetime, seconds: float
) -> Lease | None:
    """A new lease, or a longer one of the same owner; None while another owner has one."""
    lease = Lease(account_id, owner, now + timedelta(seconds=seconds))
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    added = connection.execute(insert(Row).values(vars(lease)).on_conflict_do_nothing())
    if added.rowcount == 1:
        return lease
    statement = (
        update(Row)
        .where(Row.account_id == account_id, or_(Row.owner == owner, Row.expires_at <= now))
        .values(owner=owner, expires_at=lease.expires_at)
    )
    return lease if connection.execute(statement).rowcount == 1 else None


def end_lease(connection: Connection, lease: Lease, now: datetime) -> None:
    """Ends the lease now, unless another owner has it already; its row stays, as the account's lock."""
    chosen = update(Row).where(Row.account_id == lease.account_id, Row.owner == lease.owner)
    connection.execute(chosen.values(expires_at=now))


def hold_lease(connection: Connection, lease: Lease, now: datetime) -> None:
    """Keeps the lease, and all other changes of its account's budgets away, until the transaction ends.

    Raises:
        LeaseLostError: it has run out, or another owner has it.
    """
    query = select(Row.owner, Row.expires_at).where(Row.account_id == lease.account_id).with_for_update()
    found = connection.execute(query).one_or_none()
    if found is None or found.owner != lease.owner or found.expires_at <= now:
        held = "nobody" if found is None else repr(found.owner)
        raise LeaseLostError(
            f"{lease.owner!r} may no longer charge {lease.account_id!r}: the lease is of {held} now, or has "
            "run out. Take it again before charging."
        )


def lock_account(connection: Connection, account_id: str) -> None:
    """Waits for a charge of the account that is under way; SQLite's writers wait for each other anyway."""
    connection.execute(select(Row.owner).where(Row.account_id == account_id).with_for_update())
