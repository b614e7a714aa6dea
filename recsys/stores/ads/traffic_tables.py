"""Tables of the charge worker: the gate's generations, own users, invalid events, slots sold by purchase."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from recsys.ads.ledger.charges import MOST_TOKEN
from recsys.identifiers import MOST_CHARACTERS
from recsys.stores.ads.tables import Money
from recsys.stores.registry.database import Tables, UtcDateTime

MOST_UNIT = 300  # characters: the kind of a unit and an id
_ACCOUNT = "ads_accounts.account_id"


class GateGenerationRow(Tables):
    """The newest generation of an account's gate that was seen, and when."""

    __tablename__ = "ads_gate_generation"

    account_id: Mapped[str] = mapped_column(ForeignKey(_ACCOUNT), primary_key=True)
    generation: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class OwnUserRow(Tables):
    """A user of the shop who belongs to the advertiser itself."""

    __tablename__ = "ads_own_users"

    account_id: Mapped[str] = mapped_column(ForeignKey(_ACCOUNT), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(MOST_CHARACTERS), primary_key=True)


class InvalidEventRow(Tables):
    """An event that is invalid traffic. Of a forged token nothing is known: its account is NULL."""

    __tablename__ = "ads_invalid_events"
    __table_args__ = (Index("ix_ads_invalid_events_account_id_occurred_at", "account_id", "occurred_at"),)

    event_id: Mapped[str] = mapped_column(String(MOST_CHARACTERS), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(20))
    account_id: Mapped[str | None] = mapped_column(String(20))
    campaign_id: Mapped[str | None] = mapped_column(String(20))
    line_id: Mapped[str | None] = mapped_column(String(20))
    token_id: Mapped[str | None] = mapped_column(String(MOST_TOKEN))
    user_id: Mapped[str] = mapped_column(String(MOST_CHARACTERS))
    price_nanos: Mapped[int] = mapped_column(Money)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PurchaseSlotRow(Tables):
    """A clicked slot of a campaign that pays by the purchase, and the one purchase that it led to."""

    __tablename__ = "ads_purchase_slots"
    __table_args__ = (Index("ix_ads_purchase_slots_unit_item_id", "unit", "item_id"),)

    token_id: Mapped[str] = mapped_column(String(MOST_TOKEN), primary_key=True)
    account_id: Mapped[str] = mapped_column(String(20))
    campaign_id: Mapped[str] = mapped_column(String(20))
    line_id: Mapped[str] = mapped_column(String(20))
    item_id: Mapped[str] = mapped_column(String(MOST_CHARACTERS))
    unit: Mapped[str] = mapped_column(String(MOST_UNIT))
    price_nanos: Mapped[int] = mapped_column(Money)
    served_at: Mapped[datetime] = mapped_column(UtcDateTime)
    clicked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    purchase_id: Mapped[str | None] = mapped_column(String(MOST_CHARACTERS))
    purchased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
