"""Tables of the books: entries with their legs, charges, running numbers of budgets, leases of accounts.

The database refuses to change or delete a row of a charge, an entry or a leg.
"""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from recsys.ads.ledger.books import Book, EntryKind
from recsys.ads.ledger.charges import MOST_TOKEN
from recsys.stores.ads.tables import Money
from recsys.stores.registry.database import Tables, UtcDateTime

MOST_KEY = 200  # characters of a charge's or entry's key
EntryId = BigInteger().with_variant(Integer(), "sqlite")  # only an INTEGER counts up by itself there
_ACCOUNT = "ads_accounts.account_id"


class LedgerEntryRow(Tables):
    """An entry of the books; see recsys.ads.ledger.books.Entry."""

    __tablename__ = "ads_ledger_entries"
    __table_args__ = (
        UniqueConstraint("key"),
        CheckConstraint("kind IN ('charge', 'top_up', 'credit', 'refund', 'write_off')", name="kind"),
        Index("ix_ads_ledger_entries_account_id_day", "account_id", "day"),
    )

    entry_id: Mapped[int] = mapped_column(EntryId, primary_key=True)
    key: Mapped[str] = mapped_column(String(MOST_KEY))
    kind: Mapped[EntryKind] = mapped_column(String(10))
    account_id: Mapped[str] = mapped_column(ForeignKey(_ACCOUNT))
    campaign_id: Mapped[str | None] = mapped_column(ForeignKey("ads_campaigns.campaign_id"))
    line_id: Mapped[str | None] = mapped_column(ForeignKey("ads_lines.line_id"))
    day: Mapped[date] = mapped_column(Date)
    budget_day: Mapped[date | None] = mapped_column(Date)
    booked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    remark: Mapped[str]


class LedgerLegRow(Tables):
    """What an entry moves in one book: above 0 a debit, below 0 a credit."""

    __tablename__ = "ads_ledger_legs"
    __table_args__ = (
        CheckConstraint("book IN ('cash', 'wallet', 'revenue', 'clearing')", name="book"),
        CheckConstraint("micros <> 0", name="micros"),
    )

    entry_id: Mapped[int] = mapped_column(
        EntryId, ForeignKey("ads_ledger_entries.entry_id"), primary_key=True
    )
    book: Mapped[Book] = mapped_column(String(10), primary_key=True)
    micros: Mapped[int] = mapped_column(Money)


class ChargeRow(Tables):
    """An event that was billed or is free for good; its token and kind are what it is charged by once."""

    __tablename__ = "ads_charges"
    __table_args__ = (
        CheckConstraint("event IN ('click', 'viewable', 'purchase')", name="event"),
        CheckConstraint("outcome IN ('charged', 'over_budget', 'late')", name="outcome"),
        CheckConstraint("price_nanos >= 0 AND micros >= 0", name="price"),
        Index("ix_ads_charges_account_id_day", "account_id", "day"),
    )

    token_id: Mapped[str] = mapped_column(String(MOST_TOKEN), primary_key=True)
    event: Mapped[str] = mapped_column(String(10), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey(_ACCOUNT))
    campaign_id: Mapped[str] = mapped_column(ForeignKey("ads_campaigns.campaign_id"))
    line_id: Mapped[str] = mapped_column(ForeignKey("ads_lines.line_id"))
    day: Mapped[date] = mapped_column(Date)
    price_nanos: Mapped[int] = mapped_column(Money)
    micros: Mapped[int] = mapped_column(Money)
    outcome: Mapped[str] = mapped_column(String(20))
    refused_by: Mapped[str | None] = mapped_column(String(10))
    served_at: Mapped[datetime] = mapped_column(UtcDateTime)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    charged_at: Mapped[datetime] = mapped_column(UtcDateTime)


class BudgetRowTable(Tables):
    """Running numbers; see recsys.ads.ledger.budgets.BudgetRow."""

    __tablename__ = "ads_budgets"
    __table_args__ = (
        CheckConstraint("level IN ('account', 'campaign', 'line')", name="level"),
        CheckConstraint("remainder_nanos >= 0 AND remainder_nanos < 1000", name="remainder"),
        CheckConstraint("spent_micros >= 0 AND lost_nanos >= 0 AND paid_in_micros >= 0", name="numbers"),
        Index("ix_ads_budgets_account_id", "account_id"),
    )

    entity_id: Mapped[str] = mapped_column(String(20), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    level: Mapped[str] = mapped_column(String(10))
    account_id: Mapped[str] = mapped_column(ForeignKey(_ACCOUNT))
    spent_micros: Mapped[int] = mapped_column(Money)
    remainder_nanos: Mapped[int]
    lost_nanos: Mapped[int] = mapped_column(Money)
    paid_in_micros: Mapped[int] = mapped_column(Money)


class ChargeLeaseRow(Tables):
    """Who charges an account, and until when."""

    __tablename__ = "ads_charge_leases"

    account_id: Mapped[str] = mapped_column(ForeignKey(_ACCOUNT), primary_key=True)
    owner: Mapped[str] = mapped_column(String(128))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
