"""The table of access keys. No row is ever deleted: it says who could call, and until when."""

from datetime import datetime

from sqlalchemy import Double, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from recsys.stores.registry.database import Tables, UtcDateTime

_CURRENT = text("revoked_at IS NULL AND replaced_by IS NULL")


class AccessKeyRow(Tables):
    """One key. A name has one key that is neither revoked nor replaced: a partial unique index says so.

    Roles are not constrained here: which there are is said by recsys/access/roles.py alone.
    """

    __tablename__ = "access_keys"
    __table_args__ = (
        Index(
            "uq_access_keys_current_name",
            "name",
            unique=True,
            sqlite_where=_CURRENT,
            postgresql_where=_CURRENT,
        ),
    )

    key_id: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(50))
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str]
    account: Mapped[str | None] = mapped_column(String(256))
    rate: Mapped[float | None] = mapped_column(Double)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_by: Mapped[str | None]
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    replaced_by: Mapped[str | None] = mapped_column(String(20))
