"""What was spent of all budgets lately: plain tuples, as a service that shows ads reads many each second."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select

from recsys.ads.selection.standing import RunningNumber
from recsys.stores.ads.ledger_tables import BudgetRowTable as Row


def running_numbers(connection: Connection, periods: Collection[str]) -> Sequence[RunningNumber]:
    """Those of these periods, see `period_of`, of all accounts, campaigns and lines."""
    query = select(Row.entity_id, Row.period, Row.spent_micros, Row.paid_in_micros)
    found = connection.execute(query.where(Row.period.in_(periods)))
    return [RunningNumber._make(row) for row in found.all()]
