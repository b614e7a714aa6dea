"""How Alembic reaches the database: on the connection handed in by recsys, else by recsys' own settings.

`alembic revision --autogenerate -m "..."` and `alembic upgrade head` work at the root of the checkout.
"""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from recsys.config import load_settings
from recsys.home import keep_private
from recsys.stores.access.tables import AccessKeyRow
from recsys.stores.ads.delivery.tables import DeliveryStepsRow
from recsys.stores.ads.ledger_tables import LedgerEntryRow
from recsys.stores.ads.tables import AccountRow
from recsys.stores.ads.traffic_tables import OwnUserRow
from recsys.stores.experiments.tables import ExperimentRow
from recsys.stores.registry.database import Tables, UtcDateTime, database_url
from recsys.stores.registry.migrations import migration_transaction
from recsys.stores.registry.tables import RunRow
from recsys.stores.rules.tables import RuleRow

# A module's tables count once it is imported.
TABLES = (
    RunRow,
    RuleRow,
    AccessKeyRow,
    AccountRow,
    LedgerEntryRow,
    OwnUserRow,
    DeliveryStepsRow,
    ExperimentRow,
)


def plain_type(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Our column types as SQLAlchemy's own: an old revision must not change with our code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def migrate(connection: Connection) -> None:
    """Runs the asked-for revisions in the transaction that `connection` is in."""
    context.configure(
        connection=connection, target_metadata=Tables.metadata, render_as_batch=True, render_item=plain_type
    )
    with context.begin_transaction():
        context.run_migrations()


def print_sql() -> None:
    """Writes the revisions as SQL, for a database administrator to run (`alembic upgrade head --sql`)."""
    context.configure(url=database_url(load_settings()), target_metadata=Tables.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


keep_private()
handed_in = context.config.attributes.get("connection")
if context.is_offline_mode():
    print_sql()
elif handed_in is not None:
    migrate(handed_in)
else:
    with migration_transaction(database_url(load_settings())) as opened:
        migrate(opened)
