"""What the registry reads and writes inside a transaction that is open already."""

from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select

from recsys.errors import ArtifactNotFoundError
from recsys.stores.registry.records import (
    EvaluationRecord,
    RunRecord,
    evaluation_record,
    run_record,
    storable_metrics,
)
from recsys.stores.registry.tables import PRODUCTION, EvaluationRow, RunRow, StageChangeRow


def evaluations_of(connection: Connection, bundle_id: str) -> list[EvaluationRecord]:
    """The bundle's tests, the latest last."""
    query = select(EvaluationRow.__table__).where(EvaluationRow.bundle_id == bundle_id)
    found = connection.execute(query.order_by(EvaluationRow.evaluated_at)).mappings()
    return [evaluation_record(row) for row in found]


def replace_evaluation(connection: Connection, bundle_id: str, found: EvaluationRecord) -> None:
    """Writes a test of a bundle in place of an earlier one with the same `seen`."""
    earlier = (EvaluationRow.bundle_id == bundle_id) & (EvaluationRow.seen == found.seen)
    values = {**asdict(found), "bundle_id": bundle_id, "metrics": storable_metrics(found.metrics)}
    connection.execute(delete(EvaluationRow).where(earlier))
    connection.execute(insert(EvaluationRow).values(values))


def keep_run(connection: Connection, run: RunRecord) -> None:
    """Writes a run of another registry; one of that id that is here already stays as it is."""
    if connection.execute(select(RunRow.run_id).where(RunRow.run_id == run.run_id)).first() is None:
        values = {**asdict(run), "metrics": storable_metrics(run.metrics)}
        connection.execute(insert(RunRow).values(values))


def promotions(connection: Connection) -> list[str]:
    """Bundle ids in the order of promotion, those rolled back taken off; the last one serves."""
    query = (
        select(StageChangeRow.bundle_id, StageChangeRow.action)
        .where(StageChangeRow.to_stage == PRODUCTION)
        .order_by(StageChangeRow.change_id)
    )
    stack: list[str] = []
    for bundle_id, action in connection.execute(query):
        if action == "rollback":
            stack.pop()  # what is below is `bundle_id`
        else:
            stack.append(bundle_id)
    return stack


def find_run(connection: Connection, run_id: str) -> RunRecord:
    """The run of that id.

    Raises:
        ArtifactNotFoundError: there is none.
    """
    row = connection.execute(select(RunRow.__table__).where(RunRow.run_id == run_id)).mappings().one_or_none()
    if row is None:
        raise ArtifactNotFoundError(f"no run {run_id!r} in the registry. Start it with Registry.start_run.")
    return run_record(row)
