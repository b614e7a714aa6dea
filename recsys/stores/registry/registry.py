"""Runs and bundles: which model was made from what, which one serves, and the way back.

One bundle at most is in production. Stage changes are kept as a log; a promotion puts a bundle on top of
a stack and a rollback takes it off again, so that two rollbacks go back two promotions.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import IntegrityError

from recsys.config import Settings
from recsys.errors import ArtifactError, ArtifactNotFoundError
from recsys.instants import utc_now
from recsys.models.manifest import Manifest
from recsys.stores.registry.database import (
    database_url,
    open_engine,
    shown_address,
)
from recsys.stores.registry.migrations import read_revisions
from recsys.stores.registry.queries import (
    evaluations_of,
    find_run,
    keep_run,
    promotions,
    replace_evaluation,
)
from recsys.stores.registry.records import (
    BundleRecord,
    EvaluationRecord,
    RunRecord,
    StageChange,
    bundle_record,
    run_record,
    stage_change,
    storable_metrics,
)
from recsys.stores.registry.sql_store import SqlStore, open_database
from recsys.stores.registry.tables import (
    ARCHIVED,
    CANDIDATE,
    PRODUCTION,
    BundleRow,
    RunRow,
    Stage,
    StageChangeRow,
)


class Registry(SqlStore):
    """The registry of one shop; safe to share between threads. Use `open`.

    Every method raises StoreUnavailableError where the database does not answer.
    """

    def __init__(self, engine: Engine, home: Path, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(engine)
        self._home = home
        self._clock = clock

    @classmethod
    def open(cls, settings: Settings, clock: Callable[[], datetime] = utc_now) -> "Registry":
        """The registry that `settings` name, its tables brought up to date.

        Raises:
            ConfigError: DATABASE_URL is malformed, or a newer version made the tables.
            StoreUnavailableError: the database did not answer.
        """
        return cls(open_database(settings), settings.paths.home, clock)

    @classmethod
    def read_only(cls, settings: Settings) -> "Registry":
        """The registry as it is: nothing is made or upgraded.

        Raises:
            ArtifactNotFoundError: there is none yet, or its tables are not those of this version.
        """
        url = database_url(settings)
        if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
            raise ArtifactNotFoundError(f"no registry at {shown_address(url)} yet. Run `recsys train`.")
        found = read_revisions(url, read_only=True)
        if not found.fit:
            raise ArtifactNotFoundError(
                f"the registry at {shown_address(url)} is at revision {found.current}, not {found.head}. "
                "`recsys models list` upgrades it."
            )
        return cls(open_engine(url, read_only=True), settings.paths.home)

    # -- runs ---------------------------------------------------------------------------------

    def start_run(
        self,
        kind: str,
        settings: Mapping[str, Any],
        git_revision: str | None = None,
        run_id: str | None = None,
    ) -> str:
        """Notes that a run of `kind` (for example `train`) began; returns its id, made up unless given."""
        now = self._clock()
        run_id = run_id or f"{kind}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        values = {
            "run_id": run_id,
            "kind": kind,
            "status": "running",
            "started_at": now,
            "settings": dict(settings),
            "metrics": {},
            "git_revision": git_revision,
        }
        with self._writing("start a run") as connection:
            try:
                connection.execute(insert(RunRow).values(values))
            except IntegrityError as error:
                raise ArtifactError(
                    f"run {run_id!r} is in the registry already. Choose another id."
                ) from error
        return run_id

    def finish_run(
        self, run_id: str, metrics: Mapping[str, float] | None = None, error: str | None = None
    ) -> RunRecord:
        """Notes how a run ended: `failed` with an `error`, else `finished`.

        Raises:
            ArtifactNotFoundError: no run of that id.
        """
        values = {
            "status": "failed" if error else "finished",
            "finished_at": self._clock(),
            "metrics": storable_metrics(metrics or {}),
            "error": error,
        }
        with self._writing("finish a run") as connection:
            connection.execute(update(RunRow).where(RunRow.run_id == run_id).values(values))
            return find_run(connection, run_id)

    def run(self, run_id: str) -> RunRecord:
        """The run of that id; raises ArtifactNotFoundError if there is none."""
        with self._reading("read a run") as connection:
            return find_run(connection, run_id)

    def list_runs(self, limit: int = 100) -> list[RunRecord]:
        """The latest runs, newest first."""
        query = select(RunRow.__table__).order_by(RunRow.started_at.desc(), RunRow.run_id.desc()).limit(limit)
        with self._reading("list runs") as connection:
            return [run_record(row) for row in connection.execute(query).mappings()]

    # -- bundles ------------------------------------------------------------------------------

    def register(
        self,
        manifest: Manifest,
        path: Path,
        run_id: str | None = None,
        changed_by: str = "",
        *,
        run: RunRecord | None = None,
        tests: Iterable[EvaluationRecord] = (),
    ) -> BundleRecord:
        """Adds the bundle that lies at `path` as a candidate.

        `run` and `tests` of a bundle from another registry are kept too.

        Raises:
            ArtifactError: a bundle of that id is registered already.
            ArtifactNotFoundError: no run of that id.
        """
        values = {
            "bundle_id": manifest.bundle_id,
            "path": self._stored_path(path),
            "dataset": manifest.dataset,
            "protocol": manifest.protocol,
            "created_at": manifest.created_at,
            "metrics": storable_metrics(manifest.metrics),
            "run_id": run_id,
            "stage": CANDIDATE,
        }
        with self._writing("register a bundle") as connection:
            if run is not None:
                keep_run(connection, run)
            if run_id is not None:
                find_run(connection, run_id)
            try:
                connection.execute(insert(BundleRow).values(values))
            except IntegrityError as error:
                raise ArtifactError(
                    f"bundle {manifest.bundle_id!r} is registered already; bundles never change. "
                    "Train again for a new id."
                ) from error
            change = StageChange(manifest.bundle_id, "register", None, CANDIDATE, changed_by, self._clock())
            connection.execute(insert(StageChangeRow).values(asdict(change)))
            for test in tests:
                replace_evaluation(connection, manifest.bundle_id, test)
            return self._bundle(connection, manifest.bundle_id)

    def record_evaluation(self, bundle_id: str, found: EvaluationRecord) -> BundleRecord:
        """Keeps what a bundle was worth on its test, in place of an earlier test with the same `seen`.

        Raises:
            ArtifactNotFoundError: no bundle of that id.
        """
        with self._writing("keep an evaluation") as connection:
            self._bundle(connection, bundle_id)
            replace_evaluation(connection, bundle_id, found)
            return self._bundle(connection, bundle_id)

    def get(self, bundle_id: str) -> BundleRecord:
        """The bundle of that id; raises ArtifactNotFoundError if there is none."""
        with self._reading("read a bundle") as connection:
            return self._bundle(connection, bundle_id)

    def list_bundles(self) -> list[BundleRecord]:
        """All bundles, newest first."""
        query = select(BundleRow.__table__).order_by(BundleRow.created_at.desc(), BundleRow.bundle_id.desc())
        with self._reading("list bundles") as connection:
            return [self._record(connection, row) for row in connection.execute(query).mappings().all()]

    def production(self) -> BundleRecord | None:
        """The bundle that serves, if one does."""
        with self._reading("read the production bundle") as connection:
            return self._production(connection)

    def previous(self) -> BundleRecord | None:
        """The bundle that a rollback would bring back, if there is one."""
        with self._reading("read the previous bundle") as connection:
            stack = promotions(connection)
            return self._bundle(connection, stack[-2]) if len(stack) > 1 else None

    def history(self, bundle_id: str | None = None) -> list[StageChange]:
        """Every change of stage, of one bundle or of all, oldest first."""
        query = select(StageChangeRow.__table__).order_by(StageChangeRow.change_id)
        if bundle_id is not None:
            query = query.where(StageChangeRow.bundle_id == bundle_id)
        with self._reading("read stage changes") as connection:
            return [stage_change(row) for row in connection.execute(query).mappings()]

    def promote(self, bundle_id: str, changed_by: str = "") -> BundleRecord:
        """Puts a bundle into production and archives the one that was; nothing if it is there already.

        Raises:
            ArtifactNotFoundError: no bundle of that id.
        """
        with self._writing("promote a bundle") as connection:
            if self._bundle(connection, bundle_id).stage != PRODUCTION:
                self._switch(connection, bundle_id, "promote", changed_by)
            return self._bundle(connection, bundle_id)

    def rollback(self, changed_by: str = "", expected: str | None = None) -> BundleRecord:
        """Puts the bundle before the last promotion back into production.

        Args:
            expected: the bundle that the caller has checked; another one is an error.

        Raises:
            ArtifactNotFoundError: there is nothing to go back to.
            ArtifactError: a promotion came between, so that another bundle than `expected` is next.
        """
        with self._writing("roll back") as connection:
            stack = promotions(connection)
            if len(stack) < 2:
                raise ArtifactNotFoundError(
                    "there is no bundle to go back to: "
                    + (f"{stack[0]!r} is the first in production." if stack else "none was promoted.")
                    + " `recsys models promote ID` takes any other; `recsys models list` shows them."
                )
            if expected is not None and stack[-2] != expected:
                raise ArtifactError(
                    f"another promotion came between: a rollback would now bring back {stack[-2]!r}, "
                    f"not {expected!r}. Look at `recsys models list` and try again."
                )
            self._switch(connection, stack[-2], "rollback", changed_by)
            return self._bundle(connection, stack[-2])

    # -- inside a transaction -----------------------------------------------------------------

    def _switch(self, connection: Connection, bundle_id: str, action: str, changed_by: str) -> None:
        now = self._clock()
        leaving = self._production(connection)
        if leaving is not None:
            self._move(connection, leaving, ARCHIVED, action, changed_by, leaving.promoted_at)
        self._move(connection, self._bundle(connection, bundle_id), PRODUCTION, action, changed_by, now)

    def _move(
        self,
        connection: Connection,
        bundle: BundleRecord,
        stage: Stage,
        action: str,
        changed_by: str,
        promoted_at: datetime | None,
    ) -> None:
        connection.execute(
            update(BundleRow)
            .where(BundleRow.bundle_id == bundle.bundle_id)
            .values(stage=stage, promoted_at=promoted_at)
        )
        change = StageChange(bundle.bundle_id, action, bundle.stage, stage, changed_by, self._clock())
        connection.execute(insert(StageChangeRow).values(asdict(change)))

    def _bundle(self, connection: Connection, bundle_id: str) -> BundleRecord:
        query = select(BundleRow.__table__).where(BundleRow.bundle_id == bundle_id)
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise ArtifactNotFoundError(
                f"no bundle {bundle_id!r}. `recsys models list` shows those there are."
            )
        return self._record(connection, row)

    def _production(self, connection: Connection) -> BundleRecord | None:
        query = select(BundleRow.__table__).where(BundleRow.stage == PRODUCTION)
        row = connection.execute(query).mappings().one_or_none()
        return None if row is None else self._record(connection, row)

    def _record(self, connection: Connection, row: RowMapping) -> BundleRecord:
        return bundle_record(row, self._home, evaluations_of(connection, row["bundle_id"]))

    def _stored_path(self, path: Path) -> str:
        path = path.resolve()
        return str(path.relative_to(self._home) if path.is_relative_to(self._home) else path)
